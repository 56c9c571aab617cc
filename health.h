/* The health process's side of the fork: what crosses it. health.c */
#ifndef HEALTH_H
#define HEALTH_H

#include "conf/conf.h"
#include "ipc/table.h"

/* What health asks of the supervisor, whose words these are: a server's weight, and whether it is a backup. */
struct health_rank {
	uint32_t row;
	uint32_t weight;	/* 1..256 */
	uint32_t backup;	/* 0, 1 */
};

struct health_start {
	const struct conf *conf;
	struct table *table;
	uint32_t generation;
	int channel;		/* the health end of a SOCK_SEQPACKET pair: a one-byte message says that the first round
				 * is done, a struct health_rank is a request; its end (the supervisor is gone) means exit */
	int wake;		/* eventfd: workers write it when a round is due, or when they saw a failure */
};

/* Probes until the supervisor ends it (SIGTERM) or is gone, then exits. Privileges have been dropped. */
_Noreturn void health_main(const struct health_start *start);

#endif
