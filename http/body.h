/*
 * HTTP/1 bodies: framing. RFC 9112 6, 7. No I/O, no allocation.
 *
 * http_body_* reads what comes: tells how many bytes at the front of a buffer are framing and how
 * many are data, and when the body is over. http_chunk_* writes framing for what goes out.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/head.h"

struct http_body {
	uint8_t framing;	/* enum http_framing */
	uint8_t state;		/* private */
	uint16_t line;		/* bytes of the line with the chunk's size so far */
	uint32_t trailer_size;	/* bytes of trailers so far */
	uint64_t extensions;	/* bytes of chunk extensions so far, of all chunks */
	uint64_t left;		/* HTTP_LENGTH: bytes to come; HTTP_CHUNKED: of this chunk */
	uint64_t total;		/* data bytes seen */
	const char *why;	/* after HTTP_BAD */
};

void http_body_start(struct http_body *b, enum http_framing framing, uint64_t length);

/*
 * Looks at buf[0..size): *skip bytes of framing come first, then *data bytes of body; both may be
 * 0. The caller consumes skip + data bytes and calls again with what follows (also when size ran
 * out). HTTP_DONE: after these the body is over; what follows belongs to the next message.
 * HTTP_PARTIAL: there is more. HTTP_BAD: not valid framing; nothing of buf is to be used.
 * HTTP_UNTIL_CLOSE never ends by itself. Trailers are checked and skipped. A body without a byte is
 * over at once: the first call, even with size 0, says HTTP_DONE.
 */
enum http_result http_body_next(struct http_body *b, const char *buf, size_t size, size_t *skip, size_t *data);
/*
 * For data that was moved without being looked at (splice): HTTP_LENGTH, HTTP_UNTIL_CLOSE, or within a
 * chunk, whose rest is b->left (0: framing comes next, which has to be looked at). n <= left.
 */
enum http_result http_body_moved(struct http_body *b, uint64_t n);
/*
 * One that was begun by http_body_start() elsewhere, and came over from there: could it be that of such a body, not over
 * in disorder? The pointer in it is not looked at.
 */
bool http_body_sound(const struct http_body *b, enum http_framing framing);
/* End of file where the body is: true when that ends it in order (HTTP_UNTIL_CLOSE, or nothing left). */
bool http_body_eof(const struct http_body *b);

#define HTTP_CHUNK_HEAD_MAX 18	/* 16 hex digits and CRLF */
/* Writes "SIZE\r\n" to out[HTTP_CHUNK_HEAD_MAX]; returns its size. The data's own CRLF is the caller's. */
size_t http_chunk_head(char *out, uint64_t size);

#endif
