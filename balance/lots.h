/*
 * Drawing servers by lot, each with the chance that its weight gives it, in the same time for any number of them
 * (Walker's alias method, 1977; built as Vose did, 1991). For pools that are too large to be looked at as a whole.
 *
 * Pure but for the allocation.
 */
#ifndef BALANCE_LOTS_H
#define BALANCE_LOTS_H

#include "balance/balance.h"

struct lots {
	uint32_t n;
	struct lot {
		uint32_t own;	/* in 2^-32: the chance that who draws this lot means this server */
		uint32_t other;	/* else it is this one */
	} lot[];
};

/* weight[i]: below 2^16, 0 is never drawn. NULL with errno; ENOENT: there is no weight at all. */
struct lots *lots_build(const uint32_t *weight, uint32_t n);
void lots_free(struct lots *l);

static inline uint32_t lots_draw(const struct lots *l, uint64_t *rng)
{
	uint64_t r = balance_draw(rng);
	uint32_t i = (uint32_t)((r >> 32) * l->n >> 32);

	return (uint32_t)r < l->lot[i].own ? i : l->lot[i].other;
}

/*
 * For algorithms whose view has a look: the next server by lot that is usable, as it is now. At most *draws are
 * made, which goes down; false: none of them was.
 */
static inline bool lots_next(const struct balance_view *v, unsigned *draws, uint32_t *i, struct balance_look *k)
{
	while (*draws > 0) {
		--*draws;
		*i = v->lots ? lots_draw(v->lots, v->rng) : (uint32_t)balance_below(v->rng, v->n);
		if (v->look(v->look_arg, *i, k))
			return true;
	}
	return false;
}

#endif
