/*
 * What the balancer says itself: errors, redirects, fixed answers, and what the last one on the way of a
 * request says. Each writes to s->out (and its tail), which session_reply() has prepared.
 */
#ifndef WORKER_REPLY_H
#define WORKER_REPLY_H

#include "http/out.h"
#include "worker/session.h"

/* With the seed's command line these are always the 57 bytes of status 500. */
void reply_error(struct session *s, unsigned status);
/* A route that leads to no pool. `at` is where the bytes of h are. */
void reply_route(struct session *s, const struct conf_route *r, const struct http_head *h, const char *at);
/* To OPTIONS and TRACE with Max-Forwards: 0. RFC 9110 7.6.2 */
void reply_last(struct session *s, const struct http_head *h, const char *at);

/* The line Date, where one is wanted. */
void reply_date(struct http_out *o);
/* Value of Location: 0 when it does not fit, or the request has no host for it. */
size_t reply_location(char *out, size_t room, const struct conf_route *r, const struct http_head *h, const char *at);

#endif
