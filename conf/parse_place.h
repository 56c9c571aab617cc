/* The pool directives balance, sticky, retry-on and hedge: which server gets a request, and which one gets it next. */
#ifndef CONF_PARSE_PLACE_H
#define CONF_PARSE_PLACE_H

#include "conf/parse.h"

void parse_place_balance(struct parse *p, struct conf_pool *pool);
void parse_place_sticky(struct parse *p, struct conf_pool *pool);
void parse_place_retry_on(struct parse *p, struct conf_pool *pool);
void parse_place_hedge(struct parse *p, struct conf_pool *pool);

#endif
