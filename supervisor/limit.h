/*
 * Limits of connections (max-connections), and the wake-ups of the workers' slots.
 */
#ifndef SUPERVISOR_LIMIT_H
#define SUPERVISOR_LIMIT_H

#include "supervisor/state.h"

/* Before anything else: no slot has an eventfd yet. */
void limit_none(struct supervisor *s);
/* Makes the eventfd of each slot that has none. After the table and the loop; 0, or -1 with errno. */
int limit_init(struct supervisor *s);
void limit_close(struct supervisor *s);
/* A worker is gone and its column is folded: what it held may be what others wait for. */
void limit_worker_gone(struct supervisor *s);

/* How many more connections may be accepted from this address now. */
unsigned limit_room(const struct supervisor *s, const struct listener *l);
/* There is no room: accepts nothing there until there is. */
void limit_reached(struct supervisor *s, struct listener *l);
/* Before each turn of accepting: lets those go on that have room again. */
void limit_turn(struct supervisor *s);

#endif
