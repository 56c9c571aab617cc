/*
 * What workers found out about servers.
 */
#ifndef HEALTH_FINDING_H
#define HEALTH_FINDING_H

#include <stdbool.h>

#include "shm_stats.h"

struct round;
struct round_server;
typedef void finding_cb(struct round_server *s, enum shm_outcome outcome);

/*
 * Calls found for each server of which workers have found something since the last look. NULL: only
 * remembers what there is. False: the supervisor is folding a column just now, look again in a
 * millisecond.
 */
bool finding_look(struct round *r, finding_cb *found);

#endif
