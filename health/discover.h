/*
 * Which place of a discovery holds which address: whoever is in the answer stays where it is, whoever is not gives
 * up its place, who is new gets a free one. Pure.
 */
#ifndef HEALTH_DISCOVER_H
#define HEALTH_DISCOVER_H

#include "health/lookup.h"

struct discover_place {
	bool taken;
	struct lookup_address is;	/* taken: by whom */
	bool ready;			/* nobody drains it, or has it in maintenance */
	uint32_t inflight;		/* what a former holder still has in hand counts for the next one: best 0 */
	uint64_t since_ns;		/* free: since when. The longest free is taken first */
	int becomes;			/* index into the answer; -1: it is free now */
};

bool discover_same(const struct lookup_address *a, const struct lookup_address *b);

/* Fills in `becomes`. Returns how many addresses of the answer found no place. */
unsigned discover_assign(struct discover_place *p, unsigned places, const struct lookup_address *a, unsigned n);

/*
 * What the SRV records make of address i of an answer: its weight, 1..256, in proportion to the others of its
 * priority, and whether it is for when those of the first priority are down.
 */
uint32_t discover_weight(const struct lookup_address *a, unsigned n, unsigned i);
bool discover_backup(const struct lookup_address *a, unsigned n, unsigned i);

#endif
