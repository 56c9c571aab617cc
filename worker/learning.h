/*
 * What each exchange teaches about its server, for `balance adaptive`. Other pools keep no record.
 */
#ifndef WORKER_LEARNING_H
#define WORKER_LEARNING_H

#include "balance/balance.h"
#include "worker/state.h"

struct exchange;

/* The exchange has been given to its server. */
void learning_asked(struct exchange *x);
/* The head of the final answer is here, or the connection of mode tcp, which has no status: 0. */
void learning_answered(struct exchange *x, unsigned status);
/* The server failed it, before its answer or in the middle. */
void learning_failed(struct exchange *x);
/* The exchange leaves its server, however that came. */
void learning_left(struct exchange *x);
/* It goes on in another worker, which counts it as waiting by learning_asked(): there is nothing to learn from that. */
void learning_moved(struct exchange *x);

/* balance_view.look. arg: struct learning_view */
struct learning_view {
	struct pool *pool;
	const uint8_t *usable;		/* by position in the pool; NULL: what choose_usable() and queue_full() say */
	const struct tried *tried;
};
bool learning_look(void *arg, uint32_t i, struct balance_look *k);

#endif
