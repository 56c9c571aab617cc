/*
 * Keeping the servers of a pool level, for algorithms that compare what servers ever got.
 */
#ifndef HEALTH_LEVEL_H
#define HEALTH_LEVEL_H

struct round_pool;
struct round_server;

/* All servers of the pool start anew from the same level: at the start, and when weights change. */
void level_start(struct round_pool *p);
/* The server is about to come up: it joins its peers where they are. */
void level_join(struct round_server *s);
/*
 * Servers that could not take their turns (drained, full, failing for a worker) are not owed them
 * for ever: who has fallen far behind is moved up.
 */
void level_lift(struct round_pool *p);

#endif
