/*
 * The status page and what lies behind it: answered by the worker itself, from the shared table.
 *
 *	/		the page, one document
 *	/status.json	everything that lbctl shows
 *	/history.json	series of the last minutes, hour or day, and what happened
 *	/metrics	for Prometheus
 *
 * Answers that grow with the number of servers are written a buffer at a time, as fast as the client takes
 * them: worker/session.c asks for the next one when the last has gone.
 */
#ifndef WORKER_STATUS_H
#define WORKER_STATUS_H

#include "worker/session.h"

enum status_more {
	STATUS_FILLED,		/* s->out has the next piece; when s->streamed is false now, the last one */
	STATUS_YIELD,		/* others first */
	STATUS_FAILED,		/* the client must see that it has not got all */
};

/* Answers the request; session_reply() has prepared s->out. skip: bytes of the path that led here. */
void status_serve(struct session *s, const struct http_head *h, const char *at, size_t skip);
/* When s->streamed and all of s->out has gone. */
enum status_more status_more(struct session *s);
/* A time to give up at, that is not later than this one. */
uint64_t status_until(const struct session *s, uint64_t until_ns);
/* The session ends before its answer. */
void status_forget(struct session *s);

#endif
