/*
 * Accepting connections in rounds, and when.
 */
#ifndef SUPERVISOR_ACCEPT_H
#define SUPERVISOR_ACCEPT_H

#include "supervisor/state.h"

/* The epoll of the listeners. 0, or -1 with errno. */
int accept_init(struct supervisor *s);
/* Listeners in and out of it; where they are out, clients wait in the kernel. */
int accept_add(struct supervisor *s, struct listener *l);
void accept_remove(struct supervisor *s, struct listener *l);
/* Whether somebody came a short while ago, so that others may be on their way in. */
bool accept_recent(const struct supervisor *s);
/* Takes what waits at one listener that is about to be closed, as far as there is room for it. */
void accept_last(struct supervisor *s, struct listener *l);

/* Called by dispatch.c after each turn: a round that is due, and whether listeners are watched. */
void accept_turn(struct supervisor *s);
/* When accept_turn() wants to be called, CLOCK_MONOTONIC; UINT64_MAX: no matter. */
uint64_t accept_next_ns(const struct supervisor *s);

#endif
