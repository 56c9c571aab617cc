/* route sni NAME to POOL: the parser's part for mode tcp. */
#ifndef CONF_PARSE_SNI_H
#define CONF_PARSE_SNI_H

#include "conf/parse.h"

/* Is the line, which begins with `route`, one by the name in a ClientHello? */
bool parse_sni_is(const struct parse *p);
void parse_sni_route(struct parse *p, struct conf_listener *l);
/* Of the listener that has just been closed. */
void parse_sni_check(struct parse *p, const struct conf_listener *l);

#endif
