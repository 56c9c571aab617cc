/*
 * What comes before a connection's own bytes, or stands at their beginning: the PROXY header that tells
 * whose connection it is, and the ClientHello by whose name mode tcp chooses the pool.
 */
#ifndef WORKER_PREAMBLE_H
#define WORKER_PREAMBLE_H

#include "http/client_hello.h"
#include "http/proxy_header.h"
#include "worker/session.h"

struct upstream;

/* What few sessions have, lent to them until they end. */
struct session_way {
	uint8_t to[16];			/* the address that the client has called, of the same family as its own; */
	uint16_t to_port;		/* with `proxied` */
	bool proxied;			/* a PROXY header has told these, and the session's peer */
	struct client_hello *hello;	/* lent while it is coming in */
	struct upstream *kept;		/* a connection to a server which knows it as this client's; see upstream_keep_own() */
};

enum preamble_result {
	PREAMBLE_WAIT,
	PREAMBLE_OVER,		/* the connection's own bytes begin, at the front of s->c.in if some have come */
	PREAMBLE_CLOSE,		/* not as it must be */
};

/* Is there something to be read before the session can begin? */
bool preamble_due(const struct session *s);
/* Goes on as far as it can. *pool is set where a route says so. */
enum preamble_result preamble_run(struct session *s, unsigned *pool);

/* The session's way, taken if it has none yet; NULL: out of memory. */
struct session_way *preamble_way(struct session *s);
/* At the session's end. */
void preamble_forget(struct session *s);

/* Writes the header by which a server gets to know the session's client. Returns its size. */
size_t preamble_write(char buf[static PROXY_HEADER_WRITE_MAX], const struct session *s, unsigned version);

#endif
