/*
 * Reading heads. What comes is cut into lines, and each line is looked at when it is whole; what the
 * fields mean together is found when the blank line has come (http/meaning.c).
 *
 * One pass for control characters finds the ends of lines too: the first control after the start of a
 * line must be the CR of its CRLF. A lone CR, a lone LF, NUL and all the others are thereby refused as
 * soon as they are seen, wherever they stand.
 */
#include "http/head.h"

#include <string.h>

#include "http/authority.h"
#include "http/chars.h"
#include "http/meaning.h"
#include "http/name.h"

#define BLANK_LINES_MAX 4	/* before a request line; RFC 9112 2.2 asks for one at least */

enum state { START_LINE = 0, FIELDS, DONE, BAD };

const struct http_limits http_limits_default = { .line = 8192, .head = 32768, .fields = 100 };

static int bad(struct http_head *h, unsigned status, const char *why)
{
	h->error = (uint16_t)(h->is_request ? status : 502);
	h->why = why;
	return -1;
}

static void start(struct http_head *h, const struct http_limits *limits, bool is_request)
{
	/* The fields are many; what is not below nfields is never read. */
	memset(h, 0, offsetof(struct http_head, field));
	memset(h->first, 0xff, sizeof(h->first));
	h->is_request = is_request;
	h->limits = *limits;
	if (h->limits.fields > HTTP_FIELDS_MAX)
		h->limits.fields = HTTP_FIELDS_MAX;
	h->max_forwards = -1;
}

void http_request_start(struct http_head *h, const struct http_limits *limits)
{
	start(h, limits, true);
}

void http_response_start(struct http_head *h, const struct http_limits *limits)
{
	start(h, limits, false);
}

static struct http_span span(const char *buf, const char *p, const char *end)
{
	return (struct http_span){ .at = (uint32_t)(p - buf), .size = (uint32_t)(end - p) };
}

/* ---- start lines ---- */

/* "HTTP/1.x" at p, of which 8 bytes are there; 0 or -1. RFC 9112 2.3 */
static int version(struct http_head *h, const char *p)
{
	if (memcmp(p, "HTTP/", 5) != 0 || !http_char_is_digit(p[5]) || p[6] != '.' || !http_char_is_digit(p[7]))
		return bad(h, 400, "invalid version");
	if (p[5] != '1')
		return bad(h, 505, "not HTTP/1");
	h->minor = p[7] != '0';
	return 0;
}

/* The path and query of a target. */
static int path(struct http_head *h, const char *buf, const char *p, const char *end)
{
	h->target = span(buf, p, end);
	p = http_chars_span(p, end, HTTP_C_PATH);
	if (p < end && *p == '?')
		p = http_chars_span(p, end, HTTP_C_QUERY);
	if (p != end)
		return bad(h, 400, "invalid character in target");
	return 0;
}

/* RFC 9112 3.2 */
static int target(struct http_head *h, const char *buf, const char *p, const char *end)
{
	const char *host;

	if (p < end && *p == '/')
		return path(h, buf, p, end);
	if (end - p == 1 && *p == '*' && h->method == HTTP_OPTIONS) {
		h->target = span(buf, p, end);
		return 0;
	}
	if (end - p > 7 && http_chars_same(p, "http", 4) && !memcmp(p + 4, "://", 3))
		host = p + 7;
	else if (end - p > 8 && http_chars_same(p, "https", 5) && !memcmp(p + 5, "://", 3))
		host = p + 8;
	else
		return bad(h, 400, "invalid target");
	for (p = host; p < end && *p != '/' && *p != '?'; p++)
		;
	if (!http_authority_valid(host, (size_t)(p - host)))
		return bad(h, 400, "invalid host in target");
	h->authority = span(buf, host, p);
	h->absolute = true;
	return path(h, buf, p, end);
}

static int request_line(struct http_head *h, const char *buf, const char *p, const char *end)
{
	const char *method = p;

	p = http_chars_span(p, end, HTTP_C_TOKEN);
	if (p == method || p == end || *p != ' ')
		return bad(h, 400, "invalid method");
	h->method_text = span(buf, method, p);
	h->method = (uint8_t)http_name_method(method, h->method_text.size);
	p++;
	if (end - p < 1 + 9 || end[-9] != ' ')
		return bad(h, 400, "invalid request line");
	if (version(h, end - 8) < 0)
		return -1;
	if (h->method == HTTP_CONNECT)
		return bad(h, 501, "CONNECT");
	return target(h, buf, p, end - 9);
}

/* RFC 9112 4. The blank before an empty reason must be there, and is forgotten by many. */
static int status_line(struct http_head *h, const char *buf, const char *p, const char *end)
{
	unsigned status = 0;

	if (end - p < 12)
		return bad(h, 502, "invalid status line");
	if (version(h, p) < 0)
		return -1;
	p += 8;
	if (*p++ != ' ')
		return bad(h, 502, "invalid status line");
	for (int i = 0; i < 3; i++, p++) {
		if (!http_char_is_digit(*p))
			return bad(h, 502, "invalid status");
		status = status * 10 + (unsigned)(*p - '0');
	}
	if (status < 100 || status > 599 || (p < end && *p != ' '))
		return bad(h, 502, "invalid status");
	h->status = (uint16_t)status;
	p += p < end;
	h->reason = span(buf, p, end);
	return 0;
}

/* ---- fields ---- */

static int field_line(struct http_head *h, const char *buf, const char *p, const char *end)
{
	const char *name = p, *name_end;
	struct http_field *f;
	unsigned id;

	p = name_end = http_chars_span(p, end, HTTP_C_TOKEN);
	if (p == name)
		return bad(h, 400, http_char_is_blank(*p) ? "folded line" : "invalid field name");
	/*
	 * Blanks before the colon: a proxy must refuse them in requests and must take them out of answers
	 * (RFC 9112 5.1); but not where they hide the framing.
	 */
	if (!h->is_request)
		while (p < end && http_char_is_blank(*p))
			p++;
	if (p == end || *p != ':')
		return bad(h, 400, p < end && http_char_is_blank(*p) ? "blank before colon" : "invalid field name");
	if (h->nfields >= h->limits.fields)
		return bad(h, 431, "too many fields");
	if (name_end - name > UINT16_MAX)
		return bad(h, 431, "field name too long");

	id = http_name_field(name, (size_t)(name_end - name));
	if (p != name_end && (id == HTTP_F_CONTENT_LENGTH || id == HTTP_F_TRANSFER_ENCODING))
		return bad(h, 502, "blank before colon");
	p++;
	while (p < end && http_char_is_blank(*p))
		p++;
	while (end > p && http_char_is_blank(end[-1]))
		end--;

	f = &h->field[h->nfields];
	f->name_at = (uint32_t)(name - buf);
	f->name_size = (uint16_t)(name_end - name);
	f->value_at = (uint32_t)(p - buf);
	f->value_size = (uint32_t)(end - p);
	f->id = (uint8_t)id;
	f->drop = 0;
	if (id != HTTP_FIELD_OTHER) {
		uint32_t bit = HTTP_BIT(id);

		f->drop = (HTTP_HOP_BY_HOP & bit) != 0;
		if (h->seen & bit)
			h->repeated |= bit;
		else
			h->first[id] = (int16_t)h->nfields;
		h->seen |= bit;
	}
	h->nfields++;
	return 0;
}

/* ---- lines ---- */

static int over(struct http_head *h)
{
	if (h->state == START_LINE)
		return bad(h, 414, "start line too long");
	return bad(h, 431, "head too large");
}

static enum http_result parse(struct http_head *h, const char *buf, size_t size, enum http_method to)
{
	/* What is beyond the limit is not looked at: so the answer is the same, however much has come. */
	const char *stop = buf + (size < h->limits.head ? size : h->limits.head);

	if (h->state >= DONE)
		return h->state == DONE ? HTTP_DONE : HTTP_BAD;
	for (;;) {
		const char *line = buf + h->line_at;
		const char *end = http_chars_text_end(buf + h->scanned, stop);

		h->scanned = (uint32_t)(end - buf);
		if (h->state == START_LINE && (size_t)(end - line) > h->limits.line) {
			over(h);
			break;
		}
		if (end < stop && *end != '\r') {
			bad(h, 400, *end == '\n' ? "bare LF" : "control character");
			break;
		}
		if (stop - end < 2) {
			if (stop == buf + size)
				return HTTP_PARTIAL;
			over(h);
			break;
		}
		if (end[1] != '\n') {
			bad(h, 400, "bare CR");
			break;
		}
		h->scanned += 2;
		h->line_at = h->scanned;
		if (h->state == FIELDS) {
			if (end == line) {
				h->size = h->scanned;
				if ((h->is_request ? http_meaning_request(h, buf) :
				    http_meaning_response(h, buf, to)) < 0)
					break;
				h->state = DONE;
				return HTTP_DONE;
			}
			if (field_line(h, buf, line, end) < 0)
				break;
		} else if (end == line) {
			if (!h->is_request || h->scanned > 2 * BLANK_LINES_MAX) {
				bad(h, 400, "blank lines before the head");
				break;
			}
		} else {
			if ((h->is_request ? request_line(h, buf, line, end) :
			    status_line(h, buf, line, end)) < 0)
				break;
			h->state = FIELDS;
		}
	}
	h->state = BAD;
	return HTTP_BAD;
}

enum http_result http_request_parse(struct http_head *h, const char *buf, size_t size)
{
	return parse(h, buf, size, HTTP_METHOD_OTHER);
}

enum http_result http_response_parse(struct http_head *h, const char *buf, size_t size, enum http_method to)
{
	return parse(h, buf, size, to);
}

/* ---- tables ---- */

bool http_idempotent(enum http_method m)
{
	switch (m) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_OPTIONS:
	case HTTP_TRACE:
	case HTTP_PUT:
	case HTTP_DELETE:
		return true;
	case HTTP_METHOD_OTHER:
	case HTTP_POST:
	case HTTP_PATCH:
	case HTTP_CONNECT:
		break;
	}
	return false;
}

/* RFC 9110 15, RFC 6585, RFC 8297, RFC 8470, RFC 7725 */
const char *http_reason(unsigned status)
{
	switch (status) {
	case 100: return "Continue";
	case 101: return "Switching Protocols";
	case 103: return "Early Hints";
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 203: return "Non-Authoritative Information";
	case 204: return "No Content";
	case 205: return "Reset Content";
	case 206: return "Partial Content";
	case 300: return "Multiple Choices";
	case 301: return "Moved Permanently";
	case 302: return "Found";
	case 303: return "See Other";
	case 304: return "Not Modified";
	case 307: return "Temporary Redirect";
	case 308: return "Permanent Redirect";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 407: return "Proxy Authentication Required";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 410: return "Gone";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
	case 417: return "Expectation Failed";
	case 421: return "Misdirected Request";
	case 422: return "Unprocessable Content";
	case 425: return "Too Early";
	case 426: return "Upgrade Required";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 451: return "Unavailable For Legal Reasons";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	case 511: return "Network Authentication Required";
	}
	return "";
}
