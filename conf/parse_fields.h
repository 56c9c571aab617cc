/* What is changed in heads, whom to believe, and what the balancer says itself. */
#ifndef CONF_PARSE_FIELDS_H
#define CONF_PARSE_FIELDS_H

#include "conf/parse.h"

/* All: of the line being read. Messages go to p->diag. */

/* request-field, response-field set|add|remove NAME [VALUE] */
void parse_fields_edit(struct parse *p, struct conf_edits *e, bool request);
/* trusted-proxies all | none | CIDR ... */
void parse_fields_trust(struct parse *p, struct conf_trust *t);
/* error-file STATUS FILE [type TYPE] */
void parse_fields_error(struct parse *p, struct conf_errors *e);

void parse_fields_free_edits(struct conf_edits *e);
void parse_fields_free_errors(struct conf_errors *e);

extern const char *const parse_fields_ops[];	/* by enum http_edit_op */

#endif
