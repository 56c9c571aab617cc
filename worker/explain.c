/* Choices, written down for people. Worker only. */
#include "worker/explain.h"

#include <string.h>

uint64_t explain_next_ns[2];

/* What is shown of those that were not compared, at most, when there is more to show than room. */
#define PASSED_OVER 3

static uint32_t get32(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void put32(_Atomic uint32_t *w, uint32_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

static uint32_t whole(float f)
{
	return f <= 0 ? 0 : f >= 4e9f ? UINT32_MAX : (uint32_t)f;
}

/* How a server stands that was not compared, as far as can be seen now. */
static enum shm_standing standing(const struct pool *p, const struct ask *ask, unsigned i, uint16_t how)
{
	const struct server *s = &p->server[i];
	uint32_t admin = get32(&s->row->admin), verdict = get32(&s->health->verdict), most = get32(&s->row->maxconn);

	if (admin != SHM_READY)
		return admin == SHM_DRAIN ? SHM_STOOD_DRAIN : SHM_STOOD_MAINT;
	if (choose_was_tried(ask->tried, i))
		return SHM_STOOD_TRIED;
	if (verdict == SHM_DOWN || (s->down && get32(&s->health->gen) == s->down_gen))
		return SHM_STOOD_DOWN;
	if (verdict == SHM_UNKNOWN)
		return SHM_STOOD_UNPROBED;
	if (atomic_load_explicit(&s->health->ejected_until_ns, memory_order_relaxed))
		return SHM_STOOD_EJECTED;
	if (get32(&s->row->weight) == 0)
		return SHM_STOOD_WEIGHT;
	if (s->conf->backup && !(how & SHM_HOW_BACKUP))
		return SHM_STOOD_SPARE;
	return most && table_sum_inflight(worker.table, s->conf->row) >= most ? SHM_STOOD_FULL : SHM_STOOD_COMPARED;
}

static void write_candidate(struct shm_choice *to, unsigned at, const struct server *s, enum shm_standing stood,
    const struct balance_said *said, bool ours)
{
	struct shm_candidate *c = &to->of[at];
	const struct learned *l = &said->look.learned;
	uint32_t figure, weight = get32(&s->row->weight), outcome = 0;
	uint64_t inflight = table_sum_inflight(worker.table, s->conf->row);

	memcpy(&figure, &said->figure, sizeof figure);
	/* A finding of ours that health has not heard of yet has its reason in our cell. */
	if (stood == SHM_STOOD_DOWN && get32(&s->health->verdict) == SHM_DOWN)
		outcome = get32(&s->health->down_outcome);
	else if (stood == SHM_STOOD_DOWN || (stood == SHM_STOOD_TRIED && s->down))
		outcome = get32(s->passive) & 0xff;
	put32(&c->server, s->conf->row);
	put32(&c->inflight, (uint32_t)(inflight - (ours && inflight)));
	put32(&c->figure, figure);
	put32(&c->latency_us, l->answers > 0 ? whole(l->sum_us / l->answers) : 0);
	put32(&c->silent_us, whole(l->silent_us));
	put32(&c->weight, (weight & 0xffff) | (said->look.weight ? whole(100 * said->look.ramp) : 100) << 16);
	put32(&c->errors, (l->ends > 0 ? whole(1000 * l->errors / l->ends) & 0xffff : 0) | whole(l->streak) << 16);
	put32(&c->standing, (uint32_t)stood | outcome << 8);
}

/* Those that were passed over, into places at..SHM_CHOICE_SHOWN: what the request itself met first, then what is rare. */
static unsigned write_passed(struct pool *p, const struct ask *ask, uint16_t how, struct shm_choice *to, unsigned at)
{
	static const enum shm_standing order[] = {
		SHM_STOOD_TRIED, SHM_STOOD_FULL, SHM_STOOD_EJECTED, SHM_STOOD_DOWN, SHM_STOOD_DRAIN, SHM_STOOD_MAINT,
		SHM_STOOD_WEIGHT, SHM_STOOD_UNPROBED, SHM_STOOD_SPARE,
	};
	unsigned first[SHM_STOOD_COUNT][SHM_CHOICE_SHOWN], n[SHM_STOOD_COUNT] = { 0 };

	for (unsigned i = 0; i < p->conf->nservers; i++) {
		enum shm_standing is = standing(p, ask, i, how);
		if (is != SHM_STOOD_COMPARED && n[is] < SHM_CHOICE_SHOWN)
			first[is][n[is]++] = i;
	}
	for (unsigned k = 0; k < sizeof order / sizeof *order; k++)
		for (unsigned i = 0; i < n[order[k]] && at < SHM_CHOICE_SHOWN; i++) {
			unsigned server = first[order[k]][i];
			bool there = false;
			for (unsigned j = 0; j < at && !there; j++)
				there = get32(&to->of[j].server) == p->server[server].conf->row;
			if (!there)
				write_candidate(to, at++, &p->server[server], order[k], &(struct balance_said){ 0 }, false);
		}
	return at;
}

static unsigned count_passed(struct pool *p, const struct ask *ask, uint16_t how)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->conf->nservers && n < PASSED_OVER; i++)
		n += standing(p, ask, i, how) != SHM_STOOD_COMPARED;
	return n;
}

void explain_choice(struct pool *p, const struct server *s, const struct ask *ask, struct choice *c,
    const struct balance_told *told)
{
	bool special = c->how != 0;
	struct shm_choices *all = &worker.table->choices[worker.slot];
	uint64_t written = atomic_load_explicit(&all->written[special], memory_order_relaxed);
	struct shm_choice *to = &all->ring[special][written % SHM_CHOICES];
	uint32_t seq = get32(&to->seq) | 1;	/* a predecessor that died in the middle left it odd: stay odd until done */
	unsigned chosen = (unsigned)(s - p->server), room = SHM_CHOICE_SHOWN - count_passed(p, ask, c->how), at = 1;
	struct balance_said none = { .i = chosen };
	const struct balance_said *said = &none;

	explain_next_ns[special] = state_now() + EXPLAIN_NS;
	put32(&to->seq, seq);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < told->n; i++)
		if (told->of[i].i == chosen)
			said = &told->of[i];
	write_candidate(to, 0, s, SHM_STOOD_COMPARED, said, true);
	for (unsigned i = 0; i < told->n && at < room; i++) {
		const struct server *o = &p->server[told->of[i].i];
		if (o == s)
			continue;
		/* On a key's way those come first that could not have it. */
		enum shm_standing stood = standing(p, ask, told->of[i].i, c->how);
		if (stood == SHM_STOOD_COMPARED && c->rule == SHM_RULE_HASH_NEXT)
			stood = SHM_STOOD_OVER;
		write_candidate(to, at++, o, stood, &told->of[i], false);
	}
	at = write_passed(p, ask, c->how, to, at);
	put32(&to->pool, p->conf->row);
	put32(&to->rule, c->rule | (uint32_t)c->how << 8);
	put32(&to->tried, ask->tried->n);
	put32(&to->compared, told->compared);
	put32(&to->servers, p->conf->nservers);
	put32(&to->shown, at);
	put32(&to->waited_us, ask->waited_us);
	c->place = (uint32_t)(written % SHM_CHOICES);
	c->number = written + atomic_load_explicit(&all->written[!special], memory_order_relaxed) + 1;
	atomic_store_explicit(&to->number, c->number, memory_order_relaxed);
	atomic_store_explicit(&to->at_ns, loop_clock_ns(), memory_order_relaxed);
	atomic_store_explicit(&to->seq, seq + 1, memory_order_release);
	atomic_store_explicit(&all->written[special], written + 1, memory_order_release);
}
