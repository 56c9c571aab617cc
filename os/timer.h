/*
 * Timers without system calls: a hierarchical wheel. Moving a deadline later costs one store: the
 * timer stays where it is in the wheel and is put right when its old place comes up. Resolution
 * TIMER_TICK_NS; a timer never fires early.
 */
#ifndef OS_TIMER_H
#define OS_TIMER_H

#include <stdint.h>

#define TIMER_TICK_NS	UINT64_C(1000000)	/* 1 ms */
#define TIMER_BITS	6			/* 64 places a level */
#define TIMER_LEVELS	4			/* 64^4 ms: 4.6 hours; what is later is filed anew until then */
#define TIMER_LATEST	((UINT64_C(1) << 40) - 1)	/* tick: 34 years after the clock's start, as good as never */

struct timer;
typedef void timer_cb(struct timer *t);

struct timer {
	struct timer *next, **prev;	/* prev NULL: not armed */
	timer_cb *cb;
	uint64_t deadline : 40;		/* tick, of CLOCK_MONOTONIC */
	uint64_t filed : 24;		/* tick under which it lies in the wheel, not after the deadline: its lower bits */
};

struct timer_wheel {
	uint64_t tick;			/* all ticks up to this one have been run */
	uint64_t used[TIMER_LEVELS];	/* bit n: place n of the level is not empty */
	struct timer *place[TIMER_LEVELS][1 << TIMER_BITS];
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns);
/* Arms, or moves, a timer. */
void timer_set(struct timer_wheel *w, struct timer *t, uint64_t deadline_ns);
void timer_cancel(struct timer_wheel *w, struct timer *t);
static inline int timer_armed(const struct timer *t) { return t->prev != 0; }
static inline uint64_t timer_deadline_ns(const struct timer *t) { return t->deadline * TIMER_TICK_NS; }
/* When to look again: a time not later than the first deadline that counts; UINT64_MAX: never. */
uint64_t timer_next_ns(const struct timer_wheel *w);
/* Runs what is due. */
void timer_run(struct timer_wheel *w, uint64_t now_ns);

#endif
