/*
 * Forking workers and the health process, and what happens when they end.
 */
#ifndef SUPERVISOR_CHILDREN_H
#define SUPERVISOR_CHILDREN_H

#include "supervisor/state.h"

/* A generation's worker is given up after so many deaths before it was ready; see generation.failed. */
#define CHILDREN_ATTEMPTS	3

void children_init(struct supervisor *s);
/* Starts the process of a worker's place. When fork fails it is tried again after the back-off. */
void children_start_worker(struct worker *w);
/* Starts the health process for a generation's configuration. */
void children_start_health(struct supervisor *s, struct generation *g);
/* Tells the health process to end; health.pid is 0 when it has. */
void children_end_health(struct supervisor *s);
/* Ends it and starts another at once: unprivileged, it cannot open a log file anew. Verdicts stay in the table. */
void children_renew_health(struct supervisor *s);
/* Watches workers and health of a predecessor that was killed: they are not our children. */
void children_adopt(struct supervisor *s);
/* Collects every child that has ended, and sees to its successor. */
void children_reap(struct supervisor *s);
/* Ends every child that is left, at once. */
void children_kill(struct supervisor *s);
void children_kill_worker(struct worker *w);
/* What a worker that is gone left in its channel, as far as there is room. Sets drained when it was the last. */
void children_drain(struct worker *w);

#endif
