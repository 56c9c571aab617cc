/*
 * The time that 95 of 100 answers do not take, learned one by one in one word: each that takes longer moves it up, each
 * other one down a nineteenth as much, so that it rests where one in twenty takes longer. Only the comparison is needed,
 * so an answer that nobody waited for counts as well. Pure.
 */
#ifndef BALANCE_QUANTILE_H
#define BALANCE_QUANTILE_H

#include <stdint.h>

#define QUANTILE_SHARE	0.95f
#define QUANTILE_ENOUGH	100	/* answers from which on it says something */

struct quantile {
	float ns;
	uint32_t answers;	/* up to QUANTILE_ENOUGH */
};

/* took_ns: what it took, or at least so much where that is more than q->ns already. */
void quantile_learn(struct quantile *q, uint64_t took_ns);
/* The time; 0: not known yet. */
static inline uint64_t quantile_ns(const struct quantile *q)
{
	return q->answers < QUANTILE_ENOUGH ? 0 : (uint64_t)q->ns;
}

#endif
