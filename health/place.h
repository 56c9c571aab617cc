/*
 * Discoveries: names whose addresses are servers. When a lookup ends, places are given to those who are new and
 * taken from those who are gone; nothing is reloaded for it.
 */
#ifndef HEALTH_PLACE_H
#define HEALTH_PLACE_H

#include "health/round.h"

/* A discovery at work. */
struct place {
	struct round_pool *pool;
	const struct conf_discover *conf;
	uint32_t name;		/* index of its resolve_name */
	unsigned left_out;	/* addresses without a place, as told last */
};

/* The discoveries of all pools; their servers are there already. 0, or -1 with errno. */
int place_init(struct round *r);
/* What a predecessor left in the server's row: who holds the place, or nobody. */
void place_recall(struct round_server *s);
/* A lookup of the name has ended. */
void place_resolved(struct round *r, uint32_t name);

#endif
