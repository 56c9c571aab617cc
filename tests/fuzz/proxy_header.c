/*
 * Fuzz target: the PROXY protocol. Every beginning says what the whole says, or that more must come; what is
 * understood and written anew means the same.
 */
#include <stdint.h>
#include <sys/socket.h>

#include "http/proxy_header.h"

#include "tests/fuzz/strict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says which versions are allowed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h, part;
	enum http_result r;
	unsigned allowed;
	bool decided = false;
	char *p;

	if (size == 0 || size > 5000)
		return 0;
	allowed = data[0] % 4 ? data[0] % 4 : PROXY_HEADER_ANY;
	p = strict_copy((const char *)data + 1, size - 1, 0);
	size--;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	r = proxy_header_parse(&h, p, size, allowed);
	MUST(r != HTTP_BAD || h.why);
	MUST(r != HTTP_PARTIAL || size < PROXY_HEADER_MAX);
	if (r == HTTP_DONE) {
		MUST(h.size > 0 && h.size <= size && h.size <= PROXY_HEADER_MAX && (h.version & allowed));
		MUST(h.family == AF_UNSPEC || h.family == AF_INET || h.family == AF_INET6);
		MUST(!h.local || h.family == AF_UNSPEC);
	}
	ASAN_POISON_MEMORY_REGION(p, size);
	/* All beginnings of what matters, at the edge of what may be read. */
	for (size_t i = 0; i <= size && i < 700; i++) {
		ASAN_UNPOISON_MEMORY_REGION(p, i);
		enum http_result got = proxy_header_parse(&part, p, i, allowed);
		if (got == HTTP_PARTIAL) {
			MUST(!decided);
			continue;
		}
		MUST(got == r && (r == HTTP_BAD ? part.why == h.why : !memcmp(&part, &h, sizeof h)));
		MUST(decided || r == HTTP_BAD || i == h.size);
		decided = true;
	}
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	strict_free(p, size);
	if (r != HTTP_DONE)
		return 0;
	for (unsigned v = 1; v <= 2; v++) {
		char out[PROXY_HEADER_WRITE_MAX];
		size_t n = proxy_header_write(out, v, &h);
		MUST(n <= sizeof out);
		MUST(proxy_header_parse(&part, out, n, v) == HTTP_DONE && part.size == n && part.family == h.family);
		MUST(!memcmp(part.from, h.from, 16) && !memcmp(part.to, h.to, 16));
		MUST(part.from_port == h.from_port && part.to_port == h.to_port);
	}
	return 0;
}
