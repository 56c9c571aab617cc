/*
 * What is changed in heads on their way through: fields that tell of the client, the request's id, and
 * those that the configuration edits.
 */
#ifndef WORKER_FIELDS_H
#define WORKER_FIELDS_H

#include <stdalign.h>

#include "http/forward.h"
#include "worker/exchange.h"

#define FIELDS_ID_MAX 128	/* bytes of a request id that is passed on */
#define FIELDS_HOST_MAX 255	/* of a host in a value */
#define FIELDS_CALLED_MAX 64	/* of an address and port as a Host */

/* Of a request, kept for its answer: see exchange.notes. */
struct fields_notes {
	alignas(void *) uint8_t id_size;	/* slabs put a pointer where an object was */
	uint8_t host_size;
	char id[FIELDS_ID_MAX];
	char host[FIELDS_HOST_MAX];
};

/* Room for the texts that an edit points to; lives as long as it. */
struct fields_room {
	struct http_values values;
	char client[64];
	char forwarded[384];
};

/* Start-up only. */
void fields_init(void);

/*
 * Prepares the edit of the request in `h`, whose bytes are at `at`: fields that go are marked in h. Takes
 * x->notes when the answer or the log will want them. 0, or -1: out of memory.
 */
int fields_request(struct exchange *x, struct http_head *h, const char *at, struct http_request_edit *e,
    struct fields_room *room);
/* The same for the final head of an answer. */
void fields_response(struct exchange *x, struct http_head *h, const char *at, struct http_response_edit *e,
    struct fields_room *room);
/* Host for a request that names none: the address that the client has called. RFC 9112 3.3 */
struct http_text fields_called(const struct session *s, char out[static FIELDS_CALLED_MAX]);
/* The exchange is over. */
void fields_end(struct exchange *x);

/* Handing over: x->notes as bytes, at most FIELDS_PACKED_MAX. Returns the size, 0: none are held. */
#define FIELDS_PACKED_MAX (2 + FIELDS_ID_MAX + FIELDS_HOST_MAX)
size_t fields_pack(char *out, const struct exchange *x);
/* What another worker packed, for an answer that is still to come. What is not whole counts as not held. */
void fields_unpack(struct exchange *x, const char *in, size_t size);

/* Does the listener believe what this client says of others? */
bool fields_trusted(const struct conf_trust *t, uint8_t family, const uint8_t *peer);
/* Element of a Forwarded field, RFC 7239; client: address, or empty. Returns its size. */
size_t fields_forwarded(char *out, size_t room, struct http_text client, struct http_text host, const char *proto);

#endif
