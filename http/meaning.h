/* What the fields of a whole head say together: framing, persistence, expectations. Used by http/head.c only. */
#ifndef HTTP_MEANING_H
#define HTTP_MEANING_H

#include "http/head.h"

/* A bit per field id, as in http_head.seen. */
#define HTTP_BIT(id)	(UINT32_C(1) << (id))

/* Fields of one hop, which are never forwarded as they came. RFC 9110 7.6.1, 11.7; RFC 9113 8.2.2 */
#define HTTP_HOP_BY_HOP \
	(HTTP_BIT(HTTP_F_CONNECTION) | HTTP_BIT(HTTP_F_KEEP_ALIVE) | HTTP_BIT(HTTP_F_PROXY_CONNECTION) | \
	 HTTP_BIT(HTTP_F_UPGRADE) | HTTP_BIT(HTTP_F_TE) | HTTP_BIT(HTTP_F_TRAILER) | \
	 HTTP_BIT(HTTP_F_PROXY_AUTHENTICATE) | HTTP_BIT(HTTP_F_PROXY_AUTHORIZATION) | \
	 HTTP_BIT(HTTP_F_HTTP2_SETTINGS))

_Static_assert(HTTP_FIELD_IDS <= 32, "a bit per field id");

/* All of the head's fields are known; 0, or -1 with h->error and h->why. */
int http_meaning_request(struct http_head *h, const char *buf);
int http_meaning_response(struct http_head *h, const char *buf, enum http_method to);

#endif
