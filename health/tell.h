/*
 * What the log says of servers: each change of verdict, and fewer words of one that flaps.
 */
#ifndef HEALTH_TELL_H
#define HEALTH_TELL_H

#include <stdbool.h>

#include "health/bucket.h"
#include "shm_stats.h"

/* One for each server. */
struct tell {
	struct bucket bucket;
	unsigned quiet;		/* changes that were not logged */
	uint64_t quiet_since_ns;
};

struct tell_news {
	const char *pool, *server;
	uint32_t before, now;		/* enum shm_verdict */
	enum shm_outcome outcome;
	unsigned status;		/* HTTP status; 0: none */
	unsigned up, total;		/* servers of the pool */
	bool none_left;			/* this one was the pool's last */
	uint64_t lasted_ns;		/* how long the verdict before stood */
	uint64_t again_ns;		/* until it is looked at again; 0: not said */
	uint64_t now_ns;
};

void tell_init(struct tell *t);
/* The verdict has changed. */
void tell_change(struct tell *t, const struct tell_news *n);
/* It has not: says what was left out before, once there is room for it again. */
void tell_rest(struct tell *t, const struct tell_news *n);

#endif
