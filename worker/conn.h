/*
 * One end of a conversation: a non-blocking socket, what is known of its readiness, and bytes read
 * from it that nobody has taken yet. A session has one to its client, an upstream one to its server.
 *
 * Registered with epoll once, edge-triggered, and only when there is first something to wait for: a
 * connection that brings one request and takes one answer may never be registered at all.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include <stdbool.h>

#include "os/loop.h"
#include "worker/mem.h"

struct conn {
	struct loop_fd h;
	struct buf *in;		/* lent while it holds bytes */
	/* In one word, because an idle connection is to be small. */
	bool armed:1;		/* registered with epoll */
	bool rd:1, wr:1;	/* may be readable, writable: nothing has said otherwise since the last edge */
	bool hup:1;		/* the peer has sent FIN, or worse: read until the end shows */
	bool broken:1;		/* reset, or both directions are over */
	bool eof:1;		/* the end has been read */
	bool shut:1;		/* we have sent FIN */
	bool sending:1;		/* a write has been put off, to be made with others; wr is false so long */
	bool cut:1;		/* writing has shown that the peer has reset it; reading may then show a mere end */
	/* custody.c; only a client's */
	bool peek:1;		/* what is read stays in the socket */
	unsigned owed:14;	/* bytes at the front of the socket that were read: answered ones, and then those in `in` */
	unsigned peeks:4;	/* reads that stayed there, of the request that is coming in */
	unsigned skips:4;	/* requests answered since the socket was last emptied */
	uint32_t custody;	/* ticket; 0: the supervisor holds no copy */
};

enum { CONN_AGAIN = -1, CONN_ERROR = -2 };	/* results of reading and writing, beside byte counts */

void conn_start(struct conn *c, int fd, loop_cb *cb);
/* Registers it, if it is not yet. 0, or -1 with errno. */
int conn_arm(struct conn *c);
void conn_events(struct conn *c, uint32_t events);
void conn_close(struct conn *c);

/* Reads into c->in, which is taken when needed. Bytes, 0 at the end, CONN_AGAIN, CONN_ERROR. Needs room. */
int conn_read(struct conn *c);
/* Takes n bytes off the front of c->in; gives the buffer back when it is empty. */
void conn_take(struct conn *c, uint32_t n);
/*
 * Writes first[0..first_size) and then second[..]. Bytes, CONN_AGAIN, CONN_ERROR.
 *
 * Small writes of one turn are made together, in one system call: then it is CONN_AGAIN and c->sending, the bytes have been
 * copied, and the event callback, called without an event before the turn is over, finds wr set again and has to
 * come back with the same bytes at the front (more behind them is fine), for which it gets what has become of them. Who
 * closes the connection before that has not written.
 *
 * fin: FIN follows in this turn when all of it is written, so the kernel may keep it back until then and send both in one
 * segment.
 */
long conn_write(struct conn *c, const char *first, size_t first_size, const char *second, size_t second_size, bool fin);
/* The same, never put off. Not while c->sending. */
long conn_write_now(struct conn *c, const char *first, size_t first_size, const char *second, size_t second_size, bool fin);
/* To be called when all events of a turn have been told. */
void conn_send_put_off(void);
/* Closing it will be a reset (with a copy elsewhere, it is one now): what it brought is not the whole, and the peer must
 * see that. */
void conn_reset(struct conn *c);
/* Sends FIN. */
void conn_shut(struct conn *c);

#endif
