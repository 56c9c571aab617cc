/*
 * Giving a request to a server: the first one, a wait in the queue where all are at their maxconn, and
 * another one when the first fails and that is safe.
 */
#ifndef WORKER_ATTEMPT_H
#define WORKER_ATTEMPT_H

#include "worker/exchange.h"

/* Finds a server and begins a connection to it (GO), waits for one in the queue (WAIT), or answers with `status`. */
enum exchange_result attempt_first(struct exchange *x, unsigned status);
/* The server failed before its answer began: tries another one where that is safe, else refuses with `status`. */
enum exchange_result attempt_again(struct exchange *x, enum shm_outcome outcome, unsigned status);
/* The server did not begin to answer in time. */
enum exchange_result attempt_late(struct exchange *x);
/*
 * The head of an answer is in x->head and nothing of it has been forwarded. True: its status is one to
 * retry on, and another server gets the request: *r is what the caller returns.
 */
bool attempt_instead(struct exchange *x, enum exchange_result *r);
/* The attempt is over without an answer. Books it; the caller lets go of it. True: its connection was stale. */
bool attempt_failed(struct exchange *x, enum shm_outcome outcome);
/* In state X_QUEUE: goes on when it is its turn. */
enum exchange_result attempt_queued(struct exchange *x);
/* In state X_QUEUE: it has waited too long. */
enum exchange_result attempt_waited(struct exchange *x);
/* What an error of connect(2) says. */
enum shm_outcome attempt_outcome(int err);

#endif
