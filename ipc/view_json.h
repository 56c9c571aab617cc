/* What is shown, as JSON: the same keys for ever, times in seconds, rates a second. */
#ifndef IPC_VIEW_JSON_H
#define IPC_VIEW_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "ipc/json.h"
#include "ipc/view.h"

#define VIEW_JSON_STEP_MAX 10240	/* bytes that a step writes at most */

/* Where writing stands. The caller sets what and pattern, and the rest to zero. */
struct view_json {
	const char *what;	/* "" (everything), "servers", "pools", "listeners", "workers" or "errors" */
	const char *pattern;	/* of servers, or NULL */
	unsigned part, item;
	bool inside;		/* of an object that is open: its members only */
	bool is_name;
	struct json json;
};

/* Writes the next bit. False: that was the last. The view stays the same from step to step. */
bool view_json_step(FILE *out, const struct view *v, struct view_json *at);
/* All of it. */
void view_json(FILE *out, const struct view *v, const char *what, const char *pattern);
/* The same into an object that is open, for who adds to it. */
void view_json_into(struct json *j, const struct view *v, const char *what, const char *pattern);

#endif
