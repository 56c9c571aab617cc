/*
 * How the scheduler treats a process that serves many at once.
 *
 * With SCHED_BATCH a process that wakes up does not push away the one that runs. On processors that clients, servers
 * and we share, that one is as a rule about to send us more: we find it all at once instead of being fetched for
 * each piece. It is wrong where programs run that keep a processor for milliseconds, for then we wait for those each time.
 * Which of both is the case, the scheduler's own figures say: how long we were ready to run and did not (sched(7),
 * Documentation/scheduler/sched-stats.rst).
 */
#ifndef OS_SCHED_H
#define OS_SCHED_H

#include <stdbool.h>
#include <stdint.h>

enum sched_wish { SCHED_WISH_AUTO, SCHED_WISH_BATCH, SCHED_WISH_NORMAL };

struct sched {
	int fd;			/* /proc/self/schedstat; -1: nothing is to be decided (any more) */
	bool batch;
	uint64_t run_ns, wait_ns, turns;	/* when last looked */
	uint64_t looked_ns, since_ns;	/* last look; since when it is as it is */
	uint64_t pause_ns;		/* so long it stays normal before batch is tried again */
};

/*
 * Of the calling process, which keeps what it was given where that is neither SCHED_OTHER nor SCHED_BATCH. Where the
 * figures cannot be read, SCHED_WISH_AUTO changes nothing.
 */
void sched_begin(struct sched *s, enum sched_wish wish, uint64_t now_ns);
/* To be called now and then while there is work, with the clock; costs a read(2) a second. True: changed (s->batch), after
 * *mean_ns of waiting each time. */
bool sched_look(struct sched *s, uint64_t now_ns, uint64_t *mean_ns);

#endif
