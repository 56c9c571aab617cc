/* What is shown, as JSON: the same keys for ever, times in seconds, rates a second. */
#ifndef CTL_SHOW_JSON_H
#define CTL_SHOW_JSON_H

#include <stdio.h>

#include "ctl/view.h"

/* what: "" (everything), "servers", "pools", "listeners", "workers" or "errors". pattern: of servers, or NULL. */
void show_json(FILE *out, const struct view *v, const char *what, const char *pattern);

#endif
