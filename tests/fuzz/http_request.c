/*
 * Fuzz target: request heads. In pieces they say the same as at once; what is accepted is written for a
 * server, and that, read by a second reader and by ourselves, means the same and holds nothing of this hop.
 */
#include <stdint.h>

#include "http/forward.h"

#include "tests/fuzz/same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_head head, again, third;
static char out[4096], out2[4096];

/* Is the target that was written the one that was asked for? */
static void same_target(const struct http_head *a, const char *abuf, const struct http_head *b, const char *bbuf)
{
	const char *p = abuf + a->target.at, *q = bbuf + b->target.at;

	if (a->absolute && !a->target.size && a->method == HTTP_OPTIONS) {
		MUST(b->target.size == 1 && *q == '*');
	} else if (a->absolute && (!a->target.size || *p != '/')) {
		MUST(b->target.size == a->target.size + 1 && *q == '/' && !memcmp(p, q + 1, a->target.size));
	} else {
		MUST(b->target.size == a->target.size && !memcmp(p, q, a->target.size));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *buf = (const char *)data;
	const struct http_request_edit plain = { .host = { "h", 1 }, .keep_alive = true };
	struct strict s;
	size_t n, m;

	if (size > 2000)
		return 0;
	if (same_parse_all_ways(&head, true, buf, size, HTTP_METHOD_OTHER, size ? data[size / 2] * size / 256 : 0) != HTTP_DONE)
		return 0;
	MUST(head.method != HTTP_CONNECT && head.minor <= 1 && head.nfields <= same_limits.fields);
	MUST(head.framing == HTTP_NO_BODY || head.framing == HTTP_LENGTH || head.framing == HTTP_CHUNKED);
	MUST(head.authority.size || head.minor == 0);

	n = http_forward_request(out, sizeof(out), &head, buf, &plain);
	MUST(n > 0);
	MUST(http_forward_request(out2, n - 1, &head, buf, &plain) == 0);
	s = strict_head(out, n, STRICT_REQUEST);
	MUST(s.hosts == 1 && !s.close && !s.keep_alive && s.upgrade == head.upgrade && !s.upgrades == !head.upgrade);
	MUST(s.lengths == (head.framing == HTTP_LENGTH) && s.codings == (head.framing == HTTP_CHUNKED));
	if (s.lengths)
		MUST(strtoull(s.length, NULL, 10) == head.length);

	http_request_start(&again, &http_limits_default);
	MUST(http_request_parse(&again, out, n) == HTTP_DONE && again.size == n);
	MUST(again.minor == 1 && again.method == head.method && !again.absolute && again.keep_alive);
	MUST(again.method_text.size == head.method_text.size);
	MUST(!memcmp(out + again.method_text.at, buf + head.method_text.at, head.method_text.size));
	MUST(again.framing == head.framing && again.length == head.length);
	MUST(again.expect_continue == head.expect_continue && again.upgrade == head.upgrade);
	if (head.authority.size)
		MUST(again.authority.size == head.authority.size &&
		    !memcmp(out + again.authority.at, buf + head.authority.at, head.authority.size));
	if (head.max_forwards >= 0)
		MUST(again.max_forwards == head.max_forwards - (head.max_forwards > 0));
	same_target(&head, buf, &again, out);
	same_fields(&head, buf, &again, out);

	/* Written once more, nothing changes any more. */
	if (head.max_forwards <= 0) {
		m = http_forward_request(out2, sizeof(out2), &again, out, &plain);
		MUST(m == n && !memcmp(out, out2, n));
	}
	http_request_start(&third, &http_limits_default);
	for (size_t i = 0; i < n; i++)
		MUST(http_request_parse(&third, out, i) == HTTP_PARTIAL);
	MUST(http_request_parse(&third, out, n) == HTTP_DONE);
	return 0;
}
