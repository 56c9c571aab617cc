/* The table's history as JSON: series of numbers by pool, worker and server, and what happened. */
#ifndef IPC_HISTORY_JSON_H
#define IPC_HISTORY_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include "ipc/history.h"
#include "ipc/json.h"

#define HISTORY_JSON_STEP_MAX 10240	/* bytes that a step writes at most */

/* What is wanted, and where writing stands. The caller sets the first part, and the rest to zero. */
struct history_json {
	unsigned span;			/* of enum above */
	uint64_t since;			/* steps after this one; 0: all */
	uint64_t event;			/* events after this one; 0: all */
	char pool[SHM_NAME_MAX];	/* series of its servers too; empty: none, "*": of all pools */

	unsigned part, item, series;
	uint64_t first, end;		/* steps: the first, and one behind the last */
	uint64_t next_event;
	int64_t real_offset_ms;		/* CLOCK_REALTIME less CLOCK_MONOTONIC */
	bool detail;
	const struct shm_past *past;
	struct json json;
};

/* Writes the next bit. False: that was the last. A step of time that is overwritten meanwhile is told as null. */
bool history_json_step(FILE *out, const struct table *t, struct history_json *at);

#endif
