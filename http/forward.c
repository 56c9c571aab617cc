/* Writing heads. */
#include "http/forward.h"

#include <string.h>

#include "http/authority.h"
#include "http/chars.h"
#include "http/meaning.h"
#include "http/name.h"

/* Given, and fit to be a field's value? */
static bool given(struct http_text t)
{
	return t.size && http_chars_text_end(t.at, t.at + t.size) == t.at + t.size &&
	    !http_char_is_blank(t.at[0]) && !http_char_is_blank(t.at[t.size - 1]);
}

static void put_name(struct http_out *o, const struct http_field *f, const char *buf)
{
	http_out_put(o, buf + f->name_at, f->name_size);
	HTTP_OUT_PUT(o, ": ");
}

/*
 * A field as it came. A line that is already written the way it would be here is taken as a whole: what is
 * between name and value is then one ':' and one blank, what is behind the value is CRLF.
 */
static void put_field(struct http_out *o, const struct http_field *f, const char *buf)
{
	uint32_t name_end = f->name_at + f->name_size;

	if (f->value_at == name_end + 2 && buf[name_end + 1] == ' ') {
		http_out_put(o, buf + f->name_at, f->name_size + 2u + f->value_size);
	} else {
		put_name(o, f, buf);
		http_out_put(o, buf + f->value_at, f->value_size);
	}
	HTTP_OUT_PUT(o, "\r\n");
}

/* The last field of this id that stays, or NULL. */
static const struct http_field *last(const struct http_head *h, enum http_field_id id)
{
	if (!(h->seen & HTTP_BIT(id)))
		return NULL;
	for (unsigned i = h->nfields; i-- > 0;)
		if (h->field[i].id == id && !h->field[i].drop)
			return &h->field[i];
	return NULL;
}

/* "1.1 NAME", the version being the one that the message came in. RFC 9110 7.6.3 */
static void put_via(struct http_out *o, const struct http_head *h, struct http_text name)
{
	http_out_put(o, h->minor ? "1.1 " : "1.0 ", 4);
	http_out_put(o, name.at, name.size);
	HTTP_OUT_PUT(o, "\r\n");
}

/* The field, with something of ours to be appended by the caller to its list. */
static void put_open_list(struct http_out *o, const struct http_field *f, const char *buf)
{
	put_name(o, f, buf);
	http_out_put(o, buf + f->value_at, f->value_size);
	if (f->value_size)
		HTTP_OUT_PUT(o, ", ");
}

/* ---- lists that each proxy continues ---- */

struct list {
	struct http_text ours;
	const struct http_field *open;	/* ours goes behind this one's value */
	bool drop;			/* theirs goes */
	bool add;			/* ours makes a line of its own */
};

static struct list list_start(const struct http_head *h, enum http_field_id id, const struct http_list *l)
{
	struct list s = { .ours = { l->at, l->size } };

	if (!given(s.ours))
		s.ours.size = 0;
	switch ((enum http_list_mode)l->mode) {
	case HTTP_LIST_APPEND:
		s.open = s.ours.size ? last(h, id) : NULL;
		s.add = s.ours.size && !s.open;
		break;
	case HTTP_LIST_SET:
		s.drop = true;
		s.add = s.ours.size;
		break;
	case HTTP_LIST_KEEP:
		s.add = s.ours.size && !last(h, id);
		break;
	}
	return s;
}

/* A field that came; false: it goes on as it is. */
static bool list_field(struct http_out *o, const struct list *l, const struct http_field *f, const char *buf)
{
	if (l->open == f) {
		put_open_list(o, f, buf);
		http_out_put(o, l->ours.at, l->ours.size);
		HTTP_OUT_PUT(o, "\r\n");
		return true;
	}
	return l->drop;
}

static void list_add(struct http_out *o, const struct list *l, const char *name, size_t name_size)
{
	if (!l->add)
		return;
	http_out_put(o, name, name_size);
	http_out_put(o, l->ours.at, l->ours.size);
	HTTP_OUT_PUT(o, "\r\n");
}

#define LIST_ADD(o, l, name)	list_add((o), (l), (name), sizeof(name) - 1)

struct lists { struct list x_for, x_proto, x_host, forwarded; };

enum { FOR = 1, PROTO = 2, THE_HOST = 4, FORWARDED = 8 };

static bool untouched(const struct http_list *l)
{
	return l->size == 0 && l->mode == HTTP_LIST_APPEND;
}

/* Which of them do not go on as they came; the others are not set. */
static unsigned lists_start(struct lists *l, const struct http_head *h, const struct http_request_edit *e)
{
	unsigned touched = 0;

	if (!untouched(&e->forwarded_for)) {
		l->x_for = list_start(h, HTTP_F_X_FORWARDED_FOR, &e->forwarded_for);
		touched |= FOR;
	}
	if (!untouched(&e->proto)) {
		l->x_proto = list_start(h, HTTP_F_X_FORWARDED_PROTO, &e->proto);
		touched |= PROTO;
	}
	if (!untouched(&e->forwarded_host)) {
		l->x_host = list_start(h, HTTP_F_X_FORWARDED_HOST, &e->forwarded_host);
		touched |= THE_HOST;
	}
	if (!untouched(&e->forwarded)) {
		l->forwarded = list_start(h, HTTP_F_FORWARDED, &e->forwarded);
		touched |= FORWARDED;
	}
	return touched;
}

/* ---- requests ---- */

static void put_request_line(struct http_out *o, const struct http_head *h, const char *buf)
{
	http_out_put(o, buf + h->method_text.at, h->method_text.size);
	HTTP_OUT_PUT(o, " ");
	if (h->absolute && !h->target.size && h->method == HTTP_OPTIONS)
		HTTP_OUT_PUT(o, "*");	/* RFC 9112 3.2.4 */
	else if (h->absolute && (!h->target.size || buf[h->target.at] != '/'))
		HTTP_OUT_PUT(o, "/");
	http_out_put(o, buf + h->target.at, h->target.size);
	HTTP_OUT_PUT(o, " HTTP/1.1\r\n");
}

/* 1.1 wants a Host from everybody, 1.0 from nobody. An absolute target may have come without one. */
static struct http_text host_text(const struct http_head *h, const char *buf, const struct http_request_edit *e)
{
	if (http_authority_valid(e->set_host.at, e->set_host.size))
		return e->set_host;
	if (!h->authority.size && !(h->seen & HTTP_BIT(HTTP_F_HOST)) && http_authority_valid(e->host.at, e->host.size))
		return e->host;
	return (struct http_text){ buf + h->authority.at, h->authority.size };
}

static void put_host(struct http_out *o, struct http_text host)
{
	HTTP_OUT_PUT(o, "Host: ");
	http_out_put(o, host.at, host.size);
	HTTP_OUT_PUT(o, "\r\n");
}

static void put_framing(struct http_out *o, uint8_t framing, uint64_t length)
{
	if (framing == HTTP_LENGTH) {
		HTTP_OUT_PUT(o, "Content-Length: ");
		http_out_number(o, length);
		HTTP_OUT_PUT(o, "\r\n");
	} else if (framing == HTTP_CHUNKED) {
		HTTP_OUT_PUT(o, "Transfer-Encoding: chunked\r\n");
	}
}

size_t http_forward_request(char *out, size_t room, const struct http_head *h, const char *buf,
    const struct http_request_edit *e)
{
	struct http_out o = { .at = out, .end = out + room };
	struct http_text host = host_text(h, buf, e);
	struct lists lists;
	unsigned touched = lists_start(&lists, h, e);
	bool via_given = given(e->via);
	const struct http_field *append_via = via_given ? last(h, HTTP_F_VIA) : NULL;
	const struct http_field *id = e->request_id_set ? NULL : last(h, HTTP_F_X_REQUEST_ID);
	bool id_added = given(e->request_id) && !(id && id->value_size);

	put_request_line(&o, h, buf);
	if (!(h->seen & HTTP_BIT(HTTP_F_HOST)))
		put_host(&o, host);
	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->field[i];

		switch (f->id) {
		case HTTP_F_HOST:
			put_host(&o, host);
			continue;
		case HTTP_F_CONTENT_LENGTH:
		case HTTP_F_TRANSFER_ENCODING:
			put_framing(&o, h->framing, h->length);
			continue;
		case HTTP_F_UPGRADE:
			if (h->upgrade)
				put_field(&o, f, buf);
			continue;
		case HTTP_F_EXPECT:
			if (h->expect_continue && !e->no_expect)
				put_field(&o, f, buf);
			continue;
		case HTTP_F_MAX_FORWARDS:
			if (h->max_forwards < 0)
				break;
			put_name(&o, f, buf);
			http_out_number(&o, h->max_forwards ? (uint64_t)h->max_forwards - 1 : 0);
			HTTP_OUT_PUT(&o, "\r\n");
			continue;
		case HTTP_F_X_FORWARDED_FOR:
			if (touched & FOR && list_field(&o, &lists.x_for, f, buf))
				continue;
			break;
		case HTTP_F_X_FORWARDED_PROTO:
			if (touched & PROTO && list_field(&o, &lists.x_proto, f, buf))
				continue;
			break;
		case HTTP_F_X_FORWARDED_HOST:
			if (touched & THE_HOST && list_field(&o, &lists.x_host, f, buf))
				continue;
			break;
		case HTTP_F_FORWARDED:
			if (touched & FORWARDED && list_field(&o, &lists.forwarded, f, buf))
				continue;
			break;
		case HTTP_F_VIA:
			if (f != append_via)
				break;
			put_open_list(&o, f, buf);
			put_via(&o, h, e->via);
			continue;
		case HTTP_F_X_REQUEST_ID:
			if (id_added)
				continue;	/* an empty one, or one that is not believed */
			break;
		}
		if (!f->drop)
			put_field(&o, f, buf);
	}
	if (touched & FOR)
		LIST_ADD(&o, &lists.x_for, "X-Forwarded-For: ");
	if (touched & PROTO)
		LIST_ADD(&o, &lists.x_proto, "X-Forwarded-Proto: ");
	if (touched & THE_HOST)
		LIST_ADD(&o, &lists.x_host, "X-Forwarded-Host: ");
	if (touched & FORWARDED)
		LIST_ADD(&o, &lists.forwarded, "Forwarded: ");
	if (id_added) {
		HTTP_OUT_PUT(&o, "X-Request-Id: ");
		http_out_put(&o, e->request_id.at, e->request_id.size);
		HTTP_OUT_PUT(&o, "\r\n");
	}
	if (via_given && !append_via) {
		HTTP_OUT_PUT(&o, "Via: ");
		put_via(&o, h, e->via);
	}
	if (e->edits.n)
		http_edit_put_in(&o, e->edits, e->later, e->values);
	if (e->later.n)
		http_edit_put_in(&o, e->later, (struct http_edits){ 0 }, e->values);
	/* A server that does not upgrade learns from the end of the connection that it was not to be kept. */
	if (h->upgrade)
		HTTP_OUT_PUT(&o, "Connection: upgrade\r\n");
	else if (!e->keep_alive)
		HTTP_OUT_PUT(&o, "Connection: close\r\n");
	HTTP_OUT_PUT(&o, "\r\n");
	return http_out_size(&o, out);
}

/* ---- answers ---- */

/* What may be said of the framing: exactly one of these, decided before the fields are walked. */
static uint8_t response_framing(const struct http_head *h, const struct http_response_edit *e, uint64_t *length)
{
	*length = h->length;
	if (h->status < 200 || h->status == 204)
		return HTTP_NO_BODY;
	if (e->head_only || h->status == 304) {
		/* As it came; but 1.0 must not see a transfer coding. RFC 9112 6.1 */
		if (h->seen & HTTP_BIT(HTTP_F_CONTENT_LENGTH))
			return HTTP_LENGTH;
		if ((h->seen & HTTP_BIT(HTTP_F_TRANSFER_ENCODING)) && e->minor)
			return HTTP_CHUNKED;
		return HTTP_NO_BODY;
	}
	if (e->framing == HTTP_NO_BODY) {
		/* Silence would mean a body until the connection closes. */
		*length = 0;
		return HTTP_LENGTH;
	}
	return e->framing;
}

/* Is Date the configuration's to say, or to keep silent about? */
static bool edits_date(struct http_edits edits)
{
	for (unsigned i = 0; i < edits.n; i++)
		if (edits.edit[i].id == HTTP_F_DATE)
			return true;
	return false;
}

size_t http_forward_response(char *out, size_t room, const struct http_head *h, const char *buf,
    const struct http_response_edit *e)
{
	struct http_out o = { .at = out, .end = out + room };
	char status[4] = { (char)('0' + h->status / 100), (char)('0' + h->status / 10 % 10),
	    (char)('0' + h->status % 10), ' ' };
	const struct http_field *append_via = given(e->via) ? last(h, HTTP_F_VIA) : NULL;
	/* 426 must name protocols: also those of a server that forgot to say so in Connection. RFC 9110 7.8, 15.5.22 */
	bool upgrade = h->status == 101 || (h->status == 426 && h->seen & HTTP_BIT(HTTP_F_UPGRADE) && e->minor);
	bool bare = h->status < 200 || h->status == 204 || h->status == 304 || e->head_only;
	bool close = !e->keep_alive || (e->framing == HTTP_UNTIL_CLOSE && !bare);
	uint64_t length;
	uint8_t framing = response_framing(h, e, &length);
	bool framed = framing != HTTP_LENGTH && framing != HTTP_CHUNKED;	/* said, or nothing to say */

	HTTP_OUT_PUT(&o, "HTTP/1.1 ");
	http_out_put(&o, status, 4);
	http_out_put(&o, buf + h->reason.at, h->reason.size);
	HTTP_OUT_PUT(&o, "\r\n");
	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->field[i];

		switch (f->id) {
		case HTTP_F_CONTENT_LENGTH:
		case HTTP_F_TRANSFER_ENCODING:
			if (!framed)
				put_framing(&o, framing, length);
			framed = true;
			continue;
		case HTTP_F_UPGRADE:
			if (upgrade)
				put_field(&o, f, buf);
			continue;
		case HTTP_F_VIA:
			if (f != append_via)
				break;
			put_open_list(&o, f, buf);
			put_via(&o, h, e->via);
			continue;
		}
		if (!f->drop)
			put_field(&o, f, buf);
	}
	if (!framed)
		put_framing(&o, framing, length);
	if (h->status >= 200) {
		if (e->edits.n)
			http_edit_put_in(&o, e->edits, e->later, e->values);
		if (e->later.n)
			http_edit_put_in(&o, e->later, (struct http_edits){ 0 }, e->values);
	}
	if (h->status >= 200 && !(h->seen & HTTP_BIT(HTTP_F_DATE)) && given(e->date) && !edits_date(e->edits) &&
	    !edits_date(e->later)) {
		HTTP_OUT_PUT(&o, "Date: ");
		http_out_put(&o, e->date.at, e->date.size);
		HTTP_OUT_PUT(&o, "\r\n");
	}
	if (given(e->via) && !append_via) {
		HTTP_OUT_PUT(&o, "Via: ");
		put_via(&o, h, e->via);
	}
	if (h->status == 101) {
		HTTP_OUT_PUT(&o, "Connection: upgrade\r\n");
	} else if (h->status >= 200) {
		if (upgrade)
			HTTP_OUT_PUT(&o, "Connection: upgrade\r\n");
		if (close)
			HTTP_OUT_PUT(&o, "Connection: close\r\n");
		else if (!e->minor)
			HTTP_OUT_PUT(&o, "Connection: keep-alive\r\n");
	}
	HTTP_OUT_PUT(&o, "\r\n");
	return http_out_size(&o, out);
}

/* Whole field lines, none of which says anything about framing or the connection? */
static bool fields_valid(struct http_text fields)
{
	const char *p = fields.at, *end;

	if (!fields.size)
		return true;
	for (end = p + fields.size; p < end;) {
		const char *name_end = http_chars_span(p, end, HTTP_C_TOKEN);
		const char *line_end = http_chars_text_end(name_end, end);
		uint32_t id = HTTP_BIT(http_name_field(p, (size_t)(name_end - p)));

		if (name_end == p || name_end == end || *name_end != ':')
			return false;
		if (end - line_end < 2 || line_end[0] != '\r' || line_end[1] != '\n')
			return false;
		if (id & (HTTP_HOP_BY_HOP | HTTP_BIT(HTTP_F_CONTENT_LENGTH) | HTTP_BIT(HTTP_F_TRANSFER_ENCODING)))
			return false;
		p = line_end + 2;
	}
	return true;
}

static bool never_a_body(unsigned status)
{
	return status < 200 || status == 204 || status == 304;
}

size_t http_own_head(char *out, size_t room, unsigned status, struct http_text extra_fields, size_t size, bool close)
{
	struct http_out o = { .at = out, .end = out + room };
	const char *reason = http_reason(status);

	if (status < 100 || status > 599 || !fields_valid(extra_fields))
		return 0;
	HTTP_OUT_PUT(&o, "HTTP/1.1 ");
	http_out_number(&o, status);
	HTTP_OUT_PUT(&o, " ");
	http_out_put(&o, reason, strlen(reason));
	HTTP_OUT_PUT(&o, "\r\n");
	if (!never_a_body(status)) {
		if (size == HTTP_OWN_CHUNKED) {
			HTTP_OUT_PUT(&o, "Transfer-Encoding: chunked\r\n");
		} else if (size != HTTP_OWN_UNTIL_CLOSE) {
			HTTP_OUT_PUT(&o, "Content-Length: ");
			http_out_number(&o, size);
			HTTP_OUT_PUT(&o, "\r\n");
		}
	}
	if (extra_fields.size)
		http_out_put(&o, extra_fields.at, extra_fields.size);
	if (close && status >= 200)
		HTTP_OUT_PUT(&o, "Connection: close\r\n");
	HTTP_OUT_PUT(&o, "\r\n");
	return http_out_size(&o, out);
}

size_t http_own_response(char *out, size_t room, unsigned status, struct http_text extra_fields,
    struct http_text body, bool close, bool head_only)
{
	size_t n = http_own_head(out, room, status, extra_fields, body.size, close);

	if (n == 0 || never_a_body(status) || head_only || body.size == 0)
		return n;
	if (room - n < body.size)
		return 0;
	memcpy(out + n, body.at, body.size);
	return n + body.size;
}

/* ---- dates ---- */

static void two_digits(char *out, unsigned n)
{
	out[0] = (char)('0' + n / 10 % 10);
	out[1] = (char)('0' + n % 10);
}

void http_date(char *out, uint64_t unix_s)
{
	static const char day_name[] = "ThuFriSatSunMonTueWed";	/* 1970 began on a Thursday */
	static const char month_name[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
	uint64_t days = unix_s / 86400;
	unsigned second = (unsigned)(unix_s % 86400);
	/*
	 * Years here begin in March, so that the day that comes and goes is their last; 400 of them have
	 * 146097 days. 719468 days lie between the start of year 0 and 1970.
	 */
	uint64_t from_zero = days + 719468;
	unsigned of_era = (unsigned)(from_zero % 146097);
	unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * of_year + 2) / 153;	/* 0 is March; months of 31 30 31 30 31 days, twice and a bit */
	unsigned day = of_year - (153 * month + 2) / 5 + 1;
	unsigned year = (unsigned)(from_zero / 146097 * 400) + year_of_era + (month >= 10);

	memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_SIZE);
	memcpy(out, day_name + days % 7 * 3, 3);
	two_digits(out + 5, day);
	memcpy(out + 8, month_name + month * 3, 3);
	two_digits(out + 12, year / 100);
	two_digits(out + 14, year);
	two_digits(out + 17, second / 3600);
	two_digits(out + 20, second / 60 % 60);
	two_digits(out + 23, second % 60);
}
