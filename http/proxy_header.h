/*
 * The PROXY protocol, versions 1 and 2: a header in front of a connection's bytes by which a proxy tells
 * whose connection it passes on. Specification: proxy-protocol.txt of HAProxy, 2020.
 *
 * No I/O, no allocation, no state between calls. Nothing is guessed: bytes are a valid header of an
 * allowed version, or the beginning of one, or bad.
 */
#ifndef HTTP_PROXY_HEADER_H
#define HTTP_PROXY_HEADER_H

#include "http/head.h"

#define PROXY_HEADER_MAX 4096		/* of version 2, with its TLVs; longer ones are bad */
#define PROXY_HEADER_V1_MAX 107		/* CRLF included */
#define PROXY_HEADER_WRITE_MAX 108	/* the longest that we write */

enum proxy_header_version { PROXY_HEADER_V1 = 1, PROXY_HEADER_V2 = 2, PROXY_HEADER_ANY = 3 };	/* bits */

struct proxy_header {
	/* after HTTP_BAD */
	const char *why;	/* a few words for the log, static */

	/* after HTTP_DONE */
	uint32_t size;		/* bytes; what follows is the connection's own */
	uint8_t version;	/* PROXY_HEADER_V1 or _V2 */
	bool local;		/* LOCAL: the proxy speaks for itself (a probe); UNKNOWN does not tell that apart */
	bool secure;		/* version 2: the client came over TLS */
	uint8_t family;		/* AF_INET, AF_INET6; AF_UNSPEC: no address is told, the connection's own ones stand */
	uint16_t from_port, to_port;	/* host byte order */
	uint8_t from[16], to[16];	/* network byte order, IPv4 in the first four */
};

/* buf[0..size) is all that has come; allowed is of enum proxy_header_version. */
enum http_result proxy_header_parse(struct proxy_header *h, const char *buf, size_t size, unsigned allowed);

/*
 * Writes a header of `version`, V1 or V2: local, family and addresses of *h count. AF_UNSPEC writes
 * UNKNOWN, in version 2 LOCAL where `local` is set. buf has room for PROXY_HEADER_WRITE_MAX bytes.
 * Returns the size.
 */
size_t proxy_header_write(char *buf, unsigned version, const struct proxy_header *h);

#endif
