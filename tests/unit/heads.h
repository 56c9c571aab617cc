/*
 * Reads a head in all ways: whole, byte by byte, and cut at each position, always at the edge of an
 * unreadable page and at another address in each call. All must come out the same.
 */
#ifndef TESTS_UNIT_HEADS_H
#define TESTS_UNIT_HEADS_H

#include "http/head.h"

#include "tests/unit/edge.h"
#include "tests/unit/tap.h"

#define S(text)	(text), sizeof(text) - 1
#define H	"Host: a\r\n"
#define END	"\r\n"

static struct edge edge;	/* main() makes it */

static const char *const method_names[] = {
	[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE",
	[HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE", [HTTP_PATCH] = "PATCH", [HTTP_CONNECT] = "CONNECT",
};

/* What was understood, in words. */
static inline const char *describe(const struct http_head *h, const char *buf)
{
	static char text[512];
	char *p = text, *end = text + sizeof(text);

#define ADD(...) do { p += snprintf(p, (size_t)(end - p), __VA_ARGS__); } while (0)
#define SPAN(s)	(int)(s).size, buf + (s).at
	if (h->is_request) {
		if (h->method)
			ADD("%s", method_names[h->method]);
		else
			ADD("(%.*s)", SPAN(h->method_text));
		ADD(" 1.%d %.*s @%.*s", h->minor, SPAN(h->target), SPAN(h->authority));
	} else {
		ADD("1.%d %d (%.*s)", h->minor, h->status, SPAN(h->reason));
	}
	switch (h->framing) {
	case HTTP_NO_BODY: ADD(" none"); break;
	case HTTP_LENGTH: ADD(" length %llu", (unsigned long long)h->length); break;
	case HTTP_CHUNKED: ADD(" chunked"); break;
	case HTTP_UNTIL_CLOSE: ADD(" close"); break;
	}
	ADD("%s%s%s%s%s", h->keep_alive ? " keep" : "", h->expect_continue ? " expect" : "",
	    h->upgrade ? " upgrade" : "", h->te_trailers ? " trailers" : "", h->absolute ? " absolute" : "");
	if (h->max_forwards >= 0)
		ADD(" forwards %d", h->max_forwards);
	if (h->keep_alive_timeout_s)
		ADD(" timeout %u", h->keep_alive_timeout_s);
	return text;
}

/* All that a caller may look at. */
static inline bool same_head(const struct http_head *a, const struct http_head *b, enum http_result r)
{
	if (r == HTTP_BAD)
		return a->error == b->error && a->why == b->why;
	return a->size == b->size && a->minor == b->minor && a->method == b->method && a->status == b->status &&
	    !memcmp(&a->method_text, &b->method_text, sizeof(a->method_text)) &&
	    !memcmp(&a->target, &b->target, sizeof(a->target)) &&
	    !memcmp(&a->authority, &b->authority, sizeof(a->authority)) &&
	    !memcmp(&a->reason, &b->reason, sizeof(a->reason)) &&
	    a->absolute == b->absolute && a->framing == b->framing && a->length == b->length &&
	    a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue &&
	    a->upgrade == b->upgrade && a->te_trailers == b->te_trailers && a->max_forwards == b->max_forwards &&
	    a->keep_alive_timeout_s == b->keep_alive_timeout_s && a->seen == b->seen &&
	    a->repeated == b->repeated && a->nfields == b->nfields &&
	    !memcmp(a->field, b->field, a->nfields * sizeof(a->field[0])) &&
	    !memcmp(a->first, b->first, sizeof(a->first));
}

/* A reader of requests or of answers to `to`. */
struct reader {
	bool request;
	enum http_method to;
	const struct http_limits *limits;
};

static inline void start(struct http_head *h, const struct reader *r)
{
	memset(h, 0xa5, sizeof(*h));	/* nothing may lean on what was there */
	if (r->request)
		http_request_start(h, r->limits);
	else
		http_response_start(h, r->limits);
}

static inline enum http_result parse(struct http_head *h, const struct reader *r, const char *text, size_t size)
{
	const char *at = edge_put(&edge, text, size);

	return r->request ? http_request_parse(h, at, size) : http_response_parse(h, at, size, r->to);
}

/* The result of the whole in *h; and the first difference that any way of cutting makes, or NULL. */
static inline const char *read_all_ways(struct http_head *h, enum http_result *result, const struct reader *r,
    const char *text, size_t size)
{
	static struct http_head other;
	static char why[100];
	enum http_result got = HTTP_PARTIAL;
	size_t ended = size;

	start(h, r);
	*result = parse(h, r, text, size);

	start(&other, r);
	for (size_t i = 0; i <= size; i++) {
		got = parse(&other, r, text, i);
		if (got != HTTP_PARTIAL) {
			ended = i;
			break;
		}
	}
	if (got != *result || !same_head(h, &other, got)) {
		snprintf(why, sizeof(why), "byte by byte: %d (%s)", got, other.why ? other.why : "");
		return why;
	}
	if (got == HTTP_DONE && ended != h->size) {
		snprintf(why, sizeof(why), "done after %zu bytes, size is %u", ended, h->size);
		return why;
	}
	if (parse(&other, r, text, size) != got || !same_head(h, &other, got))
		return "another answer when asked again";
	/* Cut once, anywhere: the end is where it was, and not before. */
	for (size_t cut = 0; cut < size; cut++) {
		start(&other, r);
		got = parse(&other, r, text, cut);
		if ((got == HTTP_PARTIAL) != (cut < ended || *result == HTTP_PARTIAL)) {
			snprintf(why, sizeof(why), "%d after %zu of %zu bytes", got, cut, ended);
			return why;
		}
		got = parse(&other, r, text, size);
		if (got != *result || !same_head(h, &other, got)) {
			snprintf(why, sizeof(why), "cut at %zu: %d (%s)", cut, got, other.why ? other.why : "");
			return why;
		}
	}
	return NULL;
}

#endif
