/* The name in a TLS ClientHello. */
#include "http/client_hello.h"

#include <string.h>

enum {
	RECORD_HANDSHAKE = 22, RECORD_MAX = 1 << 14, MESSAGE_CLIENT_HELLO = 1,
	FIXED = 34,		/* version and random */
	SESSION_MAX = 32,
	EXTENSION_SERVER_NAME = 0, NAME_HOST = 0,
};

/* What comes next; of the numbers, in the order of `width`. */
enum state {
	TYPE, LENGTH, SESSION, CIPHERS, COMPRESSIONS, EXTENSIONS, EXTENSION_TYPE, EXTENSION_SIZE, LIST, NAME_TYPE,
	NAME_SIZE, NAME, DONE, BAD
};

static const uint8_t width[] = { 1, 3, 1, 2, 1, 2, 2, 2, 2, 1, 2, 0, 0, 0 };

enum record_state { RECORD_TYPE, RECORD_MAJOR, RECORD_MINOR, RECORD_SIZE, RECORD_SIZE_LOW, RECORD_DATA };

static void bad(struct client_hello *h, const char *why)
{
	h->state = BAD;
	h->why = why;
}

static void next(struct client_hello *h, enum state state)
{
	h->state = (uint8_t)state;
	h->bytes = width[state];
	h->value = 0;
}

static void skip(struct client_hello *h, uint32_t n, enum state then)
{
	h->skip = n;
	next(h, then);
}

static void name_over(struct client_hello *h)
{
	if (h->name_size && h->name[h->name_size - 1] == '.')
		h->name_size--;
	h->name[h->name_size] = '\0';
	if (h->name_size == 0)
		bad(h, "empty server name");
	else
		next(h, h->list_left ? NAME_TYPE : EXTENSION_TYPE);
}

/* Case folded, and nothing in it that a host name cannot have. */
static void name_byte(struct client_hello *h, char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c | 0x20);
	else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_') {
		bad(h, "invalid server name");
		return;
	}
	h->name[h->name_size++] = c;
	if (--h->name_left == 0)
		name_over(h);
}

/* A number has been read; message_left is what comes behind it. */
static void number(struct client_hello *h)
{
	uint32_t v = h->value;

	switch ((enum state)h->state) {
	case TYPE:
		if (v != MESSAGE_CLIENT_HELLO)
			bad(h, "not a ClientHello");
		else
			next(h, LENGTH);
		return;
	case LENGTH:
		h->message_left = v;
		if (v > h->limit)
			bad(h, "ClientHello too long");
		else
			skip(h, FIXED, SESSION);
		break;
	case SESSION:
		if (v > SESSION_MAX)
			bad(h, "invalid session id");
		else
			skip(h, v, CIPHERS);
		break;
	case CIPHERS:
		if (v < 2 || v % 2)
			bad(h, "invalid cipher suites");
		else
			skip(h, v, COMPRESSIONS);
		break;
	case COMPRESSIONS:
		if (v < 1)
			bad(h, "invalid compression methods");
		else
			skip(h, v, EXTENSIONS);
		break;
	case EXTENSIONS:
		if (v != h->message_left)
			bad(h, "invalid size of extensions");
		else
			next(h, EXTENSION_TYPE);
		break;
	case EXTENSION_TYPE:
		/* The type stays in list_left until the size is there. */
		h->list_left = v;
		if (v == EXTENSION_SERVER_NAME && h->named)
			bad(h, "two server names");
		else
			next(h, EXTENSION_SIZE);
		break;
	case EXTENSION_SIZE:
		if (h->list_left != EXTENSION_SERVER_NAME) {
			skip(h, v, EXTENSION_TYPE);
			break;
		}
		h->named = true;
		h->list_left = v;
		if (v < 2 || v > h->message_left)
			bad(h, "invalid server name");
		else
			next(h, LIST);
		break;
	case LIST:
		h->list_left -= 2;
		if (v == 0 || v != h->list_left)
			bad(h, "invalid list of server names");
		else
			next(h, NAME_TYPE);
		break;
	case NAME_TYPE:
		if (h->list_left < 3)
			bad(h, "invalid list of server names");
		else if (v == NAME_HOST && h->host_named)
			bad(h, "two server names");
		else {
			h->name_left = v == NAME_HOST;	/* for NAME_SIZE */
			next(h, NAME_SIZE);
		}
		break;
	case NAME_SIZE:
		h->list_left -= 3;
		if (v > h->list_left) {
			bad(h, "invalid list of server names");
			break;
		}
		h->list_left -= v;
		if (!h->name_left) {
			skip(h, v, h->list_left ? NAME_TYPE : EXTENSION_TYPE);
			break;
		}
		h->host_named = true;
		h->name_left = (uint16_t)v;
		if (v == 0 || v > CLIENT_HELLO_NAME_MAX)
			bad(h, v ? "server name too long" : "empty server name");
		else
			next(h, NAME);
		break;
	case NAME:
	case DONE:
	case BAD:
		return;
	}
	if (h->state != BAD && h->skip > h->message_left)
		bad(h, "ClientHello cut short");
}

/* n > 0 bytes of the handshake, from p. Returns how many it took, fewer when that was the end. */
static size_t feed(struct client_hello *h, const char *p, size_t n)
{
	const char *start = p, *end = p + n;

	while (p < end && h->state < DONE) {
		bool in_message = h->state > LENGTH;
		if (h->skip) {
			uint32_t k = h->skip < (size_t)(end - p) ? h->skip : (uint32_t)(end - p);
			h->skip -= k;
			h->message_left -= k;
			p += k;
		} else {
			if (in_message)
				h->message_left--;
			if (h->state == NAME)
				name_byte(h, *p);
			else {
				h->value = h->value << 8 | (uint8_t)*p;
				if (--h->bytes == 0)
					number(h);
			}
			p++;
		}
		/* The end, where one may be: behind the compression methods, or behind an extension. */
		if (h->message_left == 0 && h->skip == 0 && h->state > LENGTH && h->state < DONE) {
			if ((h->state == EXTENSIONS || h->state == EXTENSION_TYPE) && h->bytes == width[h->state])
				h->state = DONE;
			else
				bad(h, "ClientHello cut short");
		}
	}
	return (size_t)(p - start);
}

/* A byte of a record's head. */
static void record_byte(struct client_hello *h, uint8_t c)
{
	switch ((enum record_state)h->record_state) {
	case RECORD_TYPE:
		if (c != RECORD_HANDSHAKE)
			bad(h, "not TLS");
		break;
	case RECORD_MAJOR:
		if (c != 3)
			bad(h, "not TLS");
		break;
	case RECORD_MINOR:	/* says nothing since TLS 1.3: RFC 8446 5.1 */
		break;
	case RECORD_SIZE:
		h->record_left = (uint32_t)c << 8;
		break;
	case RECORD_SIZE_LOW:
		h->record_left |= c;
		if (h->record_left == 0 || h->record_left > RECORD_MAX)
			bad(h, "invalid size of a record");
		break;
	case RECORD_DATA:
		return;
	}
	h->record_state++;
}

void client_hello_start(struct client_hello *h, uint32_t limit)
{
	memset(h, 0, sizeof *h);
	h->limit = limit;
	next(h, TYPE);
}

enum http_result client_hello_parse(struct client_hello *h, const char *buf, size_t size)
{
	if (size > h->limit)
		size = h->limit;
	while (h->used < size && h->state < DONE) {
		if (h->record_state != RECORD_DATA) {
			record_byte(h, (uint8_t)buf[h->used++]);
			continue;
		}
		size_t n = size - h->used < h->record_left ? size - h->used : h->record_left;
		n = feed(h, buf + h->used, n);
		h->used += (uint32_t)n;
		h->record_left -= (uint32_t)n;
		if (h->record_left == 0)
			h->record_state = RECORD_TYPE;
	}
	if (h->state < DONE && h->used == h->limit)
		bad(h, "ClientHello too long");
	return h->state == DONE ? HTTP_DONE : h->state == BAD ? HTTP_BAD : HTTP_PARTIAL;
}
