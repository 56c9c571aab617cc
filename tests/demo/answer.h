/* What the demo server answers: one connection's state, and the answers by path and query. */
#ifndef TESTS_DEMO_ANSWER_H
#define TESTS_DEMO_ANSWER_H

#include "tests/demo/request.h"
#include "tests/tools/pattern.h"

#define ANSWER_HIGH 262144	/* bytes waiting to be sent: stop producing */

enum state {
	READ_HEAD, READ_BODY,
	WAIT,		/* for the time of the answer, or for ever */
	SEND,
	TUNNEL,		/* raw echo */
	DRAIN,		/* all is said; reads and forgets until the other side closes */
};
enum ending { KEEP, CLOSE, CUT, RESET };

struct conn {
	struct conn *next, **prev;	/* in `waiting` while wake_ns is set */
	uint64_t wake_ns;
	int fd;
	uint32_t events;		/* what epoll watches */
	enum state state;
	enum ending ending;
	bool eof;			/* the other side sends no more */
	char *in;
	size_t in_size;
	struct request req;
	char *head;			/* copy of the request's head, for /headers */
	size_t head_size;
	uint64_t body_left;
	struct chunks chunks;
	bool echo, early, after_early;	/* what is done with the body; whether the answer does not wait for it */
	struct cksum sum;
	uint64_t drip, slowread;	/* bytes per 10 ms; 0: as fast as it goes */
	uint64_t allowance;		/* of the current 10 ms */
	char *out;
	size_t out_size, out_at, out_room;
	uint64_t gen_left, gen_at, seed;	/* pattern still to be produced */
	bool gen_chunked, trailers;
	bool served;			/* a request has come; --once: the next one finds the connection closed */
	bool counted;			/* in server.now */
	char *body;
	size_t body_size, body_room;
};

/* The server as a whole. */
struct server {
	const char *name, *health;	/* health: as --health says */
	uint64_t entries, errors;	/* what /healthcheck tells */
	uint64_t status, die_after;	/* --status, --die-after; 0: not given */
	bool count_health;
	unsigned now, most;		/* requests being answered, and the most there have been at a time */
};
extern struct server server;

/* Writes to c->out the answer to c->req; may also change c->state (a tunnel), c->ending and c->gen_*. */
void answer(struct conn *c);
void answer_text(struct conn *c, unsigned status, const char *text);
/* Refills c->out from the pattern that is still owed. */
void answer_produce(struct conn *c);
void answer_put(struct conn *c, const void *data, size_t n);
void answer_say(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* realloc() that does not fail: a server without memory ends. */
void *answer_grow(void *p, size_t size);

#endif
