/* Bodies of answers, from files. */
#ifndef CONF_BODY_H
#define CONF_BODY_H

#include <stdio.h>

#include "conf/conf.h"

/* Content-Type for a file that is given none: by the end of its name. */
const char *body_type(const char *path);
/* Printable, and "/" in it: what may stand in Content-Type without changing the head around it. */
bool body_is_type(const char *text);

/*
 * Reads all files that a configuration names. 0, or -1 after messages on `err` in the form of the
 * configuration's own.
 */
int body_read_all(struct conf *c, FILE *err);
void body_free(struct conf_body *b);

#endif
