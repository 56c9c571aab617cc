/* The simulator: an event heap, and what happens when. */
#include "tests/sim/inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void *sim_need(void *p)
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

void sim_schedule(struct sim *s, uint64_t at_ns, enum kind kind, uint32_t what, uint64_t epoch, uint64_t serial)
{
	struct sim_inside *in = s->in;
	size_t i = in->nheap++;

	if (in->nheap > in->room) {
		in->room = in->room ? 2 * in->room : 1024;
		in->heap = sim_need(realloc(in->heap, in->room * sizeof *in->heap));
	}
	struct event e = { at_ns, in->order++, kind, what, epoch, serial };
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

void sim_run(const struct sim_scenario *c, const struct sim_policy *policy, uint64_t seed, struct sim_result *r)
{
	struct sim_inside in = { .free = NONE, .first = NONE, .last = NONE };
	struct sim s = { .scenario = c, .policy = policy, .rng = seed * UINT64_C(0x9e3779b97f4a7c15) | 1, .rate = c->per_second,
		.n = c->servers, .balancers = c->balancers, .in = &in };
	uint64_t end = (uint64_t)(c->seconds * 1e9);

	if (policy->algorithm)
		in.algorithm = balance_find(policy->algorithm);
	s.now_ns = 1;
	s.server = sim_need(calloc(s.n, sizeof *s.server));
	in.usable = sim_need(calloc(s.n, sizeof *in.usable));
	in.weight = sim_need(calloc(s.n, sizeof *in.weight));
	in.inflight = sim_need(calloc(s.n, sizeof *in.inflight));
	in.entries = sim_need(calloc(s.n, sizeof *in.entries));
	in.errors = sim_need(calloc(s.n, sizeof *in.errors));
	in.turns = sim_need(calloc(s.n, sizeof *in.turns));
	for (unsigned i = 0; i < s.n; i++)
		s.server[i] = (struct sim_server){ .mean_ms = 20, .weight = 1, .up = true, .queue_first = NONE };
	c->start(&s);
	in.limit = sim_need(calloc(s.n, sizeof *in.limit));
	for (unsigned i = 0; i < s.n; i++) {
		in.limit[i].least = 1;
		in.limit[i].most = 1000;
		limit_start(&in.limit[i], 0);
	}
	sim_schedule(&s, 1, ARRIVE, 0, 0, 0);
	sim_schedule(&s, 1, TICK, 0, 0, 0);
	while (in.nheap) {
		struct event e = next_event(&s);

		s.now_ns = e.at_ns;
		switch (e.kind) {
		case ARRIVE:
			if (s.now_ns < end)
				request_arrive(&s);
			break;
		case DONE:
			request_done(&s, &e);
			break;
		case TICK:
			if (c->tick)
				c->tick(&s);
			for (unsigned i = 0; i < s.n; i++)
				if (s.server[i].gone == s.server[i].up)
					request_follow(&s, i);
			request_tick(&s);
			if (s.now_ns < end || in.first != NONE)
				sim_schedule(&s, s.now_ns + 10 * SIM_MS, TICK, 0, 0, 0);
			break;
		case NOTICE:
			request_notice(&s, e.what);
			break;
		case LATE:
			request_late(&s, &e);
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
	free(in.limit);
	free(in.heap);
	free(in.request);
	free(in.sample);
}
