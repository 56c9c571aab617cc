/*
 * least-connections: fewest in flight over all workers, by weight.
 *
 * Ties are broken by lot, weighted, with the caller's generator: idle servers are used evenly, or as
 * their weights say. A rotation would need a memory; "who got fewest so far" has one that is too
 * long: after a busy hour it would send an idle hour's requests to the slowest server.
 *
 * Of a large pool (the view has a look) SAMPLE are drawn by lot, by weight, and the least loaded of those is taken,
 * which is the first one that has nothing to do: nearly as good as the least of all (Mitzenmacher 2001), and
 * the cost does not grow with the pool.
 */
#include <stddef.h>

#include "balance/lots.h"

#define SAMPLE 6

static int least_of_some(const struct balance_view *v)
{
	unsigned draws = 2 * SAMPLE, n = 0;
	uint32_t i, best = 0;
	struct balance_look k, least = { 0 };

	while (n < SAMPLE && lots_next(v, &draws, &i, &k)) {
		if (v->told)
			balance_tell(v->told, i, (float)k.inflight / (float)k.weight, NULL);
		if (n++ == 0 || (uint64_t)k.inflight * least.weight < (uint64_t)least.inflight * k.weight) {
			best = i;
			least.inflight = k.inflight;
			least.weight = k.weight;
		}
		if (k.inflight == 0)
			return (int)i;
	}
	return n >= SAMPLE / 2 ? (int)best : -1;
}

static int least(const struct balance_view *v)
{
	int best = -1;
	uint32_t tied = 0;	/* servers as little loaded as the best */
	uint64_t weights = 0;	/* of them */

	for (uint32_t i = 0; i < v->n; i++) {
		uint64_t a, b;

		if (!balance_usable(v, i))
			continue;
		if (best >= 0) {
			a = (uint64_t)v->inflight[i] * v->weight[best];
			b = (uint64_t)v->inflight[best] * v->weight[i];
			if (a > b)
				continue;
			if (a == b) {
				tied++;
				weights += v->weight[i];
				continue;
			}
		}
		best = (int)i;
		tied = 1;
		weights = v->weight[i];
	}
	if (tied < 2)
		return best;

	uint64_t lot = balance_below(v->rng, weights);

	/* best is the first of those that tie */
	for (uint32_t i = (uint32_t)best; i < v->n; i++) {
		if (!balance_usable(v, i) ||
		    (uint64_t)v->inflight[i] * v->weight[best] != (uint64_t)v->inflight[best] * v->weight[i])
			continue;
		if (lot < v->weight[i])
			return (int)i;
		lot -= v->weight[i];
	}
	return best;
}

static float figure(const struct balance_view *v, uint32_t i)
{
	return (float)v->inflight[i] / (float)v->weight[i];
}

static int pick(const struct balance_view *v)
{
	if (v->look)
		return least_of_some(v);

	int best = least(v);

	return v->told ? balance_tell_all(v, best, figure) : best;
}

const struct balance_algorithm balance_least_connections = {
	.name = "least-connections",
	.needs = BALANCE_INFLIGHT | BALANCE_SOME,
	.rule = SHM_RULE_LEAST_CONNECTIONS,
	.pick = pick,
};
