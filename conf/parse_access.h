/* access-log: where lines go, and what is in them. */
#ifndef CONF_PARSE_ACCESS_H
#define CONF_PARSE_ACCESS_H

#include "conf/parse.h"

/* access-log off, or access-log TARGET [format NAME|TEXT]: the line being read. */
void parse_access(struct parse *p, struct conf_access *a);
/* At the end of the file: listeners that say nothing have what stands outside of blocks. */
void parse_access_inherit(struct parse *p);

/* Zero is not "off". */
void parse_access_off(struct conf_access *a);
void parse_access_free(struct conf_access *a);

extern const char *const parse_access_formats[];	/* by enum conf_access_format; CONF_ACCESS_OWN has none: NULL */

#endif
