/*
 * Where lines of access logs go: a buffer for each log, and a thread that writes it, so that a disk which
 * hangs or a reader which sleeps holds up nobody but that thread. What finds no room is dropped and counted.
 */
#ifndef WORKER_ACCESS_SINK_H
#define WORKER_ACCESS_SINK_H

#include "http/out.h"
#include "worker/state.h"

/* Start-up only. */
void sink_init(void);

/*
 * A line is written to `o` and then ended. False from sink_end(): it did not fit behind those that are waiting,
 * which have been sent off; try once more. Returns whether it is for syslog and wants its prefix.
 */
bool sink_begin(unsigned log, struct http_out *o);
bool sink_end(unsigned log, struct http_out *o);
/* So many lines will not be written. */
void sink_drop(unsigned log, uint64_t lines);

/* The log's new file; takes fd. What came before goes to the old one, unless that is stuck. */
void sink_adopt(unsigned log, int fd);
/* Writes what is left, as far as that goes within SINK_STOP_NS. */
#define SINK_STOP_NS (2 * CONF_SECOND)
void sink_stop(void);

#endif
