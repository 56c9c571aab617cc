/*
 * A second reader of heads for the fuzz targets, which shares nothing with http/: slow, plain, and stricter
 * than anybody. It reads what was written, never what came, and aborts at the first thing that is not as it
 * should be.
 */
#ifndef TESTS_FUZZ_STRICT_H
#define TESTS_FUZZ_STRICT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if defined(__SANITIZE_ADDRESS__) || (defined(__has_feature) && __has_feature(address_sanitizer))
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define FAIL(what) do { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, (what)); abort(); } while (0)
#define MUST(condition) do { if (!(condition)) FAIL(#condition); } while (0)

enum strict_kind { STRICT_REQUEST, STRICT_ANSWER, STRICT_OWN };	/* OWN: with fields of the caller's, blanks as he likes */

/* What it found. */
struct strict {
	enum strict_kind kind;
	unsigned fields, hosts, lengths, codings, connections, upgrades;
	bool close, keep_alive, upgrade;	/* said by Connection */
	char length[24];			/* value of Content-Length */
};

static inline bool strict_is(const char *p, size_t n, const char *word)
{
	return n == strlen(word) && !strncasecmp(p, word, n);
}

static inline void strict_field(struct strict *s, const char *p, size_t n)
{
	static const char *const gone[] = { "keep-alive", "proxy-connection", "te", "trailer", "proxy-authorization",
	    "proxy-authenticate", "http2-settings" };
	const char *colon = memchr(p, ':', n);
	const char *v;
	size_t name, size;

	MUST(colon && colon > p);
	name = (size_t)(colon - p);
	for (size_t i = 0; i < name; i++)
		MUST(p[i] > ' ' && p[i] < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", p[i]));
	v = colon + 1;
	size = n - name - 1;
	if (s->kind != STRICT_OWN) {
		MUST(size && *v++ == ' ');
		size--;
		MUST(!size || (*v != ' ' && *v != '\t' && v[size - 1] != ' ' && v[size - 1] != '\t'));
	}
	s->fields++;
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		MUST(!strict_is(p, name, gone[i]));
	if (s->kind == STRICT_OWN && size && *v == ' ') {
		v++;
		size--;
	}
	if (strict_is(p, name, "host"))
		s->hosts++;
	if (strict_is(p, name, "content-length")) {
		s->lengths++;
		MUST(size > 0 && size < 20);
		for (size_t i = 0; i < size; i++)
			MUST(v[i] >= '0' && v[i] <= '9');
		MUST(size == 1 || v[0] != '0');
		memcpy(s->length, v, size);
	}
	if (strict_is(p, name, "transfer-encoding")) {
		s->codings++;
		MUST(size == 7 && !memcmp(v, "chunked", 7));
	}
	if (strict_is(p, name, "upgrade"))
		s->upgrades++;
	if (strict_is(p, name, "connection")) {
		s->connections++;
		if (strict_is(v, size, "close"))
			s->close = true;
		else if (strict_is(v, size, "keep-alive"))
			s->keep_alive = true;
		else if (strict_is(v, size, "upgrade"))
			s->upgrade = true;
		else
			FAIL("not a Connection of ours");
	}
}

/* A whole head, and not a byte more. The start line is only looked at for its shape. */
static inline struct strict strict_head(const char *p, size_t n, enum strict_kind kind)
{
	struct strict s = { .kind = kind };
	const char *end = p + n, *line = p;
	bool request = kind == STRICT_REQUEST;
	unsigned lines = 0;

	for (const char *q = p; q < end; q++) {
		unsigned char c = (unsigned char)*q;

		if (c == '\r') {
			MUST(q + 1 < end && q[1] == '\n');
			q++;
			if (lines++ == 0) {
				const char *first = memchr(line, ' ', (size_t)(q - 1 - line));

				MUST(first && first > line);
				if (request) {
					const char *second = memchr(first + 1, ' ', (size_t)(q - 1 - first - 1));

					MUST(second && second > first + 1 && q - 1 - second == 9);
					MUST(!memcmp(second, " HTTP/1.1", 9));
					MUST(first[1] == '/' || (first[1] == '*' && second == first + 2));
				} else {
					MUST(q - 1 - line >= 13 && !memcmp(line, "HTTP/1.1 ", 9) && line[12] == ' ');
				}
			} else if (q - 1 == line) {
				MUST(q + 1 == end);
				MUST(s.lengths + s.codings <= 1);
				return s;
			} else {
				strict_field(&s, line, (size_t)(q - 1 - line));
			}
			line = q + 1;
			continue;
		}
		MUST(c != 0x7f && (c >= 0x20 || (c == '\t' && lines > 0) || (c == '\t' && !request)));
	}
	FAIL("a head without an end");
	return s;
}

/* Room of exactly this size; what is behind `readable` bytes of it is poisoned. */
static inline char *strict_copy(const void *data, size_t size, size_t readable)
{
	char *p = malloc(size + 1);

	MUST(p);
	if (size)
		memcpy(p, data, size);
	ASAN_POISON_MEMORY_REGION(p + readable, size + 1 - readable);
	return p;
}

static inline void strict_free(char *p, size_t size)
{
	ASAN_UNPOISON_MEMORY_REGION(p, size + 1);
	free(p);
}

#endif
