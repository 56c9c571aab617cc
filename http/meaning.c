#include "http/meaning.h"

#include "http/authority.h"
#include "http/chars.h"
#include "http/name.h"

#define LENGTH_MAX ((uint64_t)INT64_MAX)	/* of a body: what fits an off_t everywhere */
#define CONNECTION_OPTIONS_MAX 64		/* each costs a walk over the fields */

/*
 * A Connection field may name any field but these: without them the message would mean something else
 * to the next reader, or the next reader would have to guess. They are regenerated or kept.
 */
#define ESSENTIAL \
	(HTTP_BIT(HTTP_F_HOST) | HTTP_BIT(HTTP_F_CONTENT_LENGTH) | HTTP_BIT(HTTP_F_TRANSFER_ENCODING) | \
	 HTTP_BIT(HTTP_F_EXPECT) | HTTP_BIT(HTTP_F_MAX_FORWARDS) | HTTP_BIT(HTTP_F_VIA) | HTTP_BIT(HTTP_F_DATE))

static int bad(struct http_head *h, unsigned status, const char *why)
{
	h->error = (uint16_t)(h->is_request ? status : 502);
	h->why = why;
	return -1;
}

static bool has(const struct http_head *h, enum http_field_id id)
{
	return h->seen & HTTP_BIT(id);
}

/* The next field of this id at or after index i, or NULL. */
static struct http_field *next_field(struct http_head *h, enum http_field_id id, unsigned i)
{
	for (; i < h->nfields; i++)
		if (h->field[i].id == id)
			return &h->field[i];
	return NULL;
}

static struct http_field *first_field(struct http_head *h, enum http_field_id id)
{
	return has(h, id) ? &h->field[h->first[id]] : NULL;
}

/* All fields of this id, in order: for (f = first_field(h, id); f; f = following(h, f)) */
static struct http_field *following(struct http_head *h, const struct http_field *f)
{
	if (!(h->repeated & HTTP_BIT(f->id)))
		return NULL;
	return next_field(h, f->id, (unsigned)(f - h->field) + 1);
}

/* 1*DIGIT, at most `max`; 0 or -1. */
static int number(const char *p, const char *end, uint64_t max, uint64_t *value)
{
	uint64_t n = 0;

	if (p == end)
		return -1;
	for (; p < end; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (!http_char_is_digit(*p) || n > (max - digit) / 10)
			return -1;
		n = n * 10 + digit;
	}
	*value = n;
	return 0;
}

/* ---- Connection ---- */

static void drop_named(struct http_head *h, const char *buf, const char *name, size_t size)
{
	enum http_field_id id = http_name_field(name, size);

	if (id != HTTP_FIELD_OTHER) {
		if (HTTP_BIT(id) & (ESSENTIAL | HTTP_HOP_BY_HOP))
			return;
		for (struct http_field *f = first_field(h, id); f; f = following(h, f))
			f->drop = 1;
		return;
	}
	for (unsigned i = 0; i < h->nfields; i++) {
		struct http_field *f = &h->field[i];

		if (f->id == HTTP_FIELD_OTHER && f->name_size == size &&
		    http_chars_same_name(buf + f->name_at, name, size))
			f->drop = 1;
	}
}

struct connection {
	bool close, keep_alive, upgrade;
};

static int connection(struct http_head *h, const char *buf, struct connection *c)
{
	unsigned options = 0;

	for (struct http_field *f = first_field(h, HTTP_F_CONNECTION); f; f = following(h, f)) {
		const char *p = buf + f->value_at, *end = p + f->value_size, *option;
		int size;

		while ((size = http_chars_list_next(&p, end, &option)) > 0) {
			if (++options > CONNECTION_OPTIONS_MAX)
				return bad(h, 400, "too many connection options");
			if (size == 5 && http_chars_same(option, "close", 5))
				c->close = true;
			else if (size == 10 && http_chars_same(option, "keep-alive", 10))
				c->keep_alive = true;
			else if (size == 7 && http_chars_same(option, "upgrade", 7))
				c->upgrade = true;
			drop_named(h, buf, option, (size_t)size);
		}
		if (size < 0) {
			if (h->is_request)
				return bad(h, 400, "invalid Connection");
			c->close = true;	/* seen from servers; what they meant does not matter then */
		}
	}
	h->keep_alive = !c->close && (h->minor >= 1 || c->keep_alive);
	return 0;
}

/* ---- framing. RFC 9112 6 ---- */

/*
 * Only one field, only digits. Repeats and lists are refused even when all are the same: those who send
 * them are broken, or are looking for two readers who choose differently.
 */
static int content_length(struct http_head *h, const char *buf)
{
	struct http_field *f = first_field(h, HTTP_F_CONTENT_LENGTH);

	if (h->repeated & HTTP_BIT(HTTP_F_CONTENT_LENGTH))
		return bad(h, 400, "repeated Content-Length");
	if (number(buf + f->value_at, buf + f->value_at + f->value_size, LENGTH_MAX, &h->length) < 0)
		return bad(h, 400, "invalid Content-Length");
	return 0;
}

/* Only "chunked", once. What a server may send is the same: we never tell it that we know another coding. */
static int transfer_encoding(struct http_head *h, const char *buf)
{
	unsigned codings = 0, chunked = 0;
	bool last_chunked = false;

	if (h->minor == 0)
		return bad(h, 400, "Transfer-Encoding in HTTP/1.0");
	for (struct http_field *f = first_field(h, HTTP_F_TRANSFER_ENCODING); f; f = following(h, f)) {
		const char *p = buf + f->value_at, *end = p + f->value_size, *coding;
		int size = 0;

		/* An empty element is legal in a list, but too many readers stumble over it. */
		if (p == end || *p == ',' || end[-1] == ',')
			return bad(h, 400, "invalid Transfer-Encoding");
		while ((size = http_chars_list_next(&p, end, &coding)) > 0) {
			codings++;
			last_chunked = size == 7 && http_chars_same(coding, "chunked", 7);
			chunked += last_chunked;
		}
		if (size < 0)
			return bad(h, 400, "invalid Transfer-Encoding");
	}
	if (chunked != 1 || !last_chunked)
		return bad(h, 400, "Transfer-Encoding does not end in one chunked");
	if (codings != 1)
		return bad(h, 501, "unknown transfer coding");
	return 0;
}

/* Checks the fields, whether or not they will mean anything. */
static int framing_fields(struct http_head *h, const char *buf)
{
	if (has(h, HTTP_F_TRANSFER_ENCODING)) {
		if (has(h, HTTP_F_CONTENT_LENGTH))
			return bad(h, 400, "both Transfer-Encoding and Content-Length");
		return transfer_encoding(h, buf);
	}
	return has(h, HTTP_F_CONTENT_LENGTH) ? content_length(h, buf) : 0;
}

/* ---- requests ---- */

/* RFC 9112 3.2, 3.3 */
static int host(struct http_head *h, const char *buf)
{
	struct http_field *f = first_field(h, HTTP_F_HOST);

	if (!f) {
		if (h->minor >= 1)
			return bad(h, 400, "no Host");
		return 0;
	}
	if (h->repeated & HTTP_BIT(HTTP_F_HOST))
		return bad(h, 400, "repeated Host");
	/* A client of a URI without a host says so with an empty field; http has no such URIs. RFC 9110 4.2.1 */
	if (!http_authority_valid(buf + f->value_at, f->value_size))
		return bad(h, 400, "invalid Host");
	if (!h->absolute)
		h->authority = (struct http_span){ .at = f->value_at, .size = f->value_size };
	return 0;
}

/* RFC 9110 10.1.1; in 1.0 it does not exist. */
static int expect(struct http_head *h, const char *buf)
{
	struct http_field *f = first_field(h, HTTP_F_EXPECT);
	bool body = h->framing == HTTP_CHUNKED || (h->framing == HTTP_LENGTH && h->length);

	if (h->minor == 0)
		return 0;
	if ((h->repeated & HTTP_BIT(HTTP_F_EXPECT)) || f->value_size != 12 ||
	    !http_chars_same(buf + f->value_at, "100-continue", 12))
		return bad(h, 417, "unknown expectation");
	h->expect_continue = body;
	return 0;
}

/* RFC 9110 10.1.4. Only whether trailers are wanted; anything else is for the previous hop to get wrong. */
static void te(struct http_head *h, const char *buf)
{
	for (struct http_field *f = first_field(h, HTTP_F_TE); f; f = following(h, f)) {
		const char *p = buf + f->value_at, *end = p + f->value_size;

		while (p < end) {
			const char *start = p;

			while (p < end && *p != ',')
				p++;
			while (start < p && http_char_is_blank(*start))
				start++;
			if (p - start >= 8 && http_chars_same(start, "trailers", 8) &&
			    (p - start == 8 || !http_char_is(start[8], HTTP_C_TOKEN)))
				h->te_trailers = true;
			p += p < end;
		}
	}
}

/* RFC 9110 7.6.2: counts for these two methods only. */
static int max_forwards(struct http_head *h, const char *buf)
{
	struct http_field *f = first_field(h, HTTP_F_MAX_FORWARDS);
	const char *p = buf + f->value_at, *end = p + f->value_size;
	uint64_t n = 0;

	if (h->method != HTTP_OPTIONS && h->method != HTTP_TRACE)
		return 0;
	if ((h->repeated & HTTP_BIT(HTTP_F_MAX_FORWARDS)) || p == end)
		return bad(h, 400, "invalid Max-Forwards");
	for (; p < end; p++) {
		if (!http_char_is_digit(*p))
			return bad(h, 400, "invalid Max-Forwards");
		n = n * 10 + (unsigned)(*p - '0');
		if (n > INT32_MAX)
			n = INT32_MAX;
	}
	h->max_forwards = (int32_t)n;
	return 0;
}

/* Does any of the protocols that Upgrade offers carry HTTP/2? */
static bool offers_h2c(struct http_head *h, const char *buf)
{
	for (struct http_field *f = first_field(h, HTTP_F_UPGRADE); f; f = following(h, f)) {
		const char *p = buf + f->value_at, *end = p + f->value_size;

		for (; end - p >= 3; p++)
			if ((*p | 0x20) == 'h' && http_chars_same(p, "h2c", 3))
				return true;
	}
	return false;
}

int http_meaning_request(struct http_head *h, const char *buf)
{
	struct connection c = { 0 };

	if (host(h, buf) < 0)
		return -1;
	h->keep_alive = h->minor >= 1;
	if (has(h, HTTP_F_CONNECTION) && connection(h, buf, &c) < 0)
		return -1;
	if (framing_fields(h, buf) < 0)
		return -1;
	if (has(h, HTTP_F_TRANSFER_ENCODING))
		h->framing = HTTP_CHUNKED;
	else if (has(h, HTTP_F_CONTENT_LENGTH))
		h->framing = HTTP_LENGTH;
	if (h->method == HTTP_TRACE && (h->framing == HTTP_CHUNKED || h->length))
		return bad(h, 400, "TRACE with a body");	/* RFC 9110 9.3.8 */

	if (has(h, HTTP_F_EXPECT) && expect(h, buf) < 0)
		return -1;
	if (has(h, HTTP_F_MAX_FORWARDS) && max_forwards(h, buf) < 0)
		return -1;
	if (has(h, HTTP_F_TE))
		te(h, buf);
	if (has(h, HTTP_F_UPGRADE))
		h->upgrade = c.upgrade && h->minor >= 1 && h->framing != HTTP_CHUNKED && !h->length &&
		    !offers_h2c(h, buf);
	return 0;
}

/* ---- answers ---- */

/* "timeout=5, max=100"; RFC 2068 19.7.1. What it does not understand, it ignores. */
static void keep_alive_timeout(struct http_head *h, const char *buf)
{
	struct http_field *f = first_field(h, HTTP_F_KEEP_ALIVE);
	const char *p = buf + f->value_at, *end = p + f->value_size;

	while (p < end) {
		const char *start;
		uint64_t seconds;

		while (p < end && (http_char_is_blank(*p) || *p == ','))
			p++;
		start = p;
		while (p < end && !http_char_is_blank(*p) && *p != ',')
			p++;
		if (p - start > 8 && http_chars_same(start, "timeout=", 7) && start[7] == '=' &&
		    number(start + 8, p, UINT32_MAX, &seconds) == 0)
			h->keep_alive_timeout_s = (uint32_t)seconds;
	}
}

int http_meaning_response(struct http_head *h, const char *buf, enum http_method to)
{
	struct connection c = { 0 };

	h->keep_alive = h->minor >= 1;
	if (has(h, HTTP_F_CONNECTION) && connection(h, buf, &c) < 0)
		return -1;
	if (framing_fields(h, buf) < 0)
		return -1;
	if (has(h, HTTP_F_KEEP_ALIVE))
		keep_alive_timeout(h, buf);
	h->upgrade = c.upgrade && has(h, HTTP_F_UPGRADE);

	/* RFC 9112 6.3, in its order. */
	if (h->status == 101 && (!h->upgrade || h->minor == 0))
		return bad(h, 502, "101 without Upgrade");
	if (h->status < 200 || h->status == 204 || h->status == 304 || to == HTTP_HEAD ||
	    (to == HTTP_CONNECT && h->status < 300)) {
		h->framing = HTTP_NO_BODY;
	} else if (has(h, HTTP_F_TRANSFER_ENCODING)) {
		h->framing = HTTP_CHUNKED;
	} else if (has(h, HTTP_F_CONTENT_LENGTH)) {
		h->framing = HTTP_LENGTH;
	} else {
		h->framing = HTTP_UNTIL_CLOSE;
		h->keep_alive = false;
	}
	return 0;
}
