/*
 * How often the log says the same. A kind is a format, by its address: after `burst` messages of it within
 * THROTTLE_NS the further ones are held back, and when the time is over one line tells how many they were.
 */
#ifndef OS_THROTTLE_H
#define OS_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_NS	UINT64_C(10000000000)
#define THROTTLE_KINDS	64	/* known at a time; those that do not fit are not held back */
#define THROTTLE_TEXT	240	/* bytes that are kept of the last message held back */

struct throttle_kind {
	const void *key;	/* NULL: free */
	uint64_t until_ns;	/* end of its period */
	unsigned passed, held;	/* in this period */
	int level;		/* of the last one held back */
	char text[THROTTLE_TEXT];
};

struct throttle {
	unsigned burst;		/* 0: nothing is held back */
	unsigned holding;	/* kinds with something held back */
	uint64_t due_ns;	/* when the first of them is to be told; UINT64_MAX: none */
	struct throttle_kind kind[THROTTLE_KINDS];
};

/* Whether a message of this kind may be said now. NULL: yes. Else it counts as held back, and its text goes to the result. */
struct throttle_kind *throttle_hold(struct throttle *t, const void *key, uint64_t now_ns);
/* A kind whose period is over and that has something to tell; it begins anew. NULL: none (any more). *held is how many. */
const struct throttle_kind *throttle_due(struct throttle *t, uint64_t now_ns, unsigned *held);

#endif
