/* The table in the text format that Prometheus scrapes. */
#ifndef IPC_METRICS_H
#define IPC_METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "ipc/view.h"

/* Content type of what is written. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_STEP_MAX 10240	/* bytes that a step writes at most */

/* Where writing stands; begins as zeros. */
struct metrics {
	unsigned family, item;
};

/* Writes the next bit. False: that was the last. The view has figures, and stays the same from step to step. */
bool metrics_step(FILE *out, const struct view *v, struct metrics *at);
/* All of it. */
void metrics_write(FILE *out, const struct view *v);

#endif
