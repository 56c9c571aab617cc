/*
 * least-connections: fewest in flight over all workers, by weight.
 *
 * Ties are broken by lot, weighted, with the caller's generator: idle servers are used evenly, or as
 * their weights say. A rotation would need a memory; "who got fewest so far" has one that is too
 * long: after a busy hour it would send an idle hour's requests to the slowest server.
 */
#include <stddef.h>

#include "balance/balance.h"

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
	int best = least(v);

	return v->told ? balance_tell_all(v, best, figure) : best;
}

const struct balance_algorithm balance_least_connections = {
	.name = "least-connections",
	.needs = BALANCE_INFLIGHT,
	.rule = SHM_RULE_LEAST_CONNECTIONS,
	.pick = pick,
};
