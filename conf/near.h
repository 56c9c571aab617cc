/* The known word that somebody probably meant. */
#ifndef CONF_NEAR_H
#define CONF_NEAR_H

#include <stddef.h>

#define NEAR_MAX 64	/* longer words are near to nothing */

/* Letters to insert, remove, change or swap with their neighbour to turn a into b, without regard to
 * case; NEAR_MAX when either is longer than NEAR_MAX - 1. */
unsigned near_distance(const char *a, const char *b);

/* Fed with candidates one by one, keeps the nearest. */
struct near {
	const char *word;
	const char *best;	/* NULL: none is near enough to be named */
	unsigned distance;
};

void near_start(struct near *n, const char *word);
void near_try(struct near *n, const char *candidate);

#endif
