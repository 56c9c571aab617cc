/*
 * A conversation under way goes to another worker, descriptors, bytes and all, and neither side of
 * it notices: tunnels, uploads and answers at any moment, and requests that wait for their answer.
 */
#ifndef WORKER_MOVE_H
#define WORKER_MOVE_H

#include "worker/session.h"

/* May this one go now? */
bool move_possible(const struct session *s);
/* Sends it to the supervisor; on success the session is gone. False: not now, the channel takes nothing. */
bool move_out(struct session *s);
/* Takes one over: a message of type HANDOFF_MOVE. */
void move_in(const struct handoff_msg *m);

/* Idle connections to the servers go too, so that a reload is no storm of connects; as many as the channel takes. */
void move_kept_out(void);
void move_kept_in(const struct handoff_msg *m);

#endif
