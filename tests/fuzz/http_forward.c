/*
 * Fuzz target: what is put into heads. Texts of any bytes are given where a worker gives addresses, ids and
 * names; whatever they hold, one head comes out, and only the fields that were asked for.
 * The input: eight sizes, then the texts, then a request head.
 */
#include <stdint.h>

#include "http/forward.h"

#include "tests/fuzz/same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_head head, again;
static char out[8192];

static struct http_text take(const uint8_t **p, const uint8_t *end, uint8_t size)
{
	struct http_text t = { (const char *)*p, size % 64 };

	if (t.size > (size_t)(end - *p))
		t.size = (size_t)(end - *p);
	*p += t.size;
	return t;
}

static struct http_list list(struct http_text t, size_t mode)
{
	return (struct http_list){ t.at, t.size, (uint8_t)(mode % 3) };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data + 8, *end = data + size;
	struct http_request_edit e = { 0 };
	struct http_response_edit re = { .framing = HTTP_LENGTH };
	struct http_text extra, body;
	struct strict s;
	unsigned before, added;
	size_t n;

	if (size < 8 || size > 3000)
		return 0;
	e.forwarded_for = list(take(&p, end, data[0]), size);
	e.proto = list(take(&p, end, data[1]), size / 3);
	e.forwarded_host = list(take(&p, end, data[2]), size / 9);
	e.request_id = take(&p, end, data[3]);
	e.request_id_set = data[2] >> 6 & 1;
	e.forwarded = list(e.request_id, size / 27);
	e.via = take(&p, end, data[4]);
	e.host = take(&p, end, data[5]);
	extra = take(&p, end, data[6]);
	body = take(&p, end, data[7]);
	e.keep_alive = data[0] >> 7;
	e.no_expect = data[1] >> 7;

	/* Our own answers, with these as fields and as body. */
	n = http_own_response(out, sizeof(out), 100u + (unsigned)data[7] * 2, extra, body, data[2] >> 7, data[3] >> 7);
	if (n) {
		bool has_body = !(data[3] >> 7) && data[7] * 2u >= 100 && data[7] * 2u != 104 && data[7] * 2u != 204;
		size_t head_size = n - (has_body ? body.size : 0);

		s = strict_head(out, head_size, STRICT_OWN);
		MUST(!s.codings && !s.upgrade && !s.keep_alive && (!s.close || data[2] >> 7));
		MUST(!has_body || (s.lengths == 1 && strtoul(s.length, NULL, 10) == body.size &&
		    (!body.size || !memcmp(out + head_size, body.at, body.size))));
	}

	same_start(&head, true);
	if (http_request_parse(&head, (const char *)p, (size_t)(end - p)) == HTTP_DONE) {
		n = http_forward_request(out, sizeof(out), &head, (const char *)p, &e);
		MUST(n > 0);
		s = strict_head(out, n, STRICT_REQUEST);
		MUST(s.hosts == 1 && s.close == (!e.keep_alive && !head.upgrade) && s.upgrade == head.upgrade);
		/* At most the six fields, Host, and Connection came in addition. */
		before = head.nfields;
		added = 8;
		MUST(s.fields <= before + added);
		http_request_start(&again, &http_limits_default);
		/* An empty Host is right where there was none, and is what we refuse ourselves. */
		if (!head.authority.size && memmem(out, n, "Host: \r\n", 8))
			return 0;
		MUST(http_request_parse(&again, out, n) == HTTP_DONE && again.size == n);
		MUST(again.framing == head.framing && again.length == head.length);
		MUST(!(e.no_expect && again.expect_continue));
		return 0;
	}
	same_start(&head, false);
	if (http_response_parse(&head, (const char *)p, (size_t)(end - p), HTTP_GET) == HTTP_DONE) {
		re.via = e.via;
		re.date = e.request_id;
		re.minor = 1;
		re.framing = head.framing;
		n = http_forward_response(out, sizeof(out), &head, (const char *)p, &re);
		MUST(n > 0);
		s = strict_head(out, n, STRICT_ANSWER);
		MUST(s.fields <= head.nfields + 5u);
		http_response_start(&again, &http_limits_default);
		MUST(http_response_parse(&again, out, n, HTTP_GET) == HTTP_DONE && again.size == n);
		MUST(again.framing == head.framing && again.length == (head.framing == HTTP_LENGTH ? head.length : again.length));
	}
	return 0;
}
