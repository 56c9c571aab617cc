/* Directives of a listener that have a grammar of their own. */
#ifndef CONF_PARSE_LISTEN_H
#define CONF_PARSE_LISTEN_H

#include "conf/parse.h"

/* Of the line being read, in the listener opened last. Messages go to p->diag. */
void parse_listen_bind(struct parse *p, struct conf_listener *l);
void parse_listen_to(struct parse *p);
/* Word i is the name of a pool, which route `route` leads to; -1: the listener itself. */
void parse_listen_refer(struct parse *p, unsigned i, int route);

#endif
