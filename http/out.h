/*
 * Where heads are written: room that remembers when it has run out, so that those who write need not look
 * after each piece.
 */
#ifndef HTTP_OUT_H
#define HTTP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct http_out {
	char *at, *end;
	bool full;		/* something did not fit: what has been written is of no use */
};

static inline void http_out_put(struct http_out *o, const char *text, size_t size)
{
	if ((size_t)(o->end - o->at) < size) {
		o->full = true;
		return;
	}
	memcpy(o->at, text, size);
	o->at += size;
}

#define HTTP_OUT_PUT(o, literal)	http_out_put((o), (literal), sizeof(literal) - 1)

static inline void http_out_number(struct http_out *o, uint64_t n)
{
	char text[20];
	size_t i = sizeof(text);

	do {
		text[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	http_out_put(o, text + i, sizeof(text) - i);
}

/* Bytes written since `from`, 0: not all of them fitted. */
static inline size_t http_out_size(const struct http_out *o, const char *from)
{
	return o->full ? 0 : (size_t)(o->at - from);
}

#endif
