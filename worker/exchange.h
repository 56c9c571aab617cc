/*
 * One request and its answer, or one tunnel: a session's client on one side, an upstream's server on
 * the other. Chooses the server, and another one when the first fails and that is safe.
 */
#ifndef WORKER_EXCHANGE_H
#define WORKER_EXCHANGE_H

#include "http/body.h"
#include "worker/choose.h"
#include "worker/flow.h"
#include "worker/queue.h"
#include "worker/session.h"
#include "worker/upstream.h"

enum exchange_result {
	EXCHANGE_WAIT,		/* goes on with the next event */
	EXCHANGE_GO,		/* something has changed: run on, now */
	EXCHANGE_YIELD,		/* goes on in the next turn */
	EXCHANGE_NEXT,		/* over; the session may read another request */
	EXCHANGE_ANSWER,	/* over; session_answer() has been called */
	EXCHANGE_LINGER,	/* over; finish with the client in peace */
	EXCHANGE_CLOSE,		/* over; the client's connection with it */
	EXCHANGE_RESET,		/* over; the client must see that its answer was cut */
};

enum exchange_state {
	X_QUEUE,	/* no server has room: waits in the pool's line */
	X_CONNECT,	/* the upstream is connecting */
	X_TALK,		/* request out, answer in */
	X_TUNNEL,	/* bytes both ways until both have ended */
};

struct fields_notes;
struct hedge;

struct exchange {
	struct session *s;
	struct upstream *u;	/* NULL only while a server is being chosen, or waited for */
	struct server *server;	/* counted as in flight there */
	struct pool *pool;
	struct tried tried;
	struct queued queued;	/* queue.c */
	uint64_t key;		/* place.c: see struct ask */
	int sticky;
	uint16_t queue_status;	/* X_QUEUE: what to answer when no server is left */
	bool turn;		/* X_QUEUE: it may go on, at x->server if that is set */
	struct fields_notes *notes;	/* lent when the answer or the log will want something of the request */
	struct hedge *hedge;	/* lent while a second copy is on its way: hedge.c */
	unsigned failures;	/* attempts that failed, but for kept connections found dead */
	uint8_t state;		/* enum exchange_state */
	uint8_t rule;		/* enum shm_rule: by what x->server was chosen; stays for the log when that is gone */
	uint16_t how;		/* enum shm_how */
	uint8_t blame;		/* enum seen_cause: what went wrong last; 0: nothing has. For witness.c */
	uint32_t blamed;	/* row of the server that it went wrong at */
	uint8_t method;		/* enum http_method */
	uint8_t minor;		/* of the client's HTTP version */
	bool client_keep;	/* the client lets its connection live, and so do we */
	bool client_last;	/* the client has said that it will send no more */
	bool upgrade;		/* asked for another protocol */
	bool timed_out;		/* the upstream's timer has fired */
	bool asked;		/* counted as waiting for the server's answer: learning.c */
	bool fresh;		/* a kept connection failed: take a new one */
	bool hedge_due;		/* the session's timer says when a second copy is due */
	bool hedged, hedge_won;	/* there was one; the answer is of its server */
	bool moved;		/* a successor goes on with it */
	bool hung_up;		/* a server has closed a new connection without an answer */
	bool foreign;		/* it moved, and its server knows the connection as none of ours is known: it is not kept */

	/* request */
	struct buf *req;	/* its head as it goes out, and its body as far as that is held; workspace of chunks */
	struct http_body req_body;	/* chunked */
	uint64_t req_left;	/* of a body with a length: bytes not yet taken from the client */
	uint64_t max_body;	/* of the configuration that took the request in */
	uint32_t req_span;
	bool req_chunked;
	bool req_read;		/* all of it has been read from the client */
	bool req_sent;		/* all of it has been written to the server */
	bool req_broken;	/* the server takes no more of it; its answer may still come */
	bool reached;		/* some of it has been written to the server */
	bool replay;		/* all that was taken from the client of it stands in req: it can be sent again */
	struct flow up;

	/* answer */
	struct http_head *head;	/* lent while it is coming in */
	struct http_body res_body;
	uint64_t res_left;
	uint32_t res_span;
	uint8_t res_framing;	/* enum http_framing, as the server frames it */
	bool res_chunked;	/* as it goes out */
	bool res_over;
	bool answered;		/* its head has been read and forwarded */
	bool interim;		/* a 1xx has come: the server has the request, and has begun to answer */
	bool keep_client, keep_server;
	bool up_over, down_over;	/* tunnel: that direction has ended and said so */
	uint16_t status;
	struct flow down;
	uint32_t seen;		/* bytes of u->c.in that the head's parser has seen */
	uint64_t chosen_ns;	/* given to the server */

	/* what the timers mean: whom the exchange waits for, and how much had moved when it began to */
	bool wait_body, wait_client, wait_server;
	uint64_t client_moved, server_moved;
};

/* All results but WAIT, GO and YIELD: the exchange is gone. */
/* The head in s->head, whose bytes are at the front of s->c.in, is whole: begins; takes the bytes. */
enum exchange_result exchange_start_http(struct session *s);
enum exchange_result exchange_start_tcp(struct session *s, unsigned pool);
enum exchange_result exchange_run(struct exchange *x);
/* For one that goes on here: with a server and a connection to it, the rest is the caller's (move.c). Takes
 * the descriptor; NULL: it is closed. */
struct exchange *exchange_adopt(struct session *s, struct server *sv, int fd, uint32_t uses);
/* The session's timer has fired during the exchange. */
enum exchange_result exchange_client_timeout(struct exchange *x);
/* The client has left, or is given up: lets go of everything. */
void exchange_abort(struct exchange *x);

/* For request.c, answer.c and tunnel.c. */
/* Over: books it and lets go of everything. keep_upstream: its connection is in order for another request. */
void exchange_end(struct exchange *x, bool keep_upstream);
/* The balancer answers instead of a server, where an answer has not begun. */
enum exchange_result exchange_refuse(struct exchange *x, unsigned status);
/* Lets go of server and upstream. keep: the connection is in order; reached: the server may have got the request. */
void exchange_leave(struct exchange *x, bool reached, bool keep);
/* From the queue: tries to go on. False: no server has room; else it has left the line, and may be gone. */
bool exchange_turn(struct exchange *x);
/* From the queue: it is sent away from the line. It may be gone afterwards. */
void exchange_shed(struct exchange *x);

/* Tells the server whose connection this new one is (send-proxy). False with errno. */
bool exchange_introduce(const struct exchange *x, const struct upstream *u);

/* From an upstream: an event on it; its timer has fired. May end the session. */
void exchange_event(struct exchange *x);
void exchange_server_timeout(struct exchange *x, const struct upstream *u);

#endif
