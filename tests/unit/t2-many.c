/* Choosing in large pools: by lot, by turns, and the algorithms that look at some servers only. */
#include <math.h>
#include <stdlib.h>

#include "balance/lots.h"
#include "balance/strides.h"
#include "tests/unit/tap.h"

#define N 1000

static uint64_t rng = 88172645463325252;
static uint32_t weight[N], inflight[N];
static uint64_t entries[N];
static bool out[N];

static bool look(void *arg, uint32_t i, struct balance_look *k)
{
	unsigned *looks = arg;

	++*looks;
	k->weight = weight[i];
	k->inflight = inflight[i];
	k->entries = entries[i];
	k->errors = 0;
	return !out[i];
}

static void lots(void)
{
	double worst = 0;
	bool never = true;

	for (uint32_t n = 1; n < N; n = n * 3 + 1) {
		uint64_t total = 0;
		double chance[N] = { 0 };

		for (uint32_t i = 0; i < n; i++)
			total += weight[i] = i % 5 == 3 ? 0 : (uint32_t)balance_below(&rng, 256) + 1;
		struct lots *l = lots_build(weight, n);
		ok(l != NULL, "lots for %u servers", n);
		if (l == NULL)
			return;
		for (uint32_t i = 0; i < n; i++) {
			chance[i] += l->lot[i].own / 4294967296.0 / n;
			chance[l->lot[i].other] += (1 - l->lot[i].own / 4294967296.0) / n;
		}
		for (uint32_t i = 0; i < n; i++)
			worst = fmax(worst, fabs(chance[i] - (double)weight[i] / (double)total));
		for (unsigned draw = 0; draw < 10000; draw++)
			never = never && weight[lots_draw(l, &rng)] > 0;
		lots_free(l);
	}
	ok(worst < 1e-8, "each server is drawn as its weight says; off by %g at most", worst);
	ok(never, "weight 0 is never drawn");
	weight[0] = weight[1] = 0;
	ok(lots_build(weight, 2) == NULL, "no weight, no lots");
}

static void turns(void)
{
	static uint64_t had[N];
	uint64_t total = 0;
	double worst = 0;

	for (uint32_t i = 0; i < N; i++)
		total += weight[i] = (uint32_t)balance_below(&rng, 256) + 1;
	struct strides *s = strides_build(weight, N, &rng);
	ok(s != NULL, "turns for %d servers", N);
	if (s == NULL)
		return;
	for (uint64_t turn = 1; turn <= 400000; turn++) {
		uint32_t i = strides_first(s);
		strides_step(s, weight[i]);
		had[i]++;
		if (turn % 1000 == 0)
			for (i = 0; i < N; i++)
				worst = fmax(worst, fabs((double)had[i] - (double)(turn * weight[i]) / (double)total));
	}
	ok(worst < 1.5, "nobody is more than a turn away from its share, %.2f at most", worst);
	strides_free(s);

	/* 100 beside a hundred of 1: every other turn, more or less. */
	unsigned run = 0, longest = 0;
	for (uint32_t i = 0; i < 101; i++)
		weight[i] = i == 50 ? 100 : 1;
	s = strides_build(weight, 101, &rng);
	ok(s != NULL, "turns for 101 servers");
	if (s == NULL)
		return;
	for (unsigned turn = 0; turn < 2000; turn++) {
		uint32_t i = strides_first(s);
		strides_step(s, weight[i]);
		run = i == 50 ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	ok(longest < 15, "a heavy server's turns lie between those of light ones: %u in a row at most", longest);
	strides_free(s);
}

static uint32_t most_held(const struct balance_algorithm *a, const struct balance_view *v, unsigned requests)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < N; i++)
		inflight[i] = 0;
	for (unsigned r = 0; r < requests; r++) {
		int i = a->pick(v);
		if (i < 0)
			return UINT32_MAX;
		inflight[i]++;
	}
	for (uint32_t i = 0; i < N; i++)
		most = inflight[i] / weight[i] > most ? inflight[i] / weight[i] : most;
	return most;
}

static void samples(void)
{
	unsigned looks = 0;
	struct balance_view v = { .n = N, .rng = &rng, .look = look, .look_arg = &looks };
	const struct balance_algorithm *const some[] = { &balance_least_connections, &balance_least_requests, &balance_random };
	uint64_t most = 0, least = UINT64_MAX;
	unsigned bad = 0;

	for (uint32_t i = 0; i < N; i++)
		weight[i] = 1;
	uint32_t held = most_held(&balance_least_connections, &v, 10 * N);
	ok(held <= 12, "least-connections: 10 on each of %d servers, %u at most", N, held);
	ok(looks <= 6 * 10 * N, "%u looks in all", looks);
	looks = 0;
	most_held(&balance_least_connections, &v, 100);
	ok(looks < 200, "while servers are idle one look will do as a rule: %u for 100 choices", looks);

	for (uint32_t i = 0; i < N; i++)
		weight[i] = 1 + i % 3 * 4;
	struct lots *l = lots_build(weight, N);
	v.lots = l;
	held = most_held(&balance_least_connections, &v, 50 * N);
	ok(held <= 12, "with weights 1, 5, 9: 10 for each unit of weight, %u at most", held);

	for (unsigned r = 0; r < 100 * N; r++) {
		int i = balance_least_requests.pick(&v);
		entries[i < 0 ? 0 : i]++;
	}
	for (uint32_t i = 0; i < N; i++) {
		most = entries[i] / weight[i] > most ? entries[i] / weight[i] : most;
		least = entries[i] / weight[i] < least ? entries[i] / weight[i] : least;
	}
	ok(most <= 23 && least >= 15, "least-requests: 20 for each unit of weight, %u to %u", (unsigned)least, (unsigned)most);

	for (unsigned a = 0; a < 3; a++) {
		for (uint32_t i = 0; i < N; i++)
			out[i] = i % 2;
		for (unsigned r = 0; r < N; r++) {
			int i = some[a]->pick(&v);
			bad += i >= 0 && i % 2;	/* -1: where too few are found the caller looks at all */
		}
		for (uint32_t i = 0; i < N; i++)
			out[i] = true;
		is_int(some[a]->pick(&v), -1, "nobody is chosen when none is usable");
	}
	is_int(bad, 0, "none is chosen that is out");
	lots_free(l);
}

int main(void)
{
	lots();
	turns();
	samples();
	return done_testing();
}
