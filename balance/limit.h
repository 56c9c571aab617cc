/*
 * How many requests at a time a server works on well, learned from how its answer time follows what it has in hand.
 * Looked at by one process, every LIMIT_LOOK_NS, from what all workers have counted. Pure.
 *
 * A server with room answers in the same time however many requests it has; beyond that each further one only waits in
 * line with the others, and the answer time grows in proportion. So the base time, that of a server with room, is
 * what must be known, and then
 *
 *	limit  <-  limit * base / time * LIMIT_TOLERANCE + 1	(the factor between a half and 1)
 *
 * after each LIMIT_ENOUGH answers or LIMIT_WINDOW_NS, half of the way, and only while requests fill the limit: what
 * is not used teaches nothing of it. It rests somewhat above what the server can do at once, which keeps it busy.
 * While the factor is 1 it grows by an eighth each time.
 *
 * The base follows the time down when that is too far below it for chance, and both ways while there is room. A
 * server that is always full would never show it; so now and then, first after LIMIT_CHECK_NS and then at
 * longer distances up to LIMIT_CHECK_MOST_NS, the limit is halved for as long as one window lasts, and the base is
 * taken anew. (Without that, queues would slowly come to be thought of as what is usual.)
 *
 * Errors are often fast, and say nothing of the time: a window with a tenth of them takes a tenth off the limit.
 */
#ifndef BALANCE_LIMIT_H
#define BALANCE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_LOOK_NS		UINT64_C(100000000)
#define LIMIT_WINDOW_NS		UINT64_C(2000000000)
#define LIMIT_ENOUGH		100
#define LIMIT_TOLERANCE		1.25
#define LIMIT_CHECK_NS		UINT64_C(2000000000)
#define LIMIT_CHECK_MOST_NS	UINT64_C(32000000000)
#define LIMIT_START		10	/* while nothing is known, as far as the range allows */

struct limit_server {
	/* The caller's, set before each look. */
	uint64_t answers, failed;	/* requests, ever */
	uint64_t latency_ns;		/* sum of the times of answers, ever */
	uint32_t least, most;		/* the range; least 1 or more */

	/* What a look leaves. */
	uint32_t limit;

	/* Of limit_look() alone. */
	bool seen, checking;
	uint64_t was_answers, was_failed, was_latency_ns, since_ns;	/* at the window's start */
	uint64_t check_ns, gap_ns;	/* when the base is taken anew, if the server is full then; and then after that */
	double exact, base_ns, before;	/* the limit; before: and before the check */
};

/* from: a limit known from before; 0: none. */
void limit_start(struct limit_server *s, uint32_t from);
/* now_ns must not go back. True: the limit has changed. */
bool limit_look(struct limit_server *s, uint64_t now_ns);

#endif
