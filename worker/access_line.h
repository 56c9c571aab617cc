/* One line of an access log. */
#ifndef WORKER_ACCESS_LINE_H
#define WORKER_ACCESS_LINE_H

#include "http/out.h"
#include "worker/access.h"

/* The request of s->log is over: writes its line as the listener's format says. */
void access_line(struct session *s);

/*
 * Bytes from outside, so that they can neither end a line nor move a cursor: what is not printable ASCII, a
 * quotation mark or a backslash becomes \xNN, in JSON \u00NN.
 */
void access_line_escape(struct http_out *o, bool json, const char *at, size_t size);

#endif
