/*
 * The worker's side of custody (ipc/book.h): what keeps a client's connection alive when this process dies.
 *
 * A connection is in one of two ways of reading. While it `peeks`, everything that conn_read() brings stays in the socket
 * too, and its word says that somebody else may go on with it. Once it is taken, bytes are read as usual, and the
 * connection ends with us; that is so from the first moment at which a second reader could do harm: before an answer
 * begins, before a server sees what must not be repeated, before bytes leave the socket that were not answered.
 */
#ifndef WORKER_CUSTODY_H
#define WORKER_CUSTODY_H

#include "ipc/book.h"
#include "worker/conn.h"

/* A connection comes, between requests: it peeks, if it has a ticket. */
void custody_begin(struct conn *c, const struct handoff_record *r);
/* A conversation under way comes: it is taken. */
void custody_adopt(struct conn *c, const struct handoff_record *r);
/* Between requests, `requests` of which have been answered: from here on it peeks, unless bytes are here that are no longer
 * in the socket. */
void custody_idle(struct conn *c, uint32_t requests);
/* A request that may be repeated goes to a server, `requests` before it were answered. */
void custody_ask(struct conn *c, uint32_t requests);
/* From here on it ends with us. */
void custody_take(struct conn *c);
/* What the PROXY header said, before custody_idle(). */
void custody_tell(const struct conn *c, const struct handoff_record *r);
/* Nothing that is here is in the socket too: before the descriptor goes to another worker. False: the connection is broken. */
bool custody_settle(struct conn *c, uint32_t requests);
/* The descriptor is about to be closed here; the last copy goes later. FIN is sent now. */
void custody_end(struct conn *c);

/* For conn.c. */
/* As conn_read(), but the bytes stay in the socket. */
int custody_peek(struct conn *c);
/* Takes all bytes out of the socket that are here already. 0, or -1: they were not there. */
int custody_discard(struct conn *c);

#endif
