/* The worker's side of the fork: what crosses it. worker.c */
#ifndef WORKER_H
#define WORKER_H

#include "conf/conf.h"
#include "ipc/book.h"
#include "ipc/table.h"

struct worker_start {
	const struct conf *conf;
	struct table *table;
	uint32_t slot;		/* of the table */
	uint32_t generation;
	struct book *book;	/* NULL: no custody */
	int channel;		/* the worker's end of its hand-off pair */
	int health_wake;	/* eventfd: written to wake the health process */
	const int *wake;	/* eventfd of each slot of the table, [max_workers]; 0: the supervisor */
};

/* Runs a worker until it is told to stop or retire, then exits. Privileges have been dropped. */
_Noreturn void worker_main(const struct worker_start *start);

#endif
