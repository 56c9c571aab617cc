/*
 * A token bucket: so many at once, then so many a second. No clock of its own; pure.
 */
#ifndef HEALTH_BUCKET_H
#define HEALTH_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t period_ns;	/* one token comes back in this time */
	uint64_t depth_ns;	/* burst * period */
	uint64_t full_ns;	/* CLOCK_MONOTONIC at which it is full (again); 0: it is */
};

/* Starts full: `burst` tokens (at least 1), one back every period_ns. */
void bucket_init(struct bucket *b, unsigned burst, uint64_t period_ns);
/* Takes a token; false: there is none. */
bool bucket_take(struct bucket *b, uint64_t now_ns);
/* When there will be one; not later than now_ns: there is. */
uint64_t bucket_ready_ns(const struct bucket *b);

#endif
