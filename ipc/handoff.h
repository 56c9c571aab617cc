/*
 * Messages between the supervisor and a worker, over one SOCK_SEQPACKET pair per worker slot.
 *
 * A message is a head, `count` records, and the same number of descriptors in the same order
 * (SCM_RIGHTS). Both sides are non-blocking. Descriptors arrive close-on-exec.
 *
 * The supervisor keeps both ends of each pair, so what a dead worker had not received waits in the
 * socket for its successor. A worker holds only its own end.
 */
#ifndef IPC_HANDOFF_H
#define IPC_HANDOFF_H

#include <stdint.h>
#include <sys/socket.h>

#define HANDOFF_MAX 253		/* SCM_MAX_FD of the kernel: descriptors in one message */

enum handoff_type {
	HANDOFF_CONNS = 1,	/* S->W: new or moved client connections. W->S: connections handed back */
	HANDOFF_READY = 2,	/* W->S: set up, serving */
	HANDOFF_RETIRE = 3,	/* S->W: finish, hand back, exit */
	HANDOFF_REOPEN = 4,	/* S->W: reopen logs; files come along, opened anew. A record's `listener` says which: index of
				 * an access log in the receiver's configuration, or HANDOFF_EVENT_LOG */
	HANDOFF_STOP = 5,	/* S->W: shutting down: finish what is in flight, close idle ones, exit */
	HANDOFF_PING = 6,	/* S->W: nothing; that it was taken shows that the worker moves */
	HANDOFF_MOVE = 7,	/* W->S->W: one conversation under way: one record (the client), the descriptors of both ends
				 * and of pipes that hold bytes, and in `extra` what worker/move.c says of it */
	HANDOFF_KEPT = 8,	/* W->S->W: idle connections to servers: no record; in `extra` one struct handoff_kept each */
	HANDOFF_ASK = 9,	/* S->W: say what connections there are: one descriptor, to which the answer goes; no record; in
				 * `extra` a filter as text: ipc/conns.h */
};

struct handoff_head {
	uint16_t type;		/* enum handoff_type */
	uint16_t count;		/* records that follow */
	uint32_t generation;	/* sender's, for the log */
	uint16_t fds;		/* descriptors that come along; 0: as many as records */
	uint16_t pad;
	uint32_t extra;		/* bytes behind the records */
};

#define HANDOFF_EVENT_LOG UINT16_MAX

/* Its listener is gone: the conversation goes on to its end under another one, and the connection ends with it. */
#define HANDOFF_LAST 1
#define HANDOFF_HEADED 2	/* no PROXY header is to come: it has been read, or was never expected */
#define HANDOFF_PROXIED 4	/* the peer is the one of whom a PROXY header has told */
#define HANDOFF_SECURE 8	/* which also said that he came over TLS */
#define HANDOFF_ASKED 16	/* supervisor only: its next request was under way when a worker died */

/* One client connection. */
struct handoff_record {
	uint64_t accepted_ns;	/* CLOCK_MONOTONIC */
	uint32_t requests;	/* answered on it so far */
	uint16_t listener;	/* row of the listener in the configuration of the receiver's generation; the
				 * supervisor translates when it passes connections between generations */
	uint16_t flags;		/* HANDOFF_LAST and the ones below it */
	uint8_t family;		/* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: unknown */
	uint8_t pad;
	uint16_t port;		/* of the peer, host byte order */
	uint8_t addr[16];	/* of the peer; IPv4 in the first four */
	uint8_t to[16];		/* HANDOFF_PROXIED: the address that the peer had called, of the same family */
	uint16_t to_port;
	uint16_t skip;		/* bytes at the front of the socket that have been answered: ipc/book.h */
	uint32_t custody;	/* ticket, of the worker that it is handed to or comes from; 0: none */
	uint32_t pad2;
};

/* One idle connection to a server. */
struct handoff_kept {
	uint32_t server;	/* row in the shared table */
	uint32_t uses;		/* requests sent on it so far */
	uint32_t announced_s;	/* the server closes it after so many idle seconds; 0: it did not say */
};

#define HANDOFF_EXTRA_MAX (72 * 1024)
#define HANDOFF_MOVE_FDS 6	/* client, server, two pipes */

/* Large; memory is touched only as far as a message reaches. */
struct handoff_msg {
	struct handoff_head head;
	const char *extra;	/* to send: the sender's; received: points into `more` or the end of `rec` */
	int fd[HANDOFF_MAX];
	struct handoff_record rec[HANDOFF_MAX];
	char more[HANDOFF_EXTRA_MAX];	/* right behind rec: handoff_recv() fills both as one */
};

/* Descriptors of a message. */
static inline unsigned handoff_fds(const struct handoff_msg *m)
{
	return m->head.fds ? m->head.fds : m->head.count;
}

/* A channel: sv[0] is the supervisor's end, sv[1] the worker's. Non-blocking, close-on-exec. 0, or -1 with errno. */
int handoff_pair(int sv[2]);

/*
 * Sends one message; its descriptors stay open here, the caller closes them. Returns 0;
 * -1 with errno EAGAIN (channel full: try when writable), ETOOMANYREFS (too many descriptors in
 * flight), EPIPE or ECONNRESET (nobody there), ENOBUFS or ENOMEM.
 */
int handoff_send(int ch, const struct handoff_msg *m);

/*
 * Receives one message. Returns 1; 0 at the end of the channel; -1 with errno: EAGAIN (nothing
 * there), EBADMSG (malformed or descriptors cut short: what came has been closed and is dropped).
 */
int handoff_recv(int ch, struct handoff_msg *m);

void handoff_set_peer(struct handoff_record *r, const struct sockaddr_storage *ss);

#endif
