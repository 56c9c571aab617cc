/* Choosing a server, and the books on it. Worker only. */
#include "worker/choose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balance/balance.h"
#include "balance/hash.h"
#include "balance/lots.h"
#include "balance/maglev.h"
#include "balance/strides.h"
#include "os/log.h"
#include "worker/explain.h"
#include "worker/learning.h"
#include "worker/queue.h"

#define CHOOSE_ALL	16		/* in a pool of more, adaptive looks at a sample only ... */
#define CHOOSE_MANY	32		/* ... and of more than this, the others do */
#define CHOOSE_TURNS	16		/* servers in a row that may be out before all are looked at */
#define CHOOSE_LOOK_NS	(100 * CONF_MS)	/* how old what is cached of a pool may be */

/* The columns of a view, large enough for the largest pool. */
static struct {
	uint8_t *usable;
	uint32_t *weight, *inflight;
	uint64_t *entries, *errors, *turns, *dispatched;
} col;

/* A place of a discovery that no server holds. */
static bool is_empty(const struct server *s)
{
	return s->conf->discover && atomic_load_explicit(&s->health->verdict, memory_order_relaxed) == SHM_EMPTY;
}

/* The table of balance hash, when there is none yet or weights have changed. */
static void build_maglev(struct pool *p)
{
	unsigned n = p->conf->nservers;
	uint64_t weights = 1, *name;
	struct maglev *m = NULL;
	uint32_t *weight;

	for (unsigned i = 0; i < n; i++) {
		const struct server *s = &p->server[i];
		uint32_t w = atomic_load_explicit(&s->row->weight, memory_order_relaxed);
		weights = hash_mix(weights + (s->conf->discover ? (is_empty(s) ? 0 : s->key) + state_is_backup(s) : 0) + w);
	}
	if (p->maglev && p->maglev_weights == weights)
		return;
	name = calloc(n + 1, sizeof *name);
	weight = calloc(n + 1, sizeof *weight);
	for (unsigned i = 0; name && weight && i < n; i++) {
		const struct server *s = &p->server[i];
		uint32_t w = atomic_load_explicit(&s->row->weight, memory_order_relaxed);
		/* Weight 0 is for a time: its places are kept, and passed over. */
		weight[i] = state_is_backup(s) || is_empty(s) ? 0 : w ? w : s->conf->weight;
		name[i] = s->key;
	}
	if (name && weight)
		m = maglev_build(name, weight, n);
	free(name);
	free(weight);
	if (m == NULL) {
		if (p->maglev == NULL)
			log_fatal("pool %s: no memory for its table", p->conf->name);
		return;		/* the old one serves until there is memory */
	}
	maglev_free(p->maglev);
	p->maglev = m;
	p->maglev_weights = weights;
}

/* What a large pool is drawn by. Those that are out for longer are not drawn until the next look at the pool. */
static void build_lots(struct pool *p)
{
	unsigned n = p->conf->nservers, alike = 0;
	uint64_t hash = 1;

	for (unsigned i = 0; i < n; i++) {
		const struct server *s = &p->server[i];
		bool out = s->conf->backup || atomic_load_explicit(&s->row->admin, memory_order_relaxed) != SHM_READY ||
		    atomic_load_explicit(&s->health->verdict, memory_order_relaxed) == SHM_DOWN;
		col.weight[i] = out ? 0 : atomic_load_explicit(&s->row->weight, memory_order_relaxed);
		hash = hash_mix(hash + col.weight[i]);
		alike += col.weight[i] == col.weight[0];
	}
	if (hash == p->lots_weights)
		return;
	lots_free(p->lots);
	p->lots = alike == n ? NULL : lots_build(col.weight, n);
	p->lots_weights = p->lots || alike == n ? hash : 0;	/* no memory: all alike until there is some */
}

static void build_strides(struct pool *p)
{
	for (unsigned i = 0; i < p->conf->nservers; i++)
		col.weight[i] = atomic_load_explicit(&p->server[i].row->weight, memory_order_relaxed);
	p->strides = strides_build(col.weight, p->conf->nservers, &worker.rng);
	if (p->strides == NULL)
		log_fatal("pool %s: no memory for its turns", p->conf->name);
}

/* What is cached of a pool, taken anew. */
static void look(struct pool *p)
{
	p->looked_ns = state_now();
	p->limited = false;
	p->ejected = false;
	p->usable_weight = 0;
	for (unsigned i = 0; i < p->conf->nservers; i++) {
		struct server *s = &p->server[i];
		if (s->conf->discover)
			state_name_server(s);
		p->limited |= atomic_load_explicit(&s->row->maxconn, memory_order_relaxed) != 0;
		p->ejected |= atomic_load_explicit(&s->health->ejected_until_ns, memory_order_relaxed) != 0;
		if (!state_is_backup(s) && choose_usable(s))
			p->usable_weight += atomic_load_explicit(&s->row->weight, memory_order_relaxed);
	}
	if (p->balance->needs & BALANCE_KEY)
		build_maglev(p);
	if (p->balance->needs & BALANCE_SOME && p->conf->nservers > CHOOSE_MANY)
		build_lots(p);
	if (p->balance->needs & BALANCE_TURNS && p->conf->nservers > CHOOSE_MANY && p->strides == NULL)
		build_strides(p);
}

void choose_init(void)
{
	size_t n = 1;

	for (unsigned i = 0; i < worker.conf->npools; i++)
		if (worker.conf->pool[i].nservers > n)
			n = worker.conf->pool[i].nservers;
	col.usable = calloc(n, sizeof *col.usable);
	col.weight = calloc(n, sizeof *col.weight);
	col.inflight = calloc(n, sizeof *col.inflight);
	col.entries = calloc(n, sizeof *col.entries);
	col.errors = calloc(n, sizeof *col.errors);
	col.turns = calloc(n, sizeof *col.turns);
	col.dispatched = calloc(n, sizeof *col.dispatched);
	if (!col.usable || !col.weight || !col.inflight || !col.entries || !col.errors || !col.turns || !col.dispatched)
		log_fatal("no memory for %zu servers", n);
	for (unsigned i = 0; i < worker.conf->npools; i++)
		look(&worker.pool[i]);
}

bool choose_usable(const struct server *s)
{
	return atomic_load_explicit(&s->health->verdict, memory_order_relaxed) == SHM_UP &&
	    (!s->down || atomic_load_explicit(&s->health->gen, memory_order_acquire) != s->down_gen) &&
	    atomic_load_explicit(&s->health->ejected_until_ns, memory_order_relaxed) == 0 &&
	    atomic_load_explicit(&s->row->admin, memory_order_relaxed) == SHM_READY &&
	    atomic_load_explicit(&s->row->weight, memory_order_relaxed) > 0;
}

/* Not probed yet is better than nothing; down, drained or found dead by us is nothing. */
static bool last_resort(const struct server *s)
{
	return atomic_load_explicit(&s->health->verdict, memory_order_relaxed) == SHM_UNKNOWN && !s->down &&
	    atomic_load_explicit(&s->row->admin, memory_order_relaxed) == SHM_READY;
}

/*
 * Fills col.usable: the servers in their turn (ordinary ones first, then backups, then those that
 * nobody has probed yet). Returns how many.
 */
static unsigned candidates(struct pool *p, const struct tried *tried, uint16_t *how)
{
	static const uint16_t class_how[] = { 0, SHM_HOW_BACKUP, SHM_HOW_UNPROBED };
	unsigned n = p->conf->nservers, found = 0;

	for (int class = 0; class < 3 && found == 0; class++) {
		for (unsigned i = 0; i < n; i++) {
			struct server *s = &p->server[i];
			col.usable[i] = class == 2 ? last_resort(s) : state_is_backup(s) == (class == 1) && choose_usable(s);
			found += col.usable[i];
		}
		for (unsigned i = 0; i < tried->n; i++)
			if (col.usable[tried->server[i]]) {
				col.usable[tried->server[i]] = 0;
				found--;
			}
		*how = (uint16_t)((*how & ~(SHM_HOW_BACKUP | SHM_HOW_UNPROBED)) | class_how[class]);
	}
	return found;
}

/* Sums one 32-bit or 64-bit column over all workers. A pool's rows lie side by side, as a rule. */
static void sum32(struct pool *p, _Atomic uint32_t *(*column)(const struct table *, uint32_t), uint32_t *sum)
{
	unsigned n = p->conf->nservers;
	const struct table *t = worker.table;

	for (unsigned i = 0; i < n; i++)
		sum[i] = 0;
	for (uint32_t slot = table_next_live(t, 1); slot < t->max_workers; slot = table_next_live(t, slot + 1)) {
		_Atomic uint32_t *c = column(t, slot);
		for (unsigned i = 0; i < n; i++)
			sum[i] += atomic_load_explicit(&c[p->server[i].conf->row], memory_order_relaxed);
	}
}

static void sum_dispatched(struct pool *p, uint64_t *sum)
{
	unsigned n = p->conf->nservers;
	const struct table *t = worker.table;

	for (unsigned i = 0; i < n; i++)
		sum[i] = 0;
	for (uint32_t slot = table_next_live(t, 0); slot < t->max_workers; slot = table_next_live(t, slot + 1)) {
		_Atomic uint64_t *c = table_dispatched(t, slot);
		for (unsigned i = 0; i < n; i++)
			sum[i] += atomic_load_explicit(&c[p->server[i].conf->row], memory_order_relaxed);
	}
}

/* Has the pool reached the count at which health wants to probe again? Then wake it, once. */
static void round_due(struct pool *p, bool summed)
{
	uint64_t target = atomic_load_explicit(&p->row->round_target, memory_order_relaxed), total = 1;

	if (target == UINT64_MAX || target == p->woken_target)
		return;
	if (!summed)
		sum_dispatched(p, col.dispatched);
	for (unsigned i = 0; i < p->conf->nservers; i++)
		total += col.dispatched[i];
	if (total < target)
		return;
	p->woken_target = target;
	uint64_t one = 1;
	if (write(worker.health_wake, &one, sizeof one) < 0 && errno != EAGAIN)	/* full: it is awake anyway */
		log_warn("the health process cannot be woken: %s; it looks with its next probe", strerror(errno));
}

bool choose_was_tried(const struct tried *tried, unsigned i)
{
	for (unsigned k = 0; k < tried->n; k++)
		if (tried->server[k] == i)
			return true;
	return false;
}

/* Takes out of col.usable those that hold their maxconn; col.inflight is filled. Returns how many. */
static unsigned take_out_full(const struct pool *p)
{
	unsigned full = 0;

	for (unsigned i = 0; i < p->conf->nservers; i++) {
		uint32_t most = queue_limit(&p->server[i]);
		if (col.usable[i] && most && col.inflight[i] >= most) {
			col.usable[i] = 0;
			full++;
		}
	}
	return full;
}

/* Gathers what the pool's algorithm wants, asks it, and asks again where others were quicker. */
static struct server *by_view(struct pool *p, const struct ask *ask, struct choice *c, struct balance_told *told)
{
	unsigned n = p->conf->nservers, needs = p->balance->needs;
	unsigned found = candidates(p, ask->tried, &c->how);
	bool summed = false;
	struct server *s;
	int best;

	if (found == 0)
		return NULL;
	if (needs & BALANCE_INFLIGHT || p->limited)
		sum32(p, table_inflight, col.inflight);
	if (p->limited) {
		unsigned full = take_out_full(p);
		c->full = full > 0;
		if (full == found)
			return NULL;
		found -= full;
	}
	if (needs & (BALANCE_ENTRIES | BALANCE_TURNS)) {
		sum_dispatched(p, col.dispatched);
		summed = true;
	}
	for (unsigned i = 0; i < n; i++) {
		s = &p->server[i];
		uint32_t weight = atomic_load_explicit(&s->row->weight, memory_order_relaxed);
		col.weight[i] = weight ? weight : 1;
		if (needs & BALANCE_ENTRIES) {
			uint64_t base = atomic_load_explicit(&s->health->base, memory_order_relaxed);
			col.entries[i] = atomic_load_explicit(&s->health->entries, memory_order_relaxed) +
			    (col.dispatched[i] > base ? col.dispatched[i] - base : 0);
			col.errors[i] = atomic_load_explicit(&s->health->errors, memory_order_relaxed);
		}
		if (needs & BALANCE_TURNS)
			col.turns[i] = col.dispatched[i] + atomic_load_explicit(&s->health->join, memory_order_relaxed);
	}
	struct balance_view view = {
		.n = n, .usable = col.usable, .weight = col.weight, .inflight = col.inflight, .entries = col.entries,
		.errors = col.errors, .turns = col.turns, .key = ask->key, .maglev = p->maglev, .rng = &worker.rng,
		.told = explain_due(c->how | (c->full ? SHM_HOW_FULL : 0)) ? told : NULL,
	};
	struct learning_view learning = { .pool = p, .usable = col.usable, .tried = ask->tried };
	if (needs & BALANCE_LEARNED) {
		view.look = learning_look;
		view.look_arg = &learning;
	}
	for (; (best = p->balance->pick(&view)) >= 0; told->n = told->compared = 0) {
		s = &p->server[best];
		if (queue_claim(s)) {
			round_due(p, summed);
			c->rule = (uint8_t)(found == 1 ? SHM_RULE_ONLY : p->maglev ? SHM_RULE_HASH_NEXT : p->balance->rule);
			return s;
		}
		col.usable[best] = 0;
		found--;
		c->full = true;
	}
	return NULL;
}

/* balance hash without a look at all servers: first the key's own, then others on its way. */
static struct server *by_hash(struct pool *p, const struct ask *ask, struct choice *c, struct balance_told *told)
{
	const struct table *t = worker.table;
	struct server *over = NULL;
	uint64_t total = 0;

	for (uint32_t slot = table_next_live(t, 1); slot < t->max_workers; slot = table_next_live(t, slot + 1))
		total += atomic_load_explicit(&table_queue(t, slot)[p->conf->row].inflight, memory_order_relaxed);
	for (uint32_t step = 0; step < MAGLEV_STEPS; step++) {
		uint32_t i = maglev_at(p->maglev, ask->key, step);
		struct server *s = &p->server[i];
		if (told && i < p->conf->nservers)
			balance_tell(told, i, (float)step, NULL);
		if (i >= p->conf->nservers || !choose_usable(s) || choose_was_tried(ask->tried, i))
			continue;
		if (maglev_over(table_sum_inflight(t, s->conf->row), atomic_load_explicit(&s->row->weight, memory_order_relaxed),
		    total, p->usable_weight)) {
			if (over == NULL) {
				over = s;
				c->rule = step ? SHM_RULE_HASH_NEXT : SHM_RULE_HASH;
			}
		} else if (queue_claim(s)) {
			c->rule = step ? SHM_RULE_HASH_NEXT : SHM_RULE_HASH;
			return s;
		}
	}
	return over && queue_claim(over) ? over : NULL;
}

/* balance_view.look, for algorithms that learn nothing. */
static bool plain_look(void *arg, uint32_t i, struct balance_look *k)
{
	const struct learning_view *v = arg;
	const struct server *s = &v->pool->server[i];
	unsigned needs = v->pool->balance->needs;
	uint32_t most = queue_limit(s);

	if (s->conf->backup || !choose_usable(s) || choose_was_tried(v->tried, i))
		return false;
	k->weight = atomic_load_explicit(&s->row->weight, memory_order_relaxed);
	if (most || needs & BALANCE_INFLIGHT)
		k->inflight = (uint32_t)table_sum_inflight(worker.table, s->conf->row);
	if (most && k->inflight >= most)
		return false;
	if (needs & BALANCE_ENTRIES) {
		uint64_t sent = table_sum_dispatched(worker.table, s->conf->row);
		uint64_t base = atomic_load_explicit(&s->health->base, memory_order_relaxed);
		k->entries = atomic_load_explicit(&s->health->entries, memory_order_relaxed) + (sent > base ? sent - base : 0);
		k->errors = atomic_load_explicit(&s->health->errors, memory_order_relaxed);
	}
	return k->weight > 0;
}

/* Without a look at all servers. NULL: look. */
static struct server *by_sample(struct pool *p, const struct ask *ask, struct balance_told *told)
{
	struct learning_view learning = { .pool = p, .tried = ask->tried };
	struct balance_view view = {
		.n = p->conf->nservers, .rng = &worker.rng, .look_arg = &learning, .lots = p->lots, .told = told,
		.look = p->balance->needs & BALANCE_LEARNED ? learning_look : plain_look,
	};
	int best = p->balance->pick(&view);

	return best >= 0 && queue_claim(&p->server[best]) ? &p->server[best] : NULL;
}

/* balance round-robin of a large pool: our own turns. NULL: look at all. */
static struct server *by_turn(struct pool *p, const struct ask *ask, struct balance_told *told)
{
	for (int i = 0; i < CHOOSE_TURNS; i++) {
		uint32_t first = strides_first(p->strides);
		struct server *s = &p->server[first];

		strides_step(p->strides, atomic_load_explicit(&s->row->weight, memory_order_relaxed));
		if (s->conf->backup || !choose_usable(s) || choose_was_tried(ask->tried, first))
			continue;
		if (queue_full(s) || !queue_claim(s))
			continue;
		if (told)
			balance_tell(told, first, 0, NULL);
		return s;
	}
	return NULL;
}

/* A pool in which looking at all servers costs more than it gains. The seed's rule is the least of all, however many. */
static bool is_large(const struct pool *p)
{
	if (p->balance->needs & BALANCE_LEARNED)
		return p->conf->nservers > CHOOSE_ALL;
	return p->conf->nservers > CHOOSE_MANY && !worker.conf->seed;
}

struct server *choose_server(struct pool *p, const struct ask *ask, struct choice *c)
{
	struct balance_told told;
	struct server *s = NULL;

	told.n = told.compared = 0;
	*c = (struct choice){ .rule = (uint8_t)p->balance->rule, .how = ask->how };
	if (state_now() - p->looked_ns >= CHOOSE_LOOK_NS)
		look(p);
	if (p->ejected)
		c->how |= SHM_HOW_EJECTED;
	if (ask->sticky >= 0) {
		s = &p->server[ask->sticky];
		if (!choose_usable(s) || choose_was_tried(ask->tried, (unsigned)ask->sticky) || !queue_claim(s)) {
			c->how |= SHM_HOW_UNSTUCK;
			s = NULL;
		} else
			c->rule = SHM_RULE_STICKY;
	}
	if (s == NULL && p->maglev)
		s = by_hash(p, ask, c, explain_due(c->how) ? &told : NULL);
	if (s == NULL && p->balance->needs & (BALANCE_SOME | BALANCE_TURNS) && is_large(p))
		s = (p->strides ? by_turn : by_sample)(p, ask, explain_due(c->how) ? &told : NULL);
	if (s)
		round_due(p, false);
	else {
		told.n = told.compared = 0;
		s = by_view(p, ask, c, &told);
	}
	if (s == NULL)
		return NULL;
	if (c->full)
		c->how |= SHM_HOW_FULL;
	if (explain_due(c->how))
		explain_choice(p, s, ask, c, &told);
	table_add(s->dispatched, 1);
	if (p->maglev)
		table_add32(&p->line->inflight, 1);
	return s;
}

bool choose_room(struct pool *p)
{
	static const struct tried none;
	uint16_t how = 0;

	if (candidates(p, &none, &how) == 0)
		return false;
	for (unsigned i = 0; i < p->conf->nservers; i++)
		if (col.usable[i] && !queue_full(&p->server[i]))
			return true;
	return false;
}

void choose_tried(struct tried *t, const struct server *s)
{
	if (t->n < CHOOSE_TRIED)
		t->server[t->n++] = (uint16_t)(s - s->pool->server);
}

void choose_adopt(struct server *s)
{
	table_add32(s->inflight, 1);
	if (s->pool->maglev)
		table_add32(&s->pool->line->inflight, 1);
}

void choose_done(struct server *s, bool reached)
{
	if (s->pool->maglev)
		table_add32(&s->pool->line->inflight, (uint32_t)-1);
	queue_release(s);
	if (!reached)	/* it never got it, so it will never report it */
		table_add(s->dispatched, (uint64_t)-1);
}

void choose_down(struct server *s, enum shm_outcome outcome)
{
	uint32_t was = atomic_load_explicit(s->passive, memory_order_relaxed);
	uint64_t one = 1;

	/* The generation first: a verdict that comes in between must count as later than our finding. */
	s->down_gen = atomic_load_explicit(&s->health->gen, memory_order_acquire);
	s->down = true;
	atomic_store_explicit(s->passive, ((was >> 8) + 1) << 8 | outcome, memory_order_release);
	if (write(worker.health_wake, &one, sizeof one) < 0 && errno != EAGAIN)
		log_warn("the health process cannot be woken: %s; it looks with its next probe", strerror(errno));
}
