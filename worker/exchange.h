/*
 * One request and its answer, or one tunnel: a session's client on one side, an upstream's server on
 * the other. Chooses the server, and another one when the first fails and that is safe.
 */
#ifndef WORKER_EXCHANGE_H
#define WORKER_EXCHANGE_H

#include "http/body.h"
#include "worker/choose.h"
#include "worker/flow.h"
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

/* All results but WAIT, GO and YIELD: the exchange is gone. */
/* The head in s->head, whose bytes are at the front of s->c.in, is whole: begins; takes the bytes. */
enum exchange_result exchange_start_http(struct session *s);
enum exchange_result exchange_start_tcp(struct session *s);
enum exchange_result exchange_run(struct exchange *x);
/* The session's timer has fired during the exchange. */
enum exchange_result exchange_client_timeout(struct exchange *x);
/* The session ends: lets go of everything. */
void exchange_abort(struct exchange *x);

/* From the upstream: an event on it; its timer has fired. May end the session. */
void exchange_event(struct exchange *x);
void exchange_server_timeout(struct exchange *x);

#endif
