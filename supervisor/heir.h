/*
 * The heir: a process that holds a copy of every descriptor that matters and does nothing but wait.
 * When the supervisor is killed it becomes the next one: listeners stay open, clients wait in the
 * kernel's backlog meanwhile, workers go on.
 */
#ifndef SUPERVISOR_HEIR_H
#define SUPERVISOR_HEIR_H

#include "supervisor/state.h"

/* After each turn: sees that there is an heir (where the configuration wants one) that holds what we hold. */
void heir_turn(struct supervisor *s);
/* From children_reap(): it has ended. */
void heir_ended(struct supervisor *s, int status);
/* Before and after an exec that is tried: if the new program dies before it has made an heir of its own, the heir that is
 * there goes on with the old program. */
void heir_upgrading(const struct supervisor *s, bool is);
/* Before an orderly end: nobody is to take over. Waits for its end. */
void heir_dismiss(struct supervisor *s);

#endif
