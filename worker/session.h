/*
 * One client connection: from the hand-off to its end, through any number of exchanges.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "http/head.h"
#include "ipc/handoff.h"
#include "worker/conn.h"
#include "worker/state.h"

enum session_phase {
	SESSION_IDLE,		/* between requests: nothing of the next one has come */
	SESSION_HEAD,		/* a request head is coming in */
	SESSION_EXCHANGE,	/* x says what goes on */
	SESSION_ANSWER,		/* an answer of our own is going out */
	SESSION_LINGER,		/* we have finished; the client may still be sending */
	SESSION_PREAMBLE,	/* what comes before the first request, or the tunnel: worker/preamble.h */
	SESSION_GONE,		/* memory that waits for another connection */
};

struct session {
	struct conn c;
	struct timer timer;
	const struct conf_listener *listener;
	struct exchange *x;
	struct session_way *way;	/* most have none: worker/preamble.h */
	struct http_head *head;		/* lent while a head is coming in */
	struct access *log;		/* lent while a request is under way, where the listener has an access log */
	struct buf *out;		/* lent while there is something to write that is in no other buffer */
	uint64_t accepted_ns;
	uint32_t requests;		/* begun */
	uint32_t run_at;		/* its place among those that gave way, from 1; 0: it is not there */
	uint16_t peer_port;
	uint8_t peer_family;
	uint8_t phase;			/* enum session_phase */
	bool headed;			/* no PROXY header is to come (any more) */
	bool secure;			/* the PROXY header said that the client came over TLS */
	bool close_after : 1;		/* SESSION_ANSWER: no request after this one */
	bool streamed : 1;		/* SESSION_ANSWER: there is more to come of it, see worker/status.h */
	bool head_request;		/* the last one was HEAD: our answer to it has no body */
	uint8_t peer[16];
};

/* Takes over a connection. Closes it when that cannot be done. */
void session_start(int fd, const struct handoff_record *r);
/* The same, but nothing is done with it yet: the caller knows what goes on. NULL: cannot be done, the descriptor is closed. */
struct session *session_adopt(int fd, const struct handoff_record *r);
/* What the supervisor and the next worker have to know of the client. */
void session_record(const struct session *s, struct handoff_record *r);
/* Goes on as far as it can. May end the session. */
void session_run(struct session *s);
/* Puts it among those that go on in the next turn. */
void session_yield(struct session *s);
void session_close(struct session *s);
/* Answers by itself: with `status`, or the seed's 57 bytes. `close`: what follows cannot be read as a request.
 * The caller returns to session_run(). */
void session_answer(struct session *s, unsigned status, bool close);
/* The same for worker/reply.c: prepares s->out for an answer that the caller writes. False: out of memory, end it. */
bool session_reply(struct session *s, bool close);
/* For fields and logs: the client's address, without port. Returns its size. */
size_t session_peer_text(const struct session *s, char *buf, size_t room);

/* All there are: session_at() for 0..session_places()-1; NULL: nobody is in that place. */
unsigned session_places(void);
const struct session *session_at(unsigned place);

/* Runs those that gave way. */
void session_run_yielded(void);
/* After worker.retiring or worker.stopping was set: closes, or hands back, all that are idle. */
void session_sweep(void);
/* Sends what is waiting to be handed back. 0; -1: the channel takes nothing now, or is gone. */
int session_flush_handed_back(void);

#endif
