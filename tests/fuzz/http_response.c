/*
 * Fuzz target: heads of answers. The first byte says what was asked and who asked; the rest is the head. In
 * pieces it says the same as at once; what is accepted is written for the client, and that is read again.
 */
#include <stdint.h>

#include "http/forward.h"

#include "tests/fuzz/same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_head head, again;
static char out[4096], out2[4096];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t methods[] = { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_CONNECT };
	const char *buf = (const char *)data + 1;
	struct http_response_edit e = { .date = { "Sun, 06 Nov 1994 08:49:37 GMT", 29 } };
	enum http_method to;
	struct strict s;
	bool bare;
	size_t n;

	if (size < 1 || size > 2000)
		return 0;
	size--;
	to = (enum http_method)methods[data[0] & 3];
	if (same_parse_all_ways(&head, false, buf, size, to, data[0] >> 2) != HTTP_DONE)
		return 0;
	MUST(head.status >= 100 && head.status <= 599 && head.minor <= 1);
	bare = head.status < 200 || head.status == 204 || head.status == 304 || to == HTTP_HEAD ||
	    (to == HTTP_CONNECT && head.status < 300);
	MUST(bare == (head.framing == HTTP_NO_BODY));
	MUST(head.framing != HTTP_UNTIL_CLOSE || !head.keep_alive);

	/* As a worker would: 1.0 knows no chunks, 1.1 is spared the end of its connection, or not. */
	e.minor = (data[0] >> 2) & 1;
	e.keep_alive = (data[0] >> 3) & 1;
	e.head_only = to == HTTP_HEAD || head.status == 304;
	e.framing = head.framing;
	if (e.framing == HTTP_CHUNKED && !e.minor)
		e.framing = HTTP_UNTIL_CLOSE;
	if (e.framing == HTTP_UNTIL_CLOSE && e.minor && (data[0] >> 4) & 1)
		e.framing = HTTP_CHUNKED;
	if (to == HTTP_CONNECT && head.status < 300)
		return 0;	/* never comes to that: CONNECT is refused */

	n = http_forward_response(out, sizeof(out), &head, buf, &e);
	MUST(n > 0);
	MUST(http_forward_response(out2, n - 1, &head, buf, &e) == 0);
	s = strict_head(out, n, STRICT_ANSWER);
	MUST(s.codings == 0 || e.minor);
	if (head.status < 200 || head.status == 204)
		MUST(!s.lengths && !s.codings);
	if (!bare) {
		MUST(s.lengths == (e.framing == HTTP_LENGTH) && s.codings == (e.framing == HTTP_CHUNKED));
		MUST(e.framing != HTTP_UNTIL_CLOSE || s.close);
	}
	if (s.lengths)
		MUST(strtoull(s.length, NULL, 10) == head.length);
	if (head.status == 101)
		MUST(s.upgrade && s.upgrades && !s.close);
	else if (head.status < 200)
		MUST(!s.connections && !s.upgrades);
	else
		MUST(s.close == (!e.keep_alive || (!bare && e.framing == HTTP_UNTIL_CLOSE)) &&
		    s.keep_alive == (!s.close && !e.minor));

	http_response_start(&again, &http_limits_default);
	MUST(http_response_parse(&again, out, n, to) == HTTP_DONE && again.size == n);
	MUST(again.status == head.status && again.minor == 1);
	MUST(again.reason.size == head.reason.size && !memcmp(out + again.reason.at, buf + head.reason.at, head.reason.size));
	MUST(again.framing == (bare ? HTTP_NO_BODY : e.framing));
	if (again.framing == HTTP_LENGTH)
		MUST(again.length == head.length);
	same_fields(&head, buf, &again, out);
	return 0;
}
