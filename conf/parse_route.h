/* Routes of a listener: conditions, and what becomes of requests that meet them. */
#ifndef CONF_PARSE_ROUTE_H
#define CONF_PARSE_ROUTE_H

#include "conf/parse.h"

#define PARSE_ROUTE_FORM "route CONDITION ... to POOL, redirect STATUS TARGET, answer STATUS [FILE] or serve status"

/* Of the line being read, in the listener opened last. Messages go to p->diag. */
void parse_route(struct parse *p, struct conf_listener *l);
/* Words from i on: FILE [type TYPE]. 0, or -1 after a message. */
int parse_route_body(struct parse *p, unsigned i, struct conf_body *b);
/* Words i and i + 1: serve status. 0, or -1 after a message. */
int parse_route_serve(struct parse *p, unsigned i);
/* Does a request that `later` takes always meet the conditions of `earlier`? */
bool parse_route_covers(const struct conf_route *earlier, const struct conf_route *later);
void parse_route_free(struct conf_route *r);

extern const char *const parse_route_words[];	/* that may begin a condition or an action */

#endif
