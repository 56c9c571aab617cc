/*
 * Workers that hang: skipped, relieved of what waits for them, and in the end replaced.
 */
#ifndef SUPERVISOR_HANG_H
#define SUPERVISOR_HANG_H

#include "supervisor/state.h"

#define HANG_SKIP_NS	(100 * CONF_MS)	/* dispatch goes past a worker that hangs for longer */

/* For how long a worker has not come round, as far as can be told; 0: it does. */
uint64_t hang_age_ns(struct worker *w);
/* Something was given to workers, or one was started: look after them until it is done. */
void hang_watch(struct supervisor *s);
/* A worker has just become ready: its past is forgotten. */
void hang_reset(struct worker *w);
void hang_init(struct supervisor *s);

#endif
