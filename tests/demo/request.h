/*
 * Reading requests strictly, for the demo server. It shares no line with the balancer's own parser:
 * it is the second opinion on what the balancer forwards, so it refuses whatever two readers could
 * understand differently.
 */
#ifndef TESTS_DEMO_REQUEST_H
#define TESTS_DEMO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_framing { REQUEST_NO_BODY, REQUEST_LENGTH, REQUEST_CHUNKED };

struct request {
	char method[24];
	char target[4096];
	char token[128];	/* X-Token, or "-" */
	int minor;		/* HTTP/1.minor */
	enum request_framing framing;
	uint64_t length;	/* REQUEST_LENGTH: bytes of the body */
	bool close;		/* the client wants the connection closed, or is 1.0 and did not ask to keep it */
	bool expect;		/* Expect: 100-continue */
	bool upgrade;		/* Upgrade, and Connection names it */
	const char *bad;	/* why it was refused */
};

/* Size of the head at the front of buf[0..n), 0: not whole yet, -1: refused, r->bad says why. */
long request_parse(struct request *r, const char *buf, size_t n);

/* A chunked body. */
struct chunks {
	enum {
		CHUNKS_SIZE, CHUNKS_SIZE_LF, CHUNKS_DATA, CHUNKS_DATA_CR, CHUNKS_DATA_LF, CHUNKS_TRAILER, CHUNKS_TRAILER_LF,
		CHUNKS_END
	} state;
	unsigned digits, line;
	uint64_t left;
	const char *bad;
};

/* Takes framing and then data from the front: *skip bytes of framing, then *data bytes of body. 1: that was the
 * end, 0: there is more, -1: refused. */
int chunks_next(struct chunks *c, const char *buf, size_t n, size_t *skip, size_t *data);

/* The value of `key` in the target's query ("?a=1&b=2"), copied to out; false: not there. */
bool request_query(const struct request *r, const char *key, char *out, size_t room);
uint64_t request_query_number(const struct request *r, const char *key, uint64_t otherwise);
/* Undoes %XX in place; returns the new size. */
size_t request_unescape(char *text);

#endif
