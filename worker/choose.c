/* Choosing a server, and the books on it. Worker only. */
#include "worker/choose.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "balance/balance.h"
#include "os/log.h"

/* The columns of a view, large enough for the largest pool. */
static struct {
	uint8_t *usable;
	uint32_t *weight, *inflight;
	uint64_t *entries, *errors, *turns, *dispatched;
} col;

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
}

bool choose_usable(const struct server *s)
{
	return atomic_load_explicit(&s->health->verdict, memory_order_relaxed) == SHM_UP &&
	    (!s->down || atomic_load_explicit(&s->health->gen, memory_order_acquire) != s->down_gen) &&
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
static unsigned candidates(struct pool *p, const struct tried *tried)
{
	unsigned n = p->conf->nservers, found = 0;

	for (int class = 0; class < 3 && found == 0; class++) {
		for (unsigned i = 0; i < n; i++) {
			struct server *s = &p->server[i];
			col.usable[i] = class == 2 ? last_resort(s) : s->conf->backup == (class == 1) && choose_usable(s);
			found += col.usable[i];
		}
		for (unsigned i = 0; i < tried->n; i++)
			if (col.usable[tried->server[i]]) {
				col.usable[tried->server[i]] = 0;
				found--;
			}
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
		log_warn("health process cannot be woken");
}

struct server *choose_server(struct pool *p, const struct tried *tried)
{
	unsigned n = p->conf->nservers, needs = p->balance->needs;
	unsigned found = candidates(p, tried);
	bool summed = false;
	struct server *s;
	int best;

	if (found == 0)
		return NULL;
	if (needs & BALANCE_INFLIGHT)
		sum32(p, table_inflight, col.inflight);
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
		.errors = col.errors, .turns = col.turns, .rng = &worker.rng,
	};
	best = p->balance->pick(&view);
	if (best < 0)
		return NULL;
	s = &p->server[best];
	round_due(p, summed);
	table_add32(s->inflight, 1);
	table_add(s->dispatched, 1);
	return s;
}

void choose_tried(struct tried *t, const struct server *s)
{
	if (t->n < CHOOSE_TRIED)
		t->server[t->n++] = (uint16_t)(s - s->pool->server);
}

void choose_adopt(struct server *s)
{
	table_add32(s->inflight, 1);
}

void choose_done(struct server *s, bool reached)
{
	table_add32(s->inflight, (uint32_t)-1);
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
		log_warn("health process cannot be woken");
}
