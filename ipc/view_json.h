/* What is shown, as JSON: the same keys for ever, times in seconds, rates a second. */
#ifndef IPC_VIEW_JSON_H
#define IPC_VIEW_JSON_H

#include <stdio.h>

#include "ipc/json.h"
#include "ipc/view.h"

/* what: "" (everything), "servers", "pools", "listeners", "workers" or "errors". pattern: of servers, or NULL. */
void view_json(FILE *out, const struct view *v, const char *what, const char *pattern);
/* The same into an object that is open, for who adds to it. */
void view_json_into(struct json *j, const struct view *v, const char *what, const char *pattern);

#endif
