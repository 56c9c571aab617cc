/* The table in the text format that Prometheus scrapes. */
#ifndef IPC_METRICS_H
#define IPC_METRICS_H

#include <stdio.h>

#include "ipc/view.h"

/* Content type of what is written. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Needs a look with figures. */
void metrics_write(FILE *out, const struct view *v);

#endif
