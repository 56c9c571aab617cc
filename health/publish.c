/*
 * Writing the health rows. One writer, so plain loads of our own words and relaxed stores will do;
 * `gen` is stored last, with release, and says that the first line is whole.
 */
#include "health/publish.h"

#include "health/join.h"

static uint64_t get(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint32_t get32(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void set(_Atomic uint64_t *w, uint64_t n)
{
	atomic_store_explicit(w, n, memory_order_relaxed);
}

static void set32(_Atomic uint32_t *w, uint32_t n)
{
	atomic_store_explicit(w, n, memory_order_relaxed);
}

/*
 * A sum over columns, taken again while the supervisor moves a column's counters into its own: in
 * the middle of that they stand in two places or in none. Bounded, for a supervisor that died there.
 */
static void steady_sums(const struct table *t, uint32_t row, uint64_t *dispatched, uint64_t *inflight)
{
	for (int attempt = 0; attempt < 1000; attempt++) {
		uint32_t seq = atomic_load_explicit(&t->inst->fold_seq, memory_order_acquire);

		/* In this order, so that a request that starts in between is taken as not finished. */
		*dispatched = table_sum_dispatched(t, row);
		*inflight = table_sum_inflight(t, row);
		atomic_thread_fence(memory_order_acquire);
		if (!(seq & 1) && get32(&t->inst->fold_seq) == seq)
			return;
	}
}

uint64_t publish_dispatched(const struct table *t, uint32_t row)
{
	uint64_t dispatched = 0, inflight = 0;

	steady_sums(t, row, &dispatched, &inflight);
	return dispatched;
}

uint64_t publish_finished(const struct table *t, uint32_t row)
{
	uint64_t dispatched = 0, inflight = 0;

	steady_sums(t, row, &dispatched, &inflight);
	return dispatched > inflight ? dispatched - inflight : 0;
}

void publish_recall(const struct table *t, uint32_t row, struct verdict *v)
{
	const struct shm_health *h = &t->health[row];

	*v = (struct verdict){ .now = get32(&h->verdict), .in_a_row = get32(&h->in_a_row) };
	if (v->now != SHM_UP && v->now != SHM_DOWN)
		*v = (struct verdict){ .now = SHM_UNKNOWN };
}

void publish_row(struct table *t, uint32_t row, const struct publish_news *n)
{
	struct shm_health *h = &t->health[row];
	uint32_t before = get32(&h->verdict), now = n->verdict->now;

	set32(&h->outcome, n->outcome);
	set32(&h->status, n->status);
	set32(&h->in_a_row, n->verdict->in_a_row);
	if (n->probed) {
		set(&h->probed_ns, n->now_ns);
		set(&h->probe_latency_ns, n->latency_ns);
		set(&h->probes, get(&h->probes) + 1);
		if (n->outcome != SHM_OUT_OK)
			set(&h->probes_failed, get(&h->probes_failed) + 1);
	}
	if (n->figures) {
		set(&h->entries, n->entries);
		set(&h->errors, n->errors);
		set(&h->base, n->base);
	}
	if (now != before) {
		if (before == SHM_DOWN)
			set(&h->down_ns, get(&h->down_ns) + (n->now_ns - get(&h->since_ns)));
		if (now == SHM_DOWN)
			set32(&h->down_outcome, n->outcome);
		set(&h->since_ns, n->now_ns);
		if (now == SHM_UP)
			set(&h->up_since_ns, n->now_ns);
		set32(&h->verdict, now);
	}
	atomic_store_explicit(&h->gen, get32(&h->gen) + 1, memory_order_release);
}

void publish_eject(struct table *t, uint32_t row, uint64_t until_ns, uint32_t reason, uint64_t now_ns)
{
	struct shm_health *h = &t->health[row];

	if (until_ns) {
		set32(&h->eject_reason, reason);
		set32(&h->ejections, get32(&h->ejections) + 1);
		set32(&h->ejected_s, (uint32_t)(now_ns / 1000000000));
	} else
		set(&h->up_since_ns, now_ns);
	set(&h->ejected_until_ns, until_ns);
}

uint64_t publish_turns(const struct table *t, uint32_t row)
{
	/* wraps on purpose: join may stand for a negative number */
	return publish_dispatched(t, row) + get(&t->health[row].join);
}

void publish_join(struct table *t, uint32_t row, uint64_t turns, uint32_t weight, bool credit)
{
	struct shm_health *h = &t->health[row];
	uint64_t dispatched = publish_dispatched(t, row), start = JOIN_START * weight;

	set(&h->join, turns - dispatched);
	if (credit) {
		set(&h->entries, turns > start ? turns - start : 0);
		set(&h->errors, 0);
		set(&h->base, dispatched);
	}
}

void publish_target(struct table *t, uint32_t pool, uint64_t target)
{
	set(&t->pool[pool].round_target, target);
}

void publish_round(struct table *t, uint32_t pool)
{
	_Atomic uint64_t *rounds = &t->pool[pool].rounds;

	atomic_store_explicit(rounds, get(rounds) + 1, memory_order_release);
}

void publish_unresolved(struct table *t, uint32_t pool, uint64_t since_ns)
{
	set(&t->pool[pool].unresolved_ns, since_ns);
}
