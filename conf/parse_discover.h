/* Servers that names stand for: the pool's directive discover, and the name servers that are asked. */
#ifndef CONF_PARSE_DISCOVER_H
#define CONF_PARSE_DISCOVER_H

#include "conf/parse.h"

/* Of the line being read, in the pool opened last. Messages go to p->diag. */
void parse_discover(struct parse *p, struct conf_pool *pool);
void parse_discover_resolver(struct parse *p);

#endif
