/* For the fuzz targets of heads: parsing in pieces says the same as parsing at once. */
#ifndef TESTS_FUZZ_SAME_H
#define TESTS_FUZZ_SAME_H

#include "http/head.h"

#include "tests/fuzz/strict.h"

/* Limits that an input of some hundred bytes can reach. */
static const struct http_limits same_limits = { .line = 200, .head = 1500, .fields = 20 };

static inline void same_span(struct http_span a, struct http_span b)
{
	MUST(a.at == b.at && a.size == b.size);
}

static inline void same_head(const struct http_head *a, const struct http_head *b, enum http_result r)
{
	if (r == HTTP_BAD) {
		MUST(a->error == b->error && a->why == b->why);
		return;
	}
	same_span(a->method_text, b->method_text);
	same_span(a->target, b->target);
	same_span(a->authority, b->authority);
	same_span(a->reason, b->reason);
	MUST(a->size == b->size && a->minor == b->minor && a->method == b->method && a->status == b->status);
	MUST(a->absolute == b->absolute && a->framing == b->framing && a->length == b->length);
	MUST(a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue && a->upgrade == b->upgrade);
	MUST(a->te_trailers == b->te_trailers && a->max_forwards == b->max_forwards);
	MUST(a->keep_alive_timeout_s == b->keep_alive_timeout_s && a->seen == b->seen && a->repeated == b->repeated);
	MUST(a->nfields == b->nfields && !memcmp(a->field, b->field, a->nfields * sizeof(a->field[0])));
	MUST(!memcmp(a->first, b->first, sizeof(a->first)));
}

static inline enum http_result same_parse(struct http_head *h, bool request, const char *p, size_t n, enum http_method to)
{
	return request ? http_request_parse(h, p, n) : http_response_parse(h, p, n, to);
}

static inline void same_start(struct http_head *h, bool request)
{
	memset(h, 0xa5, sizeof(*h));
	if (request)
		http_request_start(h, &same_limits);
	else
		http_response_start(h, &same_limits);
}

/* Parses at once, a byte at a time, and cut at `cut`; all must agree. The result of the whole is in *h. */
static inline enum http_result same_parse_all_ways(struct http_head *h, bool request, const char *data, size_t size,
    enum http_method to, size_t cut)
{
	static struct http_head other;
	enum http_result whole, r = HTTP_PARTIAL;
	char *p = strict_copy(data, size, size);

	same_start(h, request);
	whole = same_parse(h, request, p, size, to);
	MUST(whole != HTTP_BAD || (h->why && h->error >= 400 && (request || h->error == 502)));
	MUST(whole != HTTP_DONE || h->size <= size);
	strict_free(p, size);

	p = strict_copy(data, size, 0);
	same_start(&other, request);
	for (size_t i = 0; i <= size && r == HTTP_PARTIAL; i++) {
		ASAN_UNPOISON_MEMORY_REGION(p, i);
		r = same_parse(&other, request, p, i, to);
		MUST(r != HTTP_DONE || other.size == i);
	}
	MUST(r == whole);
	same_head(h, &other, whole);
	strict_free(p, size);

	cut = size ? cut % size : 0;
	p = strict_copy(data, size, cut);
	same_start(&other, request);
	r = same_parse(&other, request, p, cut, to);
	MUST(r == HTTP_PARTIAL || r == whole);
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	r = same_parse(&other, request, p, size, to);
	MUST(r == whole);
	same_head(h, &other, whole);
	strict_free(p, size);
	return whole;
}

/* Fields that are nobody's but the two ends': the same, in the same order, in what was written. */
static inline void same_fields(const struct http_head *a, const char *abuf, const struct http_head *b, const char *bbuf)
{
	unsigned j = 0;

	for (unsigned i = 0; i < a->nfields; i++) {
		const struct http_field *f = &a->field[i], *g;

		if (f->id != HTTP_FIELD_OTHER || f->drop)
			continue;
		while (j < b->nfields && b->field[j].id != HTTP_FIELD_OTHER)
			j++;
		MUST(j < b->nfields);
		g = &b->field[j++];
		MUST(f->name_size == g->name_size && f->value_size == g->value_size);
		/* A field called Close meets our own Connection: close; the name is reserved, RFC 9110 7.6.1. */
		MUST(!g->drop || strict_is(abuf + f->name_at, f->name_size, "close"));
		MUST(!memcmp(abuf + f->name_at, bbuf + g->name_at, f->name_size));
		MUST(!memcmp(abuf + f->value_at, bbuf + g->value_at, f->value_size));
	}
	while (j < b->nfields && b->field[j].id != HTTP_FIELD_OTHER)
		j++;
	MUST(j == b->nfields);
}

#endif
