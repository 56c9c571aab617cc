/*
 * What traffic teaches about a server: how long it takes to answer, how long it has kept silent, how
 * often it fails. Each worker writes its own record for each server (struct shm_learn); who chooses
 * adds the records of all workers together. Pure: the caller has the clock.
 *
 * Everything wears off with time, so that what was bad is tried again: a mean, its weight and the
 * count of errors by half in LEARN_HALF_NS, a peak the same, a streak of errors in twice that.
 *
 *	waiting   requests without an answer yet, and the sum of their ages, exact at every moment: a
 *	          server that has gone silent shows at once, not when its first answer comes. One that has just
 *	          answered somebody is not silent, whatever a few long requests take it
 *	latency   moving mean of good answers, of about LEARN_ANSWERS. One beyond LEARN_PEAK times the mean is a
 *	          surprise: only when more follow do they count, as that much
 *	peak      the longest surprise; each ordinary answer takes three quarters off
 *	errors    5xx, resets, timeouts, refused connections; how fast they came is never counted as speed
 *	streak    errors without a good answer in between
 */
#ifndef BALANCE_LEARN_H
#define BALANCE_LEARN_H

#include <stdint.h>

#include "shm_stats.h"

#define LEARN_HALF_NS	UINT64_C(5000000000)
#define LEARN_ANSWERS	16.0f
#define LEARN_PEAK	8.0f
#define LEARN_STREAK	6.0f	/* longest that counts */

/* The sum over workers, as of one moment. */
struct learned {
	float waiting;		/* requests */
	float age_us;		/* of all of them together */
	float silent_us;	/* of that, what nothing has been answered in */
	float sum_us, answers;	/* sum_us / answers: the mean */
	float errors, ends;	/* errors among so many requests that ended */
	float peak_us;		/* the highest of all workers' */
	float streak;
};

/* One writer each. asked_ns: when the request was given to the server, the same in both calls. */
void learn_asked(struct shm_learn *l, uint64_t asked_ns);
void learn_left(struct shm_learn *l, uint64_t asked_ns);
/*
 * A good answer began; it failed, after so long; nobody knows, because the client left. since_ns: the
 * server's last start, before which nothing counts.
 */
void learn_answer(struct shm_learn *l, uint64_t since_ns, uint64_t now_ns, uint64_t took_ns);
void learn_error(struct shm_learn *l, uint64_t since_ns, uint64_t now_ns, uint64_t took_ns);
void learn_gone(struct shm_learn *l, uint64_t since_ns, uint64_t now_ns, uint64_t waited_ns);

/*
 * Reading: learn_add_past() for all workers' records (to *sum, which began as zeros), which may be of a
 * moment ago, learn_add_waiting() for all (to *w, the same), which must be of now, then learn_summed()
 * puts w into *sum.
 */
struct learn_waiting { uint64_t count, words, answered_ns; };

void learn_add_past(const struct shm_learn *l, uint64_t now_ns, uint64_t since_ns, struct learned *sum);
void learn_summed(const struct learn_waiting *w, uint64_t now_ns, struct learned *sum);

#define LEARN_COUNT_SHIFT 44	/* of shm_learn.waiting: so many bits for the sum, the rest for how many there are */

static inline void learn_add_waiting(const struct shm_learn *l, struct learn_waiting *w)
{
	uint64_t v = atomic_load_explicit(&l->waiting, memory_order_relaxed);
	uint64_t answered = atomic_load_explicit(&l->answered_ns, memory_order_relaxed);

	w->count += v >> LEARN_COUNT_SHIFT;
	w->words += v;		/* the sums modulo 2^44; the counts above them go astray, and are not used */
	w->answered_ns = answered > w->answered_ns ? answered : w->answered_ns;
}
/* Adds a record that has no writer any more to another one; its waiting requests go. */
void learn_fold(struct shm_learn *to, const struct shm_learn *from);

#endif
