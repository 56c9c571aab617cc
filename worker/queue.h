/*
 * The line of requests that wait because every server that could take them is at its maxconn. How it
 * is kept in order over all workers, without a lock: queue.c.
 */
#ifndef WORKER_QUEUE_H
#define WORKER_QUEUE_H

#include "worker/state.h"

struct exchange;

/* In an exchange, while it waits. */
struct queued {
	struct exchange *next, **prev;	/* prev NULL: it does not wait */
	uint64_t ticket;		/* its place: lower goes first, over all workers */
	uint64_t since_ns;
};

/* Start-up only. */
void queue_init(void);

/* How many requests the server gets at a time; 0: any number. */
static inline uint32_t queue_limit(const struct server *s)
{
	uint32_t most = atomic_load_explicit(&s->row->maxconn, memory_order_relaxed), learned;

	if (most == 0 || atomic_load_explicit(&s->row->maxconn_least, memory_order_relaxed) == 0)
		return most;
	learned = atomic_load_explicit(&s->health->limit, memory_order_relaxed);
	return learned && learned < most ? learned : most;
}

/* Whether it has them. What was so a moment ago need not be so now: only queue_claim() is exact. */
bool queue_full(const struct server *s);

/* One more request at the server, counted in our column. False: it is at its maxconn, nothing is changed. */
bool queue_claim(struct server *s);
/* One less. Whoever is first in the line is told. */
void queue_release(struct server *s);

/* For a conversation that a successor goes on with: gives up the place only when that one has surely counted it. */
void queue_hold(struct server *s);
/* Whether there are such; who ends now would give them up too soon. */
bool queue_holds(void);

/* Whether somebody, here or in another worker, waits already: then a new request has to wait as well. */
bool queue_busy(const struct pool *p);
/* At the end of the line. 0, or -1: it is full. */
int queue_join(struct pool *p, struct exchange *x);
/* It waits no more: it has gone on, or was given up. Nothing happens when it did not wait. */
void queue_leave(struct pool *p, struct exchange *x);

/* The first of the line has its turn after `wait_ns`: tells how long the line is in time. */
void queue_waited(struct pool *p, uint64_t wait_ns);

/* Lets those go on whose turn it is; the worker's loop calls it in each turn. True: there is more to do at once. */
bool queue_run(void);

#endif
