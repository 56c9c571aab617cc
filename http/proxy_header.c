/* The PROXY protocol. */
#include "http/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
	V2_SIGNATURE = 12, V2_FIXED = 16,	/* bytes; the fixed part has the signature */
	V2_INET = 12, V2_INET6 = 36, V2_UNIX = 216,	/* of addresses and ports */
	V2_LOCAL = 0x20, V2_PROXY = 0x21,
	TLV_HEAD = 3, TLV_CRC32C = 0x03, TLV_SSL = 0x20,
	SSL_FIXED = 5, SSL_CLIENT_SSL = 0x01,
};

static const char signature[V2_SIGNATURE] = "\r\n\r\n\0\r\nQUIT\n";
static const char word[] = "PROXY ";

static enum http_result bad(struct proxy_header *h, const char *why)
{
	h->why = why;
	return HTTP_BAD;
}

/* Does buf begin with the text, as far as it has come? */
static bool begins(const char *buf, size_t size, const char *text, size_t n)
{
	return memcmp(buf, text, size < n ? size : n) == 0;
}

static unsigned get16(const char *p)
{
	return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

static void put16(char *p, unsigned v)
{
	p[0] = (char)(v >> 8);
	p[1] = (char)v;
}

/* ---- version 1: a line of text ---- */

/* The word from *p to the next blank or the end, NUL-terminated in text; false: none, or too long. Passes the blank. */
static bool take_word(const char **p, const char *end, char text[static INET6_ADDRSTRLEN])
{
	const char *blank = memchr(*p, ' ', (size_t)(end - *p));
	size_t n = (size_t)((blank ? blank : end) - *p);

	if (n == 0 || n >= INET6_ADDRSTRLEN || memchr(*p, '\0', n))
		return false;
	memcpy(text, *p, n);
	text[n] = '\0';
	*p += n + (blank != NULL);
	return true;
}

/* Digits only, no sign, no leading zero: one way to write each. */
static bool port_of(const char *text, uint16_t *port)
{
	unsigned v = 0;

	if (text[0] == '0' && text[1])
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (unsigned)(*text - '0');
		if (v > 65535)
			return false;
	}
	*port = (uint16_t)v;
	return true;
}

static enum http_result parse_v1(struct proxy_header *h, const char *buf, size_t size)
{
	size_t look = size < PROXY_HEADER_V1_MAX ? size : PROXY_HEADER_V1_MAX;
	const char *cr = memchr(buf, '\r', look), *p = buf + sizeof(word) - 1, *end;
	char text[INET6_ADDRSTRLEN];
	unsigned blanks = 0;

	if (memchr(buf, '\n', cr ? (size_t)(cr - buf) : look))
		return bad(h, "version 1: bare LF");
	if (!cr)
		return look == PROXY_HEADER_V1_MAX ? bad(h, "version 1: too long") : HTTP_PARTIAL;
	end = cr;
	if (cr == buf + PROXY_HEADER_V1_MAX - 1)
		return bad(h, "version 1: too long");
	if ((size_t)(cr - buf) + 1 == size)
		return HTTP_PARTIAL;
	if (cr[1] != '\n')
		return bad(h, "version 1: bare CR");
	h->version = PROXY_HEADER_V1;
	h->size = (uint32_t)(cr + 2 - buf);
	if (end - p >= 7 && !memcmp(p, "UNKNOWN", 7) && (end - p == 7 || p[7] == ' '))
		return HTTP_DONE;	/* whatever else stands there is not for us */
	for (const char *q = p; q < end; q++)
		blanks += *q == ' ';
	if (!take_word(&p, end, text))
		return bad(h, "version 1: no protocol");
	if (!strcmp(text, "TCP4"))
		h->family = AF_INET;
	else if (!strcmp(text, "TCP6"))
		h->family = AF_INET6;
	else
		return bad(h, "version 1: unknown protocol");
	if (blanks != 4)	/* so that the four words below are all there is */
		return bad(h, "version 1: not four values");
	if (!take_word(&p, end, text) || inet_pton(h->family, text, h->from) != 1 ||
	    !take_word(&p, end, text) || inet_pton(h->family, text, h->to) != 1)
		return bad(h, "version 1: bad address");
	if (!take_word(&p, end, text) || !port_of(text, &h->from_port) ||
	    !take_word(&p, end, text) || !port_of(text, &h->to_port))
		return bad(h, "version 1: bad port");
	return HTTP_DONE;
}

/* ---- version 2: binary ---- */

/* CRC-32C, bit by bit: it comes once a connection at most. */
static uint32_t crc32c(uint32_t crc, const char *p, size_t n)
{
	while (n--) {
		crc ^= (uint8_t)*p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* The sum of the whole header, in which its own four bytes count as zero. */
static bool sum_is_right(const char *buf, size_t size, const char *value)
{
	static const char zero[4];
	const uint8_t *v = (const uint8_t *)value;
	uint32_t crc = crc32c(~0u, buf, (size_t)(value - buf));

	crc = crc32c(crc, zero, 4);
	crc = ~crc32c(crc, value + 4, size - (size_t)(value + 4 - buf));
	return crc == ((uint32_t)v[0] << 24 | (uint32_t)v[1] << 16 | (uint32_t)v[2] << 8 | v[3]);
}

static enum http_result parse_tlvs(struct proxy_header *h, const char *buf, const char *p)
{
	const char *end = buf + h->size;

	while (p < end) {
		if (end - p < TLV_HEAD || end - p - TLV_HEAD < (ptrdiff_t)get16(p + 1))
			return bad(h, "version 2: a TLV is cut short");
		unsigned type = (uint8_t)p[0], n = get16(p + 1);
		p += TLV_HEAD;
		if (type == TLV_CRC32C && (n != 4 || !sum_is_right(buf, h->size, p)))
			return bad(h, "version 2: wrong checksum");
		if (type == TLV_SSL) {
			if (n < SSL_FIXED)
				return bad(h, "version 2: SSL TLV too short");
			h->secure = p[0] & SSL_CLIENT_SSL;
		}
		p += n;
	}
	return HTTP_DONE;
}

static enum http_result parse_v2(struct proxy_header *h, const char *buf, size_t size)
{
	unsigned n, family, transport, addresses = 0;
	const char *p = buf + V2_FIXED;

	if (size > 12 && buf[12] != V2_LOCAL && buf[12] != V2_PROXY)
		return bad(h, "version 2: unknown version or command");
	if (size < V2_FIXED)
		return HTTP_PARTIAL;
	n = get16(buf + 14);
	family = (uint8_t)buf[13] >> 4;
	transport = buf[13] & 15;
	if (V2_FIXED + n > PROXY_HEADER_MAX)
		return bad(h, "version 2: too long");
	h->version = PROXY_HEADER_V2;
	h->size = V2_FIXED + n;
	h->local = buf[12] == V2_LOCAL;
	if (!h->local) {
		static const uint16_t need[4] = { 0, V2_INET, V2_INET6, V2_UNIX };
		if (family > 3 || transport > 2)
			return bad(h, "version 2: unknown family or transport");
		if (family && transport != 1)
			return bad(h, "version 2: the transport is not a stream");
		addresses = need[family];
		if (n < addresses)
			return bad(h, "version 2: too short for its addresses");
	}
	if (size < h->size)
		return HTTP_PARTIAL;
	if (h->local)		/* the rest means nothing, and must not be looked at */
		return HTTP_DONE;
	if (family == 1 || family == 2) {
		size_t a = family == 1 ? 4 : 16;
		h->family = family == 1 ? AF_INET : AF_INET6;
		memcpy(h->from, p, a);
		memcpy(h->to, p + a, a);
		h->from_port = (uint16_t)get16(p + 2 * a);
		h->to_port = (uint16_t)get16(p + 2 * a + 2);
	}
	return parse_tlvs(h, buf, p + addresses);
}

/* ---- for callers ---- */

enum http_result proxy_header_parse(struct proxy_header *h, const char *buf, size_t size, unsigned allowed)
{
	memset(h, 0, sizeof *h);
	if (size == 0)
		return HTTP_PARTIAL;
	if (begins(buf, size, signature, V2_SIGNATURE)) {
		if (size < V2_SIGNATURE)
			return HTTP_PARTIAL;
		return allowed & PROXY_HEADER_V2 ? parse_v2(h, buf, size) : bad(h, "version 2 is not allowed");
	}
	if (begins(buf, size, word, sizeof(word) - 1)) {
		if (size < sizeof(word) - 1)
			return HTTP_PARTIAL;
		return allowed & PROXY_HEADER_V1 ? parse_v1(h, buf, size) : bad(h, "version 1 is not allowed");
	}
	return bad(h, "no PROXY header");
}

size_t proxy_header_write(char *buf, unsigned version, const struct proxy_header *h)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	bool known = h->family == AF_INET || h->family == AF_INET6;
	size_t a = h->family == AF_INET ? 4 : 16;

	if (version == PROXY_HEADER_V1) {
		if (!known || h->local || !inet_ntop(h->family, h->from, from, sizeof from) ||
		    !inet_ntop(h->family, h->to, to, sizeof to)) {
			memcpy(buf, "PROXY UNKNOWN\r\n", 15);
			return 15;
		}
		return (size_t)snprintf(buf, PROXY_HEADER_WRITE_MAX, "PROXY TCP%c %s %s %u %u\r\n", h->family == AF_INET ? '4' : '6',
		    from, to, h->from_port, h->to_port);
	}
	memcpy(buf, signature, V2_SIGNATURE);
	buf[12] = h->local ? V2_LOCAL : V2_PROXY;
	buf[13] = 0;
	put16(buf + 14, 0);
	if (!known || h->local)
		return V2_FIXED;
	buf[13] = h->family == AF_INET ? 0x11 : 0x21;
	put16(buf + 14, (unsigned)(2 * a + 4));
	memcpy(buf + V2_FIXED, h->from, a);
	memcpy(buf + V2_FIXED + a, h->to, a);
	put16(buf + V2_FIXED + 2 * a, h->from_port);
	put16(buf + V2_FIXED + 2 * a + 2, h->to_port);
	return V2_FIXED + 2 * a + 4;
}
