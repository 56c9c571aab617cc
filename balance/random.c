/*
 * random: by lot, weighted. Looks at no figure, so it costs least and is wrong in the most even way.
 */
#include <stddef.h>

#include "balance/lots.h"

#define DRAWS 8	/* where the view has a look: then as many are out that looking at all does no harm */

static int lot(const struct balance_view *v)
{
	uint64_t weights = 0, draw;

	for (uint32_t i = 0; i < v->n; i++)
		if (balance_usable(v, i))
			weights += v->weight[i];
	if (!weights)
		return -1;
	draw = balance_below(v->rng, weights);
	for (uint32_t i = 0; i < v->n; i++) {
		if (!balance_usable(v, i))
			continue;
		if (draw < v->weight[i])
			return (int)i;
		draw -= v->weight[i];
	}
	return -1;
}

static int pick(const struct balance_view *v)
{
	unsigned draws = DRAWS;
	struct balance_look k;
	uint32_t i;

	if (v->look) {
		if (!lots_next(v, &draws, &i, &k))
			return -1;
		if (v->told)
			balance_tell(v->told, i, 0, NULL);
		return (int)i;
	}

	int best = lot(v);

	return v->told ? balance_tell_all(v, best, NULL) : best;
}

const struct balance_algorithm balance_random = {
	.name = "random",
	.needs = BALANCE_SOME,
	.rule = SHM_RULE_RANDOM,
	.pick = pick,
};
