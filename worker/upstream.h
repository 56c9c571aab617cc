/*
 * Connections to servers: opened, used by one exchange at a time, kept while idle, closed.
 */
#ifndef WORKER_UPSTREAM_H
#define WORKER_UPSTREAM_H

#include "worker/conn.h"
#include "worker/state.h"

struct exchange;
struct session_way;

struct upstream {
	struct conn c;
	struct timer timer;		/* connect, answer, progress; while idle: until it is closed */
	struct server *server;
	struct exchange *x;		/* NULL: idle */
	struct upstream *next, **prev;	/* while idle, in server->idle */
	struct upstream **own;		/* while kept for one client: where its session has it; else NULL */
	uint32_t address;		/* shm_health.addr_seq of the address that it leads to; 0: not known */
	uint32_t uses;			/* exchanges before this one */
	uint32_t announced_s;		/* Keep-Alive: timeout=N of its last answer; 0: none */
};

/*
 * A connection to the server for the exchange: a kept one if there is one and `fresh` is not asked
 * for, else a new one, which may still be connecting (c.wr false). NULL with errno.
 * check: the request cannot be repeated, so make as sure as one can that a kept one still lives.
 */
struct upstream *upstream_get(struct server *s, struct exchange *x, bool fresh, bool check);
/* One that another worker opened; takes the descriptor. NULL with errno: it is closed. */
struct upstream *upstream_adopt(struct server *s, struct exchange *x, int fd, uint32_t uses);
/* The exchange is over and the connection is in order: keep it, or close it if enough are kept. */
void upstream_keep(struct upstream *u);
/*
 * The same where the server knows the connection as one client's, by a PROXY header: it is kept in `way`,
 * in place of the one that was there, for that client's next requests. way may be NULL: out of memory.
 */
void upstream_keep_own(struct upstream *u, struct session_way *way);
void upstream_close(struct upstream *u);
/* All idle ones of a server: it is down. */
void upstream_close_idle(struct server *s);
/* Of all servers. */
void upstream_close_all(void);

#endif
