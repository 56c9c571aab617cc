/* The simulator: an event heap, requests, servers with queues, the balancers' views. */
#include "tests/sim/sim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE	UINT32_MAX
#define NOTICE_NS (100 * SIM_MS)	/* until probes see that a server is there again, or is not */

enum kind { ARRIVE, DONE, TICK, NOTICE };

struct event {
	uint64_t at_ns, order;
	enum kind kind;
	uint32_t what;		/* request or server */
	uint64_t epoch;
};

struct request {
	uint64_t begun_ns, asked_ns;
	uint32_t server, next;
	uint8_t balancer, tries;
	bool fails;
	int32_t tried;		/* a server that failed it; -1 */
};

struct sample { uint64_t begun_ns; float ms; bool failed; };

struct sim_inside {
	struct event *heap;
	size_t nheap, room;
	uint64_t order;
	struct request *request;
	uint32_t nrequests, free;
	struct sample *sample;
	size_t nsamples, sample_room;
	double budget;
	const struct balance_algorithm *algorithm;
	uint8_t *usable;
	uint32_t *weight, *inflight;
	uint64_t *entries, *errors, *turns;
	uint32_t first, last;		/* the central queue */
	unsigned balancer;		/* whose view is being looked at */
	int32_t tried;
};

static void *need(void *p)
{
	if (p == NULL) {
		perror("sim");
		exit(1);
	}
	return p;
}

/* ---- the future ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void schedule(struct sim *s, uint64_t at_ns, enum kind kind, uint32_t what, uint64_t epoch)
{
	struct sim_inside *in = s->in;
	size_t i = in->nheap++;

	if (in->nheap > in->room) {
		in->room = in->room ? 2 * in->room : 1024;
		in->heap = need(realloc(in->heap, in->room * sizeof *in->heap));
	}
	struct event e = { at_ns, in->order++, kind, what, epoch };
	for (; i > 0 && before(&e, &in->heap[(i - 1) / 2]); i = (i - 1) / 2)
		in->heap[i] = in->heap[(i - 1) / 2];
	in->heap[i] = e;
}

static struct event next_event(struct sim *s)
{
	struct sim_inside *in = s->in;
	struct event top = in->heap[0], e = in->heap[--in->nheap];
	size_t i = 0;

	for (;;) {
		size_t k = 2 * i + 1;

		if (k >= in->nheap)
			break;
		if (k + 1 < in->nheap && before(&in->heap[k + 1], &in->heap[k]))
			k++;
		if (!before(&in->heap[k], &e))
			break;
		in->heap[i] = in->heap[k];
		i = k;
	}
	in->heap[i] = e;
	return top;
}

double sim_exponential(struct sim *s, double mean)
{
	return -log(1.0 - (double)(balance_draw(&s->rng) >> 11) * 0x1p-53) * mean;
}

static bool chance(struct sim *s, double p)
{
	return p > 0 && (double)(balance_draw(&s->rng) >> 11) * 0x1p-53 < p;
}

/* ---- choosing ---- */

/* What a worker's callback does: worker/choose.c. */
static bool look(void *arg, uint32_t i, struct balance_look *k)
{
	struct sim *s = arg;
	struct sim_server *v = &s->server[i];
	unsigned b = s->in->balancer;
	uint64_t up = s->now_ns - v->up_since_ns;

	if (!v->up || (int32_t)i == s->in->tried)
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
			in->usable[k] = s->server[k].up && (int32_t)k != tried;
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

static void finished(struct sim *s, struct request *q, bool failed)
{
	struct sim_inside *in = s->in;

	if (in->nsamples == in->sample_room) {
		in->sample_room = in->sample_room ? 2 * in->sample_room : 4096;
		in->sample = need(realloc(in->sample, in->sample_room * sizeof *in->sample));
	}
	in->sample[in->nsamples++] = (struct sample){ q->begun_ns, (float)((double)(s->now_ns - q->begun_ns) / 1e6), failed };
	q->next = in->free;
	in->free = (uint32_t)(q - in->request);
}

static void serve(struct sim *s, struct sim_server *v, uint32_t r)
{
	struct request *q = &s->in->request[r];
	double ms;

	v->busy++;
	q->fails = chance(s, v->fail_share);
	if (q->fails)
		ms = v->fail_ms;
	else if (chance(s, v->slow_share))
		ms = sim_exponential(s, v->slow_ms);
	else
		ms = v->fixed_ms > 0 ? v->fixed_ms : sim_exponential(s, v->mean_ms);
	schedule(s, s->now_ns + (uint64_t)(ms * 1e6), DONE, r, v->epoch);
}

static void ask(struct sim *s, uint32_t r);

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
	if (failed && q->tries < s->policy->retries && in->budget >= 1) {
		in->budget--;
		q->tries++;
		q->tried = (int32_t)q->server;
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

	q->server = i;
	q->asked_ns = s->now_ns;
	v->inflight[q->balancer]++;
	learn_asked(&v->learn[q->balancer], s->now_ns);
	v->turns++;
	v->got++;
	if (v->gone)		/* refused at once; the worker says so at once */
		answered(s, r, true);
	else if (v->slots && v->busy >= v->slots)
		push(s, &v->queue_first, &v->queue_last, r);
	else
		serve(s, v, r);
}

static void ask(struct sim *s, uint32_t r)
{
	struct sim_inside *in = s->in;
	struct request *q = &in->request[r];
	int i;

	if (s->policy->central) {
		i = in->first == NONE ? sound(s) : -1;
		if (i < 0) {
			push(s, &in->first, &in->last, r);
			return;
		}
	} else
		i = choose(s, q->balancer, q->tried);
	if (i < 0) {
		finished(s, q, true);
		return;
	}
	give(s, r, (uint32_t)i);
}

static void arrive(struct sim *s)
{
	struct sim_inside *in = s->in;
	uint32_t r = in->free;

	schedule(s, s->now_ns + (uint64_t)(sim_exponential(s, 1e9 / s->rate)), ARRIVE, 0, 0);
	if (r == NONE) {
		r = in->nrequests++;
		if ((r & (r - 1)) == 0)
			in->request = need(realloc(in->request, (r ? 2 * (size_t)r : 1) * sizeof *in->request));
	} else
		in->free = in->request[r].next;
	in->request[r] = (struct request){ .begun_ns = s->now_ns, .tried = -1, .next = NONE,
		.balancer = (uint8_t)balance_below(&s->rng, s->balancers) };
	if (in->budget < 100)
		in->budget += 0.2;
	ask(s, r);
}

static void done(struct sim *s, const struct event *e)
{
	struct sim_inside *in = s->in;
	struct request *q = &in->request[e->what];
	struct sim_server *v = &s->server[q->server];
	uint32_t r;

	if (v->epoch != e->epoch) {	/* it died meanwhile */
		answered(s, e->what, true);
		return;
	}
	v->busy--;
	answered(s, e->what, q->fails);
	if (v->queue_first != NONE) {
		r = v->queue_first;
		v->queue_first = in->request[r].next;
		serve(s, v, r);
	}
	while (in->first != NONE) {
		int i = sound(s);

		if (i < 0)
			break;
		r = in->first;
		in->first = in->request[r].next;
		give(s, r, (uint32_t)i);
	}
}

/* A scenario has taken a server away or brought it back. */
static void follow(struct sim *s, uint32_t i)
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
		schedule(s, s->now_ns + NOTICE_NS, NOTICE, i, 0);
}

static void notice(struct sim *s, uint32_t i)
{
	struct sim_server *v = &s->server[i];

	if (v->up == !v->gone)
		return;
	v->up = !v->gone;
	if (v->up)
		v->up_since_ns = s->now_ns;
}

/* ---- the result ---- */

static int by_ms(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->ms < y->ms ? -1 : x->ms > y->ms;
}

static int by_time(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->begun_ns < y->begun_ns ? -1 : x->begun_ns > y->begun_ns;
}

static void slices(struct sim *s, struct sim_result *r)
{
	struct sample *p = s->in->sample;
	size_t n = s->in->nsamples, i = 0;

	r->slices = (unsigned)(s->scenario->seconds * 10);
	r->p99_by_slice = need(calloc(r->slices + 1, sizeof *r->p99_by_slice));
	qsort(p, n, sizeof *p, by_time);
	for (unsigned k = 0; k < r->slices; k++) {
		size_t from = i;

		while (i < n && p[i].begun_ns < (k + 1) * (SIM_S / 10))
			i++;
		if (i == from)
			continue;
		qsort(p + from, i - from, sizeof *p, by_ms);
		r->p99_by_slice[k] = (double)p[from + (size_t)((double)(i - from) * 0.99)].ms;
	}
}

static void report(struct sim *s, struct sim_result *r)
{
	const struct sim_scenario *c = s->scenario;
	struct sample *p = s->in->sample;
	double sum = 0, squares = 0, most = 0;
	size_t n = 0;

	memset(r, 0, sizeof *r);
	slices(s, r);
	for (size_t i = 0; i < s->in->nsamples; i++)
		if (c->to_ns == 0 || (p[i].begun_ns >= c->from_ns && p[i].begun_ns < c->to_ns))
			p[n++] = p[i];
	r->requests = n;
	qsort(p, n, sizeof *p, by_ms);
	for (size_t i = 0; i < n; i++) {
		r->mean += (double)p[i].ms / (double)n;
		r->bad += p[i].failed;
		r->slow += (p[i].ms > 1000) / (double)n;
	}
	r->failed = (double)r->bad / (double)n;
	r->p50 = (double)p[n / 2].ms;
	r->p90 = (double)p[n * 9 / 10].ms;
	r->p99 = (double)p[n * 99 / 100].ms;
	r->p999 = (double)p[n * 999 / 1000].ms;
	r->max = (double)p[n - 1].ms;
	for (unsigned i = 0; i < s->n; i++) {
		double x = (double)s->server[i].got / s->server[i].weight;

		sum += x;
		squares += x * x;
		if (x > most)
			most = x;
	}
	r->fairness = sum * sum / (squares * s->n);
	r->peak_share = most * s->n / sum;
}

void sim_run(const struct sim_scenario *c, const struct sim_policy *policy, uint64_t seed, struct sim_result *r)
{
	struct sim_inside in = { .free = NONE, .first = NONE, .last = NONE };
	struct sim s = { .scenario = c, .policy = policy, .rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1, .rate = c->per_second,
		.n = c->servers, .balancers = c->balancers, .in = &in };
	uint64_t end = (uint64_t)(c->seconds * 1e9);

	if (policy->algorithm)
		in.algorithm = balance_find(policy->algorithm);
	s.now_ns = 1;
	s.server = need(calloc(s.n, sizeof *s.server));
	in.usable = need(calloc(s.n, sizeof *in.usable));
	in.weight = need(calloc(s.n, sizeof *in.weight));
	in.inflight = need(calloc(s.n, sizeof *in.inflight));
	in.entries = need(calloc(s.n, sizeof *in.entries));
	in.errors = need(calloc(s.n, sizeof *in.errors));
	in.turns = need(calloc(s.n, sizeof *in.turns));
	for (unsigned i = 0; i < s.n; i++)
		s.server[i] = (struct sim_server){ .mean_ms = 20, .weight = 1, .up = true, .queue_first = NONE };
	c->start(&s);
	schedule(&s, 1, ARRIVE, 0, 0);
	if (c->tick)
		schedule(&s, 1, TICK, 0, 0);
	while (in.nheap) {
		struct event e = next_event(&s);

		s.now_ns = e.at_ns;
		switch (e.kind) {
		case ARRIVE:
			if (s.now_ns < end)
				arrive(&s);
			break;
		case DONE:
			done(&s, &e);
			break;
		case TICK:
			if (c->tick)
				c->tick(&s);
			for (unsigned i = 0; i < s.n; i++)
				if (s.server[i].gone == s.server[i].up)
					follow(&s, i);
			if (s.now_ns < end)
				schedule(&s, s.now_ns + 10 * SIM_MS, TICK, 0, 0);
			break;
		case NOTICE:
			notice(&s, e.what);
			break;
		}
	}
	report(&s, r);
	free(s.server);
	free(in.usable);
	free(in.weight);
	free(in.inflight);
	free(in.entries);
	free(in.errors);
	free(in.turns);
	free(in.heap);
	free(in.request);
	free(in.sample);
}
