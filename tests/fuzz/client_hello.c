/*
 * Fuzz target: the name in a ClientHello. In pieces it says the same as at once; cut into other records,
 * too; and what it calls a name could be one.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/client_hello.h"

#include "tests/fuzz/strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 3000

static void same(const struct client_hello *a, const struct client_hello *b, enum http_result r)
{
	MUST(a->used == b->used);
	if (r == HTTP_BAD)
		MUST(a->why == b->why);
	if (r == HTTP_DONE)
		MUST(a->name_size == b->name_size && !memcmp(a->name, b->name, a->name_size + 1u));
}

/* The same handshake bytes in records of `cut` bytes: the same name. */
static void recut(const struct client_hello *h, const char *p, size_t cut)
{
	static char message[LIMIT], again[LIMIT * 6];
	static struct client_hello other;
	size_t n = 0, m = 0;

	for (size_t at = 0; at < h->used; ) {
		size_t k = (size_t)(uint8_t)p[at + 3] << 8 | (uint8_t)p[at + 4];
		at += 5;
		if (k > h->used - at)
			k = h->used - at;
		memcpy(message + n, p + at, k);
		n += k;
		at += k;
	}
	for (size_t at = 0; at < n; at += cut) {
		size_t k = n - at < cut ? n - at : cut;
		memcpy(again + m, "\x16\3\3\0", 4);
		again[m + 4] = (char)k;
		memcpy(again + m + 5, message + at, k);
		m += 5 + k;
	}
	client_hello_start(&other, sizeof again);
	MUST(client_hello_parse(&other, again, m) == HTTP_DONE && other.used == m);
	MUST(other.name_size == h->name_size && !memcmp(other.name, h->name, h->name_size + 1u));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct client_hello h, other;
	enum http_result r, got = HTTP_PARTIAL;
	char *p;

	if (size > LIMIT + 100)
		return 0;
	p = strict_copy((const char *)data, size, size);
	client_hello_start(&h, LIMIT);
	r = client_hello_parse(&h, p, size);
	MUST(h.used <= size && h.used <= LIMIT);
	MUST(r != HTTP_BAD || h.why);
	MUST(r != HTTP_PARTIAL || (h.used == size && size < LIMIT));
	if (r == HTTP_DONE) {
		MUST(h.name_size <= CLIENT_HELLO_NAME_MAX && h.name[h.name_size] == '\0');
		for (unsigned i = 0; i < h.name_size; i++)
			MUST((h.name[i] >= 'a' && h.name[i] <= 'z') || (h.name[i] >= '0' && h.name[i] <= '9') || strchr("-._", h.name[i]));
		recut(&h, p, 1 + size % 120);
	}
	strict_free(p, size);

	p = strict_copy((const char *)data, size, 0);
	client_hello_start(&other, LIMIT);
	for (size_t i = 0; i <= size && got == HTTP_PARTIAL; i++) {
		ASAN_UNPOISON_MEMORY_REGION(p, i);
		got = client_hello_parse(&other, p, i);
	}
	MUST(got == r);
	same(&h, &other, r);
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	strict_free(p, size);
	return 0;
}
