/* Directives of a pool that have a grammar of their own. */
#ifndef CONF_PARSE_POOL_H
#define CONF_PARSE_POOL_H

#include "conf/parse.h"

/* Of the line being read, in the pool opened last. Messages go to p->diag. */
void parse_pool_check(struct parse *p, struct conf_pool *pool);
void parse_pool_server(struct parse *p, struct conf_pool *pool);

#endif
