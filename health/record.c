/*
 * History: the writer. Runs in the health process, once a second, and does next to nothing for a server
 * that has nothing to do: no request was given to it and none is in its hands, so its counters stand still.
 *
 * Rates are differences of counters over the time between two looks. What they are counted from is kept here
 * and not in the table: a successor begins with a look of its own, so a step in which health was replaced is
 * told from the rest of that step.
 */
#include "health/record.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/history.h"
#include "ipc/view.h"

#define SECOND_NS UINT64_C(1000000000)
#define RECORD_LATE 3	/* steps */

/* Counters at one moment. */
struct record_figures {
	uint64_t requests, errors;
	uint32_t latency[SHM_LATENCY_BUCKETS];	/* the low halves: differences are right all the same */
};

struct record_server {
	uint64_t identity;		/* whose figures these are; 0: nobody's */
	uint64_t dispatched, inflight;	/* as seen last */
	uint64_t since_ns;		/* of the verdict, as seen last */
	enum history_state state;	/* as seen last */
	struct record_figures now, base[HISTORY_SPANS];
	enum history_state worst[HISTORY_SPANS];
	uint64_t most[HISTORY_SPANS];	/* in flight */
};

struct record_pool {
	double requests, errors, inflight, up;
	uint64_t latency[SHM_LATENCY_BUCKETS];
	uint64_t identity;
};

struct record_worker {
	uint64_t started_ns;		/* tells one process of a slot from the next */
	uint64_t requests[HISTORY_SPANS], refused[HISTORY_SPANS], busy_ns[HISTORY_SPANS];
	uint32_t restarts;
};

static struct {
	struct loop *loop;
	struct table *table;
	struct timer tick;
	struct record_server *server;	/* [max_servers] */
	struct record_pool *pool;	/* [max_pools] */
	struct record_worker *worker;	/* [max_workers] */
	uint64_t step[HISTORY_SPANS];	/* under way */
	uint64_t base_ns[HISTORY_SPANS];/* when its figures were taken */
	uint64_t accepted[HISTORY_SPANS];
	uint32_t generation;
} rec;

static uint64_t get(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint32_t get32(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint32_t used_servers(void)
{
	uint32_t n = atomic_load_explicit(&rec.table->inst->servers, memory_order_acquire);

	return n < rec.table->max_servers ? n : rec.table->max_servers;
}

static uint32_t used_pools(void)
{
	uint32_t n = atomic_load_explicit(&rec.table->inst->pools, memory_order_acquire);

	return n < rec.table->max_pools ? n : rec.table->max_pools;
}

static bool is_used(const _Atomic uint32_t *used)
{
	return atomic_load_explicit(used, memory_order_acquire) != 0;
}

/* ---- events ---- */

static void tell(uint32_t row, enum history_state from, enum history_state to, uint64_t at_ns)
{
	const struct shm_health *h = &rec.table->health[row];
	uint32_t why = 0;

	if (to == HISTORY_DOWN) {
		why = get32(&h->down_outcome);
		if (get32(&h->outcome) == why)
			why |= get32(&h->status) << 8;
	} else if (to == HISTORY_EJECTED)
		why = get32(&h->eject_reason);
	history_add_event(rec.table, &(struct history_event){ .kind = HISTORY_SERVER, .at_ns = at_ns, .row = row,
	    .identity = rec.server[row].identity, .from = from, .to = to, .why = why });
}

/* What has become of its state since the last look; one that went and came back in between is told too. */
static void look_at_state(uint32_t row, uint64_t now_ns)
{
	struct record_server *s = &rec.server[row];
	const struct shm_health *h = &rec.table->health[row];
	enum history_state state = history_state_of(rec.table, row), before = s->state;
	uint64_t since_ns = get(&h->since_ns), at_ns = now_ns;
	bool by_hand = state == HISTORY_DRAIN || state == HISTORY_MAINT || before == HISTORY_DRAIN || before == HISTORY_MAINT;

	if (by_hand)
		at_ns = get(&rec.table->server[row].admin_ns);
	else if (state == HISTORY_UP && before == HISTORY_EJECTED)
		at_ns = get(&h->up_since_ns);
	else if (state != HISTORY_EJECTED)
		at_ns = since_ns;
	if (at_ns == 0 || at_ns > now_ns)
		at_ns = now_ns;
	if (before == state && !by_hand && since_ns != s->since_ns && (state == HISTORY_UP || state == HISTORY_DOWN))
		before = state == HISTORY_UP ? HISTORY_DOWN : HISTORY_UP;
	if (before != state && before != HISTORY_GONE)
		tell(row, before, state, at_ns);
	s->state = state;
	s->since_ns = since_ns;
}

static void look_at_instance(uint64_t now_ns)
{
	uint32_t generation = get32(&rec.table->inst->generation);

	if (generation && generation != rec.generation)
		history_add_event(rec.table, &(struct history_event){ .kind = HISTORY_RELOAD, .at_ns = now_ns, .value = generation });
	rec.generation = generation;
	for (uint32_t slot = 1; slot < rec.table->max_workers; slot++) {
		uint32_t restarts = get32(&rec.table->worker[slot].restarts);

		if (restarts > rec.worker[slot].restarts)
			history_add_event(rec.table, &(struct history_event){ .kind = HISTORY_WORKER, .at_ns = now_ns, .row = slot });
		rec.worker[slot].restarts = restarts;
	}
}

/* ---- servers and pools ---- */

static void take_figures(uint32_t row, struct record_figures *f)
{
	struct shm_load sum;
	struct view_load l;

	memset((void *)&sum, 0, sizeof sum);
	table_sum_cell(rec.table, row, &sum);
	memcpy(&l, (const void *)&sum, sizeof l);
	f->requests = view_requests(&l);
	f->errors = view_errors(&l);
	for (unsigned b = 0; b < SHM_LATENCY_BUCKETS; b++)
		f->latency[b] = (uint32_t)l.latency[b];
}

/* Whose past it is, and as far as there is one, how the server was when it was seen last. */
static void meet(uint32_t row, uint64_t identity)
{
	struct record_server *s = &rec.server[row];
	struct shm_past *past = row < rec.table->history_servers ? &rec.table->past_server[row] : NULL;
	struct history_point p;

	memset(s, 0, sizeof *s);
	s->identity = identity;
	s->since_ns = get(&rec.table->health[row].since_ns);
	take_figures(row, &s->now);
	for (unsigned span = 0; span < HISTORY_SPANS; span++)
		s->base[span] = s->now;
	if (!past)
		return;
	if (get(&past->identity) != identity)
		history_adopt(past, identity);
	for (unsigned back = 1; back < 30 && s->state == HISTORY_GONE && back < rec.step[0]; back++)
		if (history_has(rec.table, HISTORY_MINUTES, rec.step[0] - back) &&
		    history_read_flow(past, HISTORY_MINUTES, rec.step[0] - back, &p))
			s->state = p.state;
}

/* Once a look: what there is now. */
static void look_at_server(uint32_t row, uint64_t now_ns)
{
	struct record_server *s = &rec.server[row];
	uint64_t identity = history_identity_server(rec.table, row), dispatched, inflight;

	if (identity != s->identity)
		meet(row, identity);
	dispatched = table_sum_dispatched(rec.table, row);
	inflight = table_sum_inflight(rec.table, row);
	if (dispatched != s->dispatched || inflight || s->inflight)
		take_figures(row, &s->now);
	s->dispatched = dispatched;
	s->inflight = inflight;
	look_at_state(row, now_ns);
	for (unsigned span = 0; span < HISTORY_SPANS; span++) {
		if (s->state > s->worst[span])
			s->worst[span] = s->state;
		if (inflight > s->most[span])
			s->most[span] = inflight;
	}
}

static void quantiles(struct history_point *p, const uint64_t latency[static SHM_LATENCY_BUCKETS])
{
	p->p50_ns = view_quantile(latency, 0.5);
	p->p90_ns = view_quantile(latency, 0.9);
	p->p99_ns = view_quantile(latency, 0.99);
}

static double per_second(uint64_t now, uint64_t before, double s)
{
	return now > before ? (double)(now - before) / s : 0;
}

static void write_server(uint32_t row, unsigned span, uint64_t n, double seconds)
{
	struct record_server *s = &rec.server[row];
	struct record_figures *base = &s->base[span];
	uint32_t pool = rec.table->server[row].pool;
	uint64_t latency[SHM_LATENCY_BUCKETS];
	struct history_point p = { .state = s->worst[span], .inflight = (double)s->most[span] };

	p.requests = per_second(s->now.requests, base->requests, seconds);
	p.errors = per_second(s->now.errors, base->errors, seconds);
	for (unsigned b = 0; b < SHM_LATENCY_BUCKETS; b++)
		latency[b] = s->now.latency[b] - base->latency[b];
	if (row < rec.table->history_servers) {
		if (p.requests > 0)
			quantiles(&p, latency);
		history_write_flow(&rec.table->past_server[row], span, n, &p);
	}
	if (pool < rec.table->max_pools) {
		struct record_pool *sum = &rec.pool[pool];

		sum->requests += p.requests;
		sum->errors += p.errors;
		sum->inflight += p.inflight;
		sum->up += s->state == HISTORY_UP;
		for (unsigned b = 0; b < SHM_LATENCY_BUCKETS; b++)
			sum->latency[b] += latency[b];
	}
	*base = s->now;
	s->worst[span] = HISTORY_GONE;
	s->most[span] = 0;
}

static void write_pool(uint32_t row, unsigned span, uint64_t n)
{
	struct record_pool *sum = &rec.pool[row];
	struct shm_past *past = &rec.table->past_pool[row];
	uint64_t identity = history_identity_pool(rec.table, row);
	struct history_point p = { .requests = sum->requests, .errors = sum->errors, .inflight = sum->inflight, .up = sum->up };

	if (get(&past->identity) != identity)
		history_adopt(past, identity);
	for (uint32_t slot = table_next_live(rec.table, 0); slot < rec.table->max_workers; slot = table_next_live(rec.table, slot + 1))
		p.waiting += get32(&table_queue(rec.table, slot)[row].waiting);
	quantiles(&p, sum->latency);
	history_write_flow(past, span, n, &p);
}

/* ---- workers ---- */

static void write_worker(uint32_t slot, unsigned span, uint64_t n, double seconds, uint32_t servers, struct history_point *all)
{
	const struct shm_worker *w = &rec.table->worker[slot];
	struct record_worker *r = &rec.worker[slot];
	uint64_t requests = get(&w->requests), refused = get(&w->refused), busy_ns = get(&w->busy_ns);
	struct history_point p = { .clients = get32(&w->active), .idle = get32(&w->idle_upstreams), .lag_ns = (double)get(&w->loop_lag_ns) };

	if (r->started_ns != get(&w->started_ns)) {	/* another process: it counts from nothing */
		memset(r, 0, sizeof *r);
		r->started_ns = get(&w->started_ns);
		r->restarts = get32(&w->restarts);
	}
	p.requests = per_second(requests, r->requests[span], seconds);
	p.errors = per_second(refused, r->refused[span], seconds);
	p.busy = per_second(busy_ns, r->busy_ns[span], seconds) / 1e9;
	if (p.busy > 1)
		p.busy = 1;
	for (uint32_t row = 0; row < servers; row++)
		p.inflight += get32(&table_inflight(rec.table, slot)[row]);
	r->requests[span] = requests;
	r->refused[span] = refused;
	r->busy_ns[span] = busy_ns;
	history_write_worker(&rec.table->past_worker[slot], span, n, &p);
	all->clients += p.clients;
	all->inflight += p.inflight;
	all->idle += p.idle;
}

static void write_workers(unsigned span, uint64_t n, double seconds, uint32_t servers)
{
	uint64_t accepted = get(&rec.table->inst->accepted);
	struct history_point all = { .requests = per_second(accepted, rec.accepted[span], seconds) };

	rec.accepted[span] = accepted;
	for (uint32_t slot = table_next_live(rec.table, 1); slot < rec.table->max_workers; slot = table_next_live(rec.table, slot + 1))
		write_worker(slot, span, n, seconds, servers, &all);
	history_write_worker(&rec.table->past_worker[0], span, n, &all);
}

/* ---- once a second ---- */

static void write_step(unsigned span, uint64_t n, uint64_t now_ns)
{
	uint32_t servers = used_servers(), pools = used_pools();
	double seconds = (double)(now_ns - rec.base_ns[span]) / 1e9;

	history_begin(rec.table, span, n);
	memset(rec.pool, 0, pools * sizeof *rec.pool);
	for (uint32_t row = 0; row < servers; row++)
		if (rec.server[row].identity)
			write_server(row, span, n, seconds);
	for (uint32_t row = 0; row < pools; row++)
		if (is_used(&rec.table->pool[row].used))
			write_pool(row, span, n);
	write_workers(span, n, seconds, servers);
	history_end(rec.table, span, n);
	rec.base_ns[span] = now_ns;
}

static void look(uint64_t now_ns)
{
	uint32_t servers = used_servers();

	for (uint32_t row = 0; row < servers; row++) {
		if (is_used(&rec.table->server[row].used))
			look_at_server(row, now_ns);
		else
			rec.server[row].identity = 0;
	}
}

static void on_tick(struct timer *t)
{
	uint64_t now_ns = loop_clock_ns();

	timer_set(&rec.loop->wheel, t, (now_ns / SECOND_NS + 1) * SECOND_NS);
	look(now_ns);
	look_at_instance(now_ns);
	for (unsigned span = 0; span < HISTORY_SPANS; span++) {
		uint64_t step = history_step(span, now_ns);

		if (step == rec.step[span] || now_ns == rec.base_ns[span])
			continue;
		write_step(span, step - 1, now_ns);
		/* On a machine that is busy we come late now and then: no reason for holes. A longer absence shows. */
		for (uint64_t missed = rec.step[span]; step - missed <= RECORD_LATE && missed + 1 < step; missed++)
			history_repeat(rec.table, span, step - 1, missed);
		rec.step[span] = step;
	}
}

/* The last generation that a predecessor has told of. */
static uint32_t told_generation(void)
{
	struct history_event e;

	for (uint64_t n = get(&rec.table->history->events), i = 0; n > i && i < SHM_HISTORY_EVENTS; i++)
		if (history_read_event(rec.table, n - i, &e) && e.kind == HISTORY_RELOAD)
			return e.value;
	return 0;
}

int record_start(struct loop *loop, struct table *table)
{
	uint64_t now_ns = loop_clock_ns();

	rec.loop = loop;
	rec.table = table;
	rec.tick.cb = on_tick;
	rec.server = calloc(table->max_servers, sizeof *rec.server);
	rec.pool = calloc(table->max_pools, sizeof *rec.pool);
	rec.worker = calloc(table->max_workers, sizeof *rec.worker);
	if (!rec.server || !rec.pool || !rec.worker)
		return -1;
	rec.generation = told_generation();
	for (unsigned span = 0; span < HISTORY_SPANS; span++) {
		rec.step[span] = history_step(span, now_ns);
		rec.base_ns[span] = now_ns;
		rec.accepted[span] = get(&table->inst->accepted);
	}
	for (uint32_t slot = 1; slot < table->max_workers; slot++) {
		const struct shm_worker *w = &table->worker[slot];
		struct record_worker *r = &rec.worker[slot];

		r->started_ns = get(&w->started_ns);
		r->restarts = get32(&w->restarts);
		for (unsigned span = 0; span < HISTORY_SPANS; span++) {
			r->requests[span] = get(&w->requests);
			r->refused[span] = get(&w->refused);
			r->busy_ns[span] = get(&w->busy_ns);
		}
	}
	look(now_ns);
	timer_set(&loop->wheel, &rec.tick, (now_ns / SECOND_NS + 1) * SECOND_NS);
	return 0;
}
