/* Strict HTTP/1.1 request reading for the demo server; see request.h. */
#include "tests/demo/request.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool token_char(unsigned char c)
{
	return isalnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static long refuse(struct request *r, const char *why)
{
	r->bad = why;
	return -1;
}

/* Copies buf[0..n) as a string; false when it does not fit. */
static bool copy(char *out, size_t room, const char *buf, size_t n)
{
	if (n >= room)
		return false;
	memcpy(out, buf, n);
	out[n] = '\0';
	return true;
}

/* Whether the comma-separated list v[0..n) names `word`. */
static bool names(const char *v, size_t n, const char *word)
{
	size_t i = 0, w = strlen(word);

	while (i < n) {
		while (i < n && (v[i] == ' ' || v[i] == '\t' || v[i] == ','))
			i++;
		size_t start = i;
		while (i < n && v[i] != ',')
			i++;
		size_t end = i;
		while (end > start && (v[end - 1] == ' ' || v[end - 1] == '\t'))
			end--;
		if (end - start == w && strncasecmp(v + start, word, w) == 0)
			return true;
	}
	return false;
}

/* "METHOD TARGET HTTP/1.x" */
static long start_line(struct request *r, const char *line, size_t n)
{
	const char *sp = memchr(line, ' ', n);
	if (sp == NULL || sp == line)
		return refuse(r, "no method");
	for (const char *p = line; p < sp; p++)
		if (!token_char((unsigned char)*p))
			return refuse(r, "method is no token");
	const char *target = sp + 1;
	const char *sp2 = memchr(target, ' ', n - (size_t)(target - line));
	if (sp2 == NULL || sp2 == target)
		return refuse(r, "no target");
	for (const char *p = target; p < sp2; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return refuse(r, "control byte in the target");
	const char *version = sp2 + 1;
	if (n - (size_t)(version - line) != 8 || memcmp(version, "HTTP/1.", 7) != 0 ||
	    (version[7] != '0' && version[7] != '1'))
		return refuse(r, "version");
	r->minor = version[7] - '0';
	if (!copy(r->method, sizeof(r->method), line, (size_t)(sp - line)) ||
	    !copy(r->target, sizeof(r->target), target, (size_t)(sp2 - target)))
		return refuse(r, "method or target too long");
	return 0;
}

struct seen { unsigned host, length, coding; bool close, keep, connection_upgrade, upgrade; };

static long field(struct request *r, struct seen *s, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	if (colon == NULL || colon == line)
		return refuse(r, "field without a name");
	size_t name = (size_t)(colon - line);
	for (size_t i = 0; i < name; i++)
		if (!token_char((unsigned char)line[i]))
			return refuse(r, "field name is no token");
	const char *v = colon + 1, *end = line + n;
	while (v < end && (*v == ' ' || *v == '\t'))
		v++;
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	size_t size = (size_t)(end - v);
	for (const char *p = v; p < end; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return refuse(r, "control byte in a field");
#define IS(text) (name == sizeof(text) - 1 && strncasecmp(line, text, name) == 0)
	if (IS("Host")) {
		s->host++;
	} else if (IS("Content-Length")) {
		s->length++;
		if (size == 0 || size > 18)
			return refuse(r, "Content-Length");
		r->length = 0;
		for (const char *p = v; p < end; p++) {
			if (*p < '0' || *p > '9')
				return refuse(r, "Content-Length");
			r->length = r->length * 10 + (uint64_t)(*p - '0');
		}
	} else if (IS("Transfer-Encoding")) {
		s->coding++;
		if (size != 7 || strncasecmp(v, "chunked", 7) != 0)
			return refuse(r, "Transfer-Encoding");
	} else if (IS("Connection")) {
		s->close |= names(v, size, "close");
		s->keep |= names(v, size, "keep-alive");
		s->connection_upgrade |= names(v, size, "upgrade");
	} else if (IS("Upgrade")) {
		s->upgrade = true;
	} else if (IS("Expect")) {
		if (size != 12 || strncasecmp(v, "100-continue", 12) != 0)
			return refuse(r, "Expect");
		r->expect = true;
	} else if (IS("X-Token")) {
		if (!copy(r->token, sizeof(r->token), v, size))
			return refuse(r, "X-Token too long");
	}
#undef IS
	return 0;
}

long request_parse(struct request *r, const char *buf, size_t n)
{
	struct seen s = {0};
	size_t at = 0;

	memset(r, 0, sizeof(*r));
	strcpy(r->token, "-");
	for (unsigned line = 0;; line++) {
		const char *nl = memchr(buf + at, '\n', n - at);
		if (nl == NULL)
			return 0;
		size_t size = (size_t)(nl - (buf + at));
		if (size == 0 || nl[-1] != '\r')
			return refuse(r, "bare LF");
		size--;
		if (memchr(buf + at, '\r', size) != NULL)
			return refuse(r, "bare CR");
		if (size == 0 && line > 0) {
			at += 2;
			break;
		}
		if ((line == 0 ? start_line(r, buf + at, size) : field(r, &s, buf + at, size)) < 0)
			return -1;
		at += size + 2;
	}
	if (s.host > 1 || (s.host == 0 && r->minor == 1))
		return refuse(r, "not one Host");
	if (s.length > 1 || s.coding > 1 || (s.length > 0 && s.coding > 0))
		return refuse(r, "ambiguous framing");
	if (s.coding > 0 && r->minor == 0)
		return refuse(r, "chunked in HTTP/1.0");
	r->framing = s.coding ? REQUEST_CHUNKED : s.length ? REQUEST_LENGTH : REQUEST_NO_BODY;
	r->close = s.close || (r->minor == 0 && !s.keep);
	r->upgrade = s.upgrade && s.connection_upgrade;
	return (long)at;
}

static int chunks_refuse(struct chunks *c, const char *why)
{
	c->bad = why;
	return -1;
}

int chunks_next(struct chunks *c, const char *buf, size_t n, size_t *skip, size_t *data)
{
	*skip = *data = 0;
	for (size_t i = 0; i < n; i++) {
		char b = buf[i];
		switch (c->state) {
		case CHUNKS_SIZE:
			if (isxdigit((unsigned char)b)) {
				if (++c->digits > 15)
					return chunks_refuse(c, "chunk size");
				c->left = c->left * 16 + (uint64_t)(b <= '9' ? b - '0' : (b | 0x20) - 'a' + 10);
			} else if (b == '\r' && c->digits > 0) {
				c->state = CHUNKS_SIZE_LF;
			} else {	/* an extension too: the balancer promises to drop them */
				return chunks_refuse(c, "chunk size line");
			}
			break;
		case CHUNKS_SIZE_LF:
			if (b != '\n')
				return chunks_refuse(c, "chunk size end");
			c->state = c->left > 0 ? CHUNKS_DATA : CHUNKS_TRAILER;
			c->digits = c->line = 0;
			break;
		case CHUNKS_DATA:
			*skip = i;
			*data = c->left < n - i ? (size_t)c->left : n - i;
			c->left -= *data;
			if (c->left == 0)
				c->state = CHUNKS_DATA_CR;
			return 0;
		case CHUNKS_DATA_CR:
			if (b != '\r')
				return chunks_refuse(c, "chunk end");
			c->state = CHUNKS_DATA_LF;
			break;
		case CHUNKS_DATA_LF:
			if (b != '\n')
				return chunks_refuse(c, "chunk end");
			c->state = CHUNKS_SIZE;
			break;
		case CHUNKS_TRAILER:	/* whole lines up to an empty one; what they say is not looked at */
			if (b == '\r')
				c->state = CHUNKS_TRAILER_LF;
			else if (b == '\n' || ++c->line > 8192)
				return chunks_refuse(c, "trailer");
			break;
		case CHUNKS_TRAILER_LF:
			if (b != '\n')
				return chunks_refuse(c, "trailer end");
			c->state = c->line > 0 ? CHUNKS_TRAILER : CHUNKS_END;
			c->line = 0;
			break;
		case CHUNKS_END:
			break;
		}
		if (c->state == CHUNKS_END) {
			*skip = i + 1;
			return 1;
		}
	}
	*skip = n;
	return 0;
}

bool request_query(const struct request *r, const char *key, char *out, size_t room)
{
	const char *p = strchr(r->target, '?');
	size_t k = strlen(key);

	while (p != NULL) {
		p++;
		size_t n = strcspn(p, "&");
		if (strncmp(p, key, k) == 0 && (p[k] == '=' || k == n)) {
			const char *v = p + k + (p[k] == '=');
			return copy(out, room, v, n - (size_t)(v - p));
		}
		p = strchr(p, '&');
	}
	return false;
}

uint64_t request_query_number(const struct request *r, const char *key, uint64_t otherwise)
{
	char text[32];

	return request_query(r, key, text, sizeof(text)) ? strtoull(text, NULL, 10) : otherwise;
}

size_t request_unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
			char hex[3] = { p[1], p[2], '\0' };
			*out++ = (char)strtoul(hex, NULL, 16);
			p += 2;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}
