/*
 * History: once a second what the table's counters have gained is noted in the table's rings, see
 * ipc/history.h, and what has changed its state in the ring of events.
 */
#ifndef HEALTH_RECORD_H
#define HEALTH_RECORD_H

#include "ipc/table.h"
#include "os/loop.h"

/* 0, or -1: out of memory. What a predecessor noted is kept and continued. */
int record_start(struct loop *loop, struct table *table);

#endif
