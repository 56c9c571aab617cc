/*
 * Which worker gets a connection, and what happens when none has room.
 */
#ifndef SUPERVISOR_DISPATCH_H
#define SUPERVISOR_DISPATCH_H

#include "supervisor/state.h"

/*
 * Gives m's connections, or the conversation that it is (HANDOFF_CONNS, HANDOFF_MOVE; `listener` means the serving
 * generation's rows), to workers other than `but`, which may be NULL. Takes over the descriptors: what finds no
 * place waits in dispatch.round or dispatch.moved; supervisor_holds() must be false before.
 */
void dispatch_give(struct supervisor *s, struct handoff_msg *m, const struct worker *but);
/* Idle connections to servers (HANDOFF_KEPT): to one worker, if it has room. The descriptors stay the caller's. */
void dispatch_kept(struct supervisor *s, struct handoff_msg *m, const struct worker *but);
/* Whether a worker other than `but` would take connections now. */
bool dispatch_has_room(const struct supervisor *s, const struct worker *but);
/* After each turn of the loop: acts on what has changed, and on the clock. */
void dispatch_turn(struct supervisor *s);
/* How long the loop may sleep, nanoseconds; UINT64_MAX: for ever. */
uint64_t dispatch_wait_ns(const struct supervisor *s);

#endif
