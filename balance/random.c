/*
 * random: by lot, weighted. Looks at no figure, so it costs least and is wrong in the most even way.
 */
#include "balance/balance.h"

static int pick(const struct balance_view *v)
{
	uint64_t weights = 0, lot;

	for (uint32_t i = 0; i < v->n; i++)
		if (balance_usable(v, i))
			weights += v->weight[i];
	if (!weights)
		return -1;
	lot = balance_below(v->rng, weights);
	for (uint32_t i = 0; i < v->n; i++) {
		if (!balance_usable(v, i))
			continue;
		if (lot < v->weight[i])
			return (int)i;
		lot -= v->weight[i];
	}
	return -1;
}

const struct balance_algorithm balance_random = {
	.name = "random",
	.needs = 0,
	.rule = SHM_RULE_RANDOM,
	.pick = pick,
};
