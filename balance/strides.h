/*
 * Turns by weight, for one that takes them alone: who is due first is next, and due again a stride later, which is
 * the shorter the larger its weight (Waldspurger and Weihl 1995). O(log n) a turn. The first turns are due at
 * random within a stride, so those of a heavy server lie between those of light ones and not all before them, and
 * those who take turns beside each other do not all begin with the same server.
 *
 * Each server is never more than a turn away from its share. Whoever cannot be used when it is due loses that turn,
 * so it has nothing to catch up with when it comes back.
 *
 * Pure but for the allocation.
 */
#ifndef BALANCE_STRIDES_H
#define BALANCE_STRIDES_H

#include <stdint.h>

struct strides {
	uint32_t n;
	struct stride {
		uint64_t due;
		uint32_t i;
	} heap[];	/* [n] */
};

/* weight[i]: 1 to 256; n above 0. NULL with errno; free with strides_free(). */
struct strides *strides_build(const uint32_t *weight, uint32_t n, uint64_t *rng);
void strides_free(struct strides *s);

static inline uint32_t strides_first(const struct strides *s) { return s->heap[0].i; }
/* The first one has had its turn, or lost it. weight: as it is now; 0 counts as 1. */
void strides_step(struct strides *s, uint32_t weight);

#endif
