/*
 * The way of an answer to its client.
 */
#ifndef WORKER_ANSWER_H
#define WORKER_ANSWER_H

#include "worker/exchange.h"

/* Moves what there is of the answer, head and body. */
enum exchange_result answer_receive(struct exchange *x);
/* The answer ends where it must not, after its beginning has been forwarded. */
enum exchange_result answer_cut(struct exchange *x);

#endif
