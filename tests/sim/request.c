/* Requests, servers with their queues, and how balancers see them. */
#include "tests/sim/inside.h"

#include <math.h>
#include <stdlib.h>

#define NOTICE_NS (100 * SIM_MS)	/* until probes see that a server is there again, or is not */
#define QUEUE_TIMEOUT_NS (5 * SIM_S)	/* as the defaults of a configuration */
#define QUEUE_INTERVAL_NS (100 * SIM_MS)

static bool chance(struct sim *s, double p)
{
	return p > 0 && (double)(balance_draw(&s->rng) >> 11) * 0x1p-53 < p;
}

/* ---- choosing ---- */

/* Whether the balancer gives it another one; limits are the one balancer's that there is in scenarios with limits. */
static bool has_room(const struct sim *s, uint32_t i, unsigned b)
{
	return !s->policy->limits || s->server[i].inflight[b] < s->in->limit[i].limit;
}

/* What a worker's callback does: worker/choose.c. */
static bool look(void *arg, uint32_t i, struct balance_look *k)
{
	struct sim *s = arg;
	struct sim_server *v = &s->server[i];
	unsigned b = s->in->balancer;
	uint64_t up = s->now_ns - v->up_since_ns;

	if (!v->up || (int32_t)i == s->in->tried || !has_room(s, i, b))
		return false;
	*k = (struct balance_look){ .inflight = v->inflight[b], .weight = v->weight };
	k->ramp = v->up_since_ns == 0 || up >= BALANCE_RAMP_NS ? 1 : (float)up / (float)BALANCE_RAMP_NS;
	struct learn_waiting w = { 0 };
	learn_add_past(&v->learn[b], s->now_ns, v->up_since_ns, &k->learned);
	learn_add_waiting(&v->learn[b], &w);
	learn_summed(&w, s->now_ns, &k->learned);
	return true;
}

static int choose(struct sim *s, unsigned b, int32_t tried)
{
	struct sim_inside *in = s->in;
	unsigned needs;
	int i;

	in->balancer = b;
	in->tried = tried;
	if (s->policy->pick) {
		i = s->policy->pick(s, b);
		return i;
	}
	needs = in->algorithm->needs;
	if (!(needs & BALANCE_LEARNED)) {
		for (unsigned k = 0; k < s->n; k++) {
			in->usable[k] = s->server[k].up && (int32_t)k != tried && has_room(s, k, b);
			in->weight[k] = s->server[k].weight;
			in->inflight[k] = s->server[k].inflight[b];
			in->turns[k] = in->entries[k] = s->server[k].turns;
		}
	}
	struct balance_view v = {
		.n = s->n, .usable = in->usable, .weight = in->weight, .inflight = in->inflight, .entries = in->entries,
		.errors = in->errors, .turns = in->turns, .rng = &s->rng, .look = look, .look_arg = s,
	};
	return in->algorithm->pick(&v);
}

/* ---- requests and servers ---- */

static void forget(struct sim_inside *in, struct request *q)
{
	q->serial = 0;
	q->next = in->free;
	in->free = (uint32_t)(q - in->request);
}

/* A request that begins; what is not set here is as in the one that it is a copy of. */
static uint32_t new_request(struct sim_inside *in, struct request q)
{
	uint32_t r = in->free;

	if (r == NONE) {
		r = in->nrequests++;
		if ((r & (r - 1)) == 0)
			in->request = sim_need(realloc(in->request, (r ? 2 * (size_t)r : 1) * sizeof *in->request));
	} else
		in->free = in->request[r].next;
	q.serial = ++in->serial;
	q.next = NONE;
	in->request[r] = q;
	return r;
}

static void finished(struct sim *s, struct request *q, bool failed)
{
	struct sim_inside *in = s->in;

	if (in->nsamples == in->sample_room) {
		in->sample_room = in->sample_room ? 2 * in->sample_room : 4096;
		in->sample = sim_need(realloc(in->sample, in->sample_room * sizeof *in->sample));
	}
	in->sample[in->nsamples++] = (struct sample){ q->begun_ns, (float)((double)(s->now_ns - q->begun_ns) / 1e6), failed };
	forget(in, q);
}

static void serve(struct sim *s, struct sim_server *v, uint32_t r)
{
	struct request *q = &s->in->request[r];
	double ms;

	v->busy++;
	q->line = false;
	q->served = true;
	q->epoch = v->epoch;
	q->fails = chance(s, v->fail_share);
	if (q->fails)
		ms = v->fail_ms;
	else if (chance(s, v->slow_share))
		ms = sim_exponential(s, v->slow_ms);
	else
		ms = v->fixed_ms > 0 ? v->fixed_ms : sim_exponential(s, v->mean_ms);
	sim_schedule(s, s->now_ns + (uint64_t)(ms * 1e6), DONE, r, v->epoch, q->serial);
}

static void ask(struct sim *s, uint32_t r);

/* The next one in a server's queue has its slot. */
static void next_served(struct sim *s, struct sim_server *v)
{
	uint32_t r = v->queue_first;

	if (r == NONE || (v->slots && v->busy >= v->slots))
		return;
	v->queue_first = s->in->request[r].next;
	serve(s, v, r);
}

static void unlink_from(struct sim *s, struct sim_server *v, uint32_t r)
{
	struct sim_inside *in = s->in;
	uint32_t *p = &v->queue_first, last = NONE;

	while (*p != NONE && *p != r) {
		last = *p;
		p = &in->request[*p].next;
	}
	if (*p == NONE)
		return;
	*p = in->request[r].next;
	if (v->queue_last == r)
		v->queue_last = last;
}

/* The other one of a pair has been answered: what this one's server does for it is called off. */
static void call_off(struct sim *s, uint32_t r)
{
	struct request *q = &s->in->request[r];
	struct sim_server *v = &s->server[q->server];
	struct shm_learn *l = &v->learn[q->balancer];

	v->inflight[q->balancer]--;
	learn_left(l, q->asked_ns);
	learn_gone(l, v->up_since_ns, s->now_ns, s->now_ns - q->asked_ns);
	if (!q->copy)
		quantile_learn(&s->in->late[q->balancer], s->now_ns - q->asked_ns);
	if (q->line)
		unlink_from(s, v, r);
	else if (q->served && q->epoch == v->epoch) {
		v->busy--;
		next_served(s, v);
	}
	forget(s->in, q);
}

/* The server's answer has come, or it is known that none will. */
static void answered(struct sim *s, uint32_t r, bool failed)
{
	struct sim_inside *in = s->in;
	struct request *q = &in->request[r];
	struct sim_server *v = &s->server[q->server];
	struct shm_learn *l = &v->learn[q->balancer];

	v->inflight[q->balancer]--;
	learn_left(l, q->asked_ns);
	if (failed)
		learn_error(l, v->up_since_ns, s->now_ns, s->now_ns - q->asked_ns);
	else
		learn_answer(l, v->up_since_ns, s->now_ns, s->now_ns - q->asked_ns);
	in->limit[q->server].failed += failed;
	if (!failed) {
		in->limit[q->server].answers++;
		in->limit[q->server].latency_ns += s->now_ns - q->asked_ns;
		if (!q->copy)
			quantile_learn(&in->late[q->balancer], s->now_ns - q->asked_ns);
	}
	if (q->twin != NONE) {
		uint32_t twin = q->twin;

		in->request[twin].twin = NONE;
		if (failed) {	/* the other one may do better */
			forget(in, q);
			return;
		}
		call_off(s, twin);
		q = &in->request[r];
	}
	if (failed && q->tries < s->policy->retries && in->budget >= 1) {
		in->budget--;
		q->tries++;
		q->tried = (int32_t)q->server;
		q->serial = ++in->serial;
		ask(s, r);
		return;
	}
	finished(s, q, failed);
}

static void push(struct sim *s, uint32_t *first, uint32_t *last, uint32_t r)
{
	s->in->request[r].next = NONE;
	if (*first == NONE)
		*first = r;
	else
		s->in->request[*last].next = r;
	*last = r;
}

/* The optimum: knows all, waits only where every sound server is full. */
static int sound(const struct sim *s)
{
	double least = 1e9;
	int best = -1;

	for (unsigned i = 0; i < s->n; i++) {
		const struct sim_server *v = &s->server[i];
		double cost = v->mean_ms + v->fixed_ms + 1e3 * v->fail_share + v->slow_share * v->slow_ms;

		if (v->gone || (v->slots && v->busy >= v->slots) || cost >= least)
			continue;
		least = cost;
		best = (int)i;
	}
	/* One that takes a second waits for a better one. */
	return least < 150 ? best : -1;
}

static void give(struct sim *s, uint32_t r, uint32_t i)
{
	struct request *q = &s->in->request[r];
	struct sim_server *v = &s->server[i];

	uint64_t late = quantile_ns(&s->in->late[q->balancer]);

	q->server = i;
	q->asked_ns = s->now_ns;
	q->line = q->served = false;
	if (s->policy->hedge && late && !q->copy && q->tries == 0)
		sim_schedule(s, s->now_ns + late, LATE, r, 0, q->serial);
	v->inflight[q->balancer]++;
	learn_asked(&v->learn[q->balancer], s->now_ns);
	v->turns++;
	v->got++;
	if (v->gone)		/* refused at once; the worker says so at once */
		answered(s, r, true);
	else if (v->slots && v->busy >= v->slots) {
		q->line = true;
		push(s, &v->queue_first, &v->queue_last, r);
	} else
		serve(s, v, r);
}

/* ---- the line before servers with limits: worker/queue.c ---- */

static void waited(struct sim *s, uint64_t wait_ns)
{
	uint64_t target = s->policy->target_ns;

	if (wait_ns < (s->in->shedding ? target / 2 : target)) {
		s->in->low_ns = s->now_ns;
		s->in->shedding = false;
	}
}

static void join(struct sim *s, uint32_t r)
{
	struct sim_inside *in = s->in;

	if (in->first == NONE) {
		in->low_ns = s->now_ns;
		in->shedding = false;
	}
	push(s, &in->first, &in->last, r);
}

static void move_on(struct sim *s)
{
	struct sim_inside *in = s->in;

	while (in->first != NONE) {
		uint32_t r = in->first;
		struct request *q = &in->request[r];
		int i = s->policy->central ? sound(s) : choose(s, q->balancer, q->tried);

		if (i < 0)
			break;
		in->first = q->next;
		waited(s, s->now_ns - q->begun_ns);
		give(s, r, (uint32_t)i);
	}
}

static void send_away(struct sim *s, uint64_t waited_ns)
{
	struct sim_inside *in = s->in;

	while (in->first != NONE && s->now_ns - in->request[in->first].begun_ns > waited_ns) {
		struct request *q = &in->request[in->first];

		in->first = q->next;
		finished(s, q, true);
	}
}

void request_tick(struct sim *s)
{
	struct sim_inside *in = s->in;

	if (!s->policy->limits)
		return;
	if (s->now_ns >= in->limit_ns) {
		for (unsigned i = 0; i < s->n; i++)
			limit_look(&in->limit[i], s->now_ns);
		in->limit_ns = s->now_ns + LIMIT_LOOK_NS;
	}
	move_on(s);
	send_away(s, QUEUE_TIMEOUT_NS);
	if (s->policy->target_ns && in->first != NONE && s->now_ns - in->low_ns >= QUEUE_INTERVAL_NS)
		in->shedding = true;
	if (in->shedding)
		send_away(s, s->policy->target_ns);
}

/* ---- beginning and end ---- */

static void ask(struct sim *s, uint32_t r)
{
	struct sim_inside *in = s->in;
	struct request *q = &in->request[r];
	int i = in->first != NONE ? -1 : s->policy->central ? sound(s) : choose(s, q->balancer, q->tried);

	if (i >= 0)
		give(s, r, (uint32_t)i);
	else if (s->policy->central || s->policy->limits)
		join(s, r);
	else
		finished(s, q, true);
}

void request_arrive(struct sim *s)
{
	struct sim_inside *in = s->in;

	sim_schedule(s, s->now_ns + (uint64_t)(sim_exponential(s, 1e9 / s->rate)), ARRIVE, 0, 0, 0);
	if (in->budget < 100)
		in->budget += 0.2;
	ask(s, new_request(in, (struct request){ .begun_ns = s->now_ns, .tried = -1, .twin = NONE,
	    .balancer = (uint8_t)balance_below(&s->rng, s->balancers) }));
}

void request_done(struct sim *s, const struct event *e)
{
	struct request *q = &s->in->request[e->what];
	struct sim_server *v = &s->server[q->server];

	if (q->serial != e->serial)	/* called off */
		return;
	if (v->epoch != e->epoch) {	/* it died meanwhile */
		answered(s, e->what, true);
		return;
	}
	v->busy--;
	answered(s, e->what, q->fails);
	next_served(s, v);
	move_on(s);
}

/* It has waited longer than 95 of 100 do: worker/hedge.c. */
void request_late(struct sim *s, const struct event *e)
{
	struct sim_inside *in = s->in;
	struct request *q = &in->request[e->what];
	uint32_t copy;
	int i;

	if (q->serial != e->serial || q->twin != NONE || in->budget < 1 || in->first != NONE)
		return;
	i = choose(s, q->balancer, (int32_t)q->server);
	if (i < 0)
		return;
	in->budget--;
	in->hedges++;
	copy = new_request(in, (struct request){ .begun_ns = q->begun_ns, .tried = -1, .balancer = q->balancer, .copy = true, .twin = e->what });
	in->request[e->what].twin = copy;
	give(s, copy, (uint32_t)i);
}

/* A scenario has taken a server away or brought it back. */
void request_follow(struct sim *s, uint32_t i)
{
	struct sim_server *v = &s->server[i];

	if (v->gone && v->busy) {
		v->epoch++;
		v->busy = 0;
		while (v->queue_first != NONE) {
			uint32_t r = v->queue_first;

			v->queue_first = s->in->request[r].next;
			answered(s, r, true);
		}
	}
	if (v->gone == v->up)
		sim_schedule(s, s->now_ns + NOTICE_NS, NOTICE, i, 0, 0);
}

void request_notice(struct sim *s, uint32_t i)
{
	struct sim_server *v = &s->server[i];

	if (v->up == !v->gone)
		return;
	v->up = !v->gone;
	if (v->up)
		v->up_since_ns = s->now_ns;
}

