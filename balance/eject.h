/*
 * Outliers: servers that probes find in order and requests do not. Looked at by one process, every
 * EJECT_LOOK_NS, from what all workers have counted. Pure.
 *
 * A server is taken out for
 *	a row of errors		EJECT_ROW or more requests failed since the last good answer
 *	its rate of errors	EJECT_RATE or more of its last requests, and three times the rate of the others
 *	its answer time		mean of its last answers EJECT_SLOW times the median of the others' means
 * where rates and means are of requests that wear off by half in EJECT_HALF_NS, and count from EJECT_ENOUGH on.
 *
 * The first time for EJECT_TIME_NS, each further time for twice as long, up to EJECT_TIME_MOST_NS; each
 * EJECT_FORGET_NS in use takes one doubling off. Never more than a third of a pool is out (of two servers,
 * one), and in a panic, when less than half of a pool would be left with those that are down, none is:
 * then the servers are not the trouble, or it takes all of them to bear it.
 */
#ifndef BALANCE_EJECT_H
#define BALANCE_EJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "shm_stats.h"

#define EJECT_LOOK_NS		UINT64_C(250000000)
#define EJECT_HALF_NS		UINT64_C(5000000000)
#define EJECT_TIME_NS		UINT64_C(10000000000)
#define EJECT_TIME_MOST_NS	UINT64_C(300000000000)
#define EJECT_FORGET_NS		UINT64_C(60000000000)
#define EJECT_ROW		5
#define EJECT_RATE		0.2
#define EJECT_SLOW		8.0
#define EJECT_ENOUGH		20.0

struct eject_server {
	/* The caller's, set before each look. */
	bool up;		/* may be used, as probes and people have it */
	uint64_t good, failed;	/* requests, ever */
	uint64_t latency_ns;	/* sum of the times of good answers and of failed ones that were answered, ever */
	uint64_t timed;		/* how many went into that sum */

	/* What a look leaves. */
	uint64_t until_ns;	/* taken out until then; 0: in use */
	uint32_t reason;	/* enum shm_eject, of the last time */
	uint32_t times;		/* doublings */
	uint64_t since_ns;	/* in use since, or a doubling was forgotten */

	/* Of eject_look() alone. */
	bool seen;
	uint64_t was_good, was_failed, was_latency_ns, was_timed;
	uint32_t row;
	double requests, errors, answers, time_ns;
};

/* now_ns must not go back; the first look only remembers. True: some server was taken out or came back. */
bool eject_look(struct eject_server *s, uint32_t n, uint64_t now_ns);

#endif
