/*
 * What went wrong, and which request a choice was for, written down for an operator (lbctl show errors,
 * lbctl why): ipc/seen.h. Bounded in a second; what is held back is counted.
 */
#ifndef WORKER_WITNESS_H
#define WORKER_WITNESS_H

#include "ipc/seen.h"
#include "worker/exchange.h"

#define WITNESS_TOLD UINT8_MAX	/* exchange.blame: it has been written down already */

/* The request of a choice that was told. */
void witness_choice(const struct exchange *x, const struct choice *c);
/* A server failed the exchange. why: a few words more, or NULL. */
void witness_failed(const struct exchange *x, const struct server *s, enum seen_cause cause, enum seen_done done, unsigned status,
    const char *why);
/* The exchange gets `status` from us; the cause is x->blame, or follows from the status. */
void witness_refused(struct exchange *x, unsigned status);
/* A request that never became an exchange, whose bytes are at the front of s->c.in, as far as they came. */
void witness_request(const struct session *s, enum seen_cause cause, unsigned status, const char *why);

/* The request line of what the session is doing, as far as it is known. Returns its size. */
uint32_t witness_text(const struct session *s, char to[static SEEN_TEXT_MAX]);

#endif
