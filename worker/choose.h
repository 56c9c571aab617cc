/*
 * Which server gets it: gathers the view of the table that the pool's algorithm wants, asks it, and
 * keeps the books (in flight, dispatched, failures) in this worker's cells.
 */
#ifndef WORKER_CHOOSE_H
#define WORKER_CHOOSE_H

#include "worker/state.h"

#define CHOOSE_TRIED 8

/* Servers that have failed this request already. More than fit are known to be down anyway. */
struct tried {
	uint16_t server[CHOOSE_TRIED];
	uint16_t n;
};

/* What a request brings to the choice. */
struct ask {
	const struct tried *tried;
	uint64_t key;		/* balance hash: what it goes by, hashed */
	int sticky;		/* position of the server that its cookie names; -1: none */
	uint16_t how;		/* enum shm_how: _RETRY, _QUEUED, _HEDGE */
	uint32_t waited_us;	/* in the line */
};

/* What came of it. */
struct choice {
	bool full;		/* a server that could be chosen otherwise has its maxconn */
	uint8_t rule;		/* enum shm_rule */
	uint16_t how;		/* enum shm_how, what was asked included */
	uint64_t number;	/* shm_choice.number, where it was told; else 0 */
	uint32_t place;		/* then, in its ring */
};

void choose_init(void);

/* The server for the next request of the pool, counted as in flight there. NULL: none is up, or c->full. */
struct server *choose_server(struct pool *p, const struct ask *ask, struct choice *c);
/* Whether a server of the pool could take a request now. */
bool choose_room(struct pool *p);
void choose_tried(struct tried *t, const struct server *s);
bool choose_was_tried(const struct tried *t, unsigned i);
/* A request that another worker had placed there goes on here. */
void choose_adopt(struct server *s);
/* The request has left the server; reached: it may have got there. */
void choose_done(struct server *s, bool reached);
/* The server failed in a way that takes it down: say so in the table, at once. */
void choose_down(struct server *s, enum shm_outcome outcome);
bool choose_usable(const struct server *s);

#endif
