/*
 * HTTP/1 heads: parsing. RFC 9110, RFC 9112.
 *
 * No I/O, no allocation, no state but the struct. The bytes stay in the caller's buffer; what is
 * found is told as offsets into it, so the buffer may move between calls. A head that comes in
 * pieces is parsed line by line as lines become whole: no byte is looked at twice, but for the line
 * that was cut.
 *
 * Whatever two readers of a message could understand differently is refused.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_FIELDS_MAX 128

enum http_result { HTTP_BAD = -1, HTTP_PARTIAL = 0, HTTP_DONE = 1 };

enum http_method {
	HTTP_METHOD_OTHER = 0,
	HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_TRACE, HTTP_PATCH, HTTP_CONNECT,
};

enum http_framing {
	HTTP_NO_BODY = 0,
	HTTP_LENGTH,		/* head.length bytes */
	HTTP_CHUNKED,
	HTTP_UNTIL_CLOSE,	/* answers only */
};

/* Fields that mean something here; HTTP_FIELD_OTHER is everything else. */
enum http_field_id {
	HTTP_FIELD_OTHER = 0,
	HTTP_F_HOST, HTTP_F_CONTENT_LENGTH, HTTP_F_TRANSFER_ENCODING, HTTP_F_CONNECTION, HTTP_F_KEEP_ALIVE,
	HTTP_F_PROXY_CONNECTION, HTTP_F_UPGRADE, HTTP_F_TE, HTTP_F_TRAILER, HTTP_F_EXPECT,
	HTTP_F_DATE, HTTP_F_SERVER, HTTP_F_VIA, HTTP_F_X_FORWARDED_FOR, HTTP_F_X_FORWARDED_PROTO,
	HTTP_F_X_FORWARDED_HOST, HTTP_F_FORWARDED, HTTP_F_X_REQUEST_ID, HTTP_F_COOKIE, HTTP_F_SET_COOKIE,
	HTTP_F_PROXY_AUTHENTICATE, HTTP_F_PROXY_AUTHORIZATION, HTTP_F_HTTP2_SETTINGS,
	HTTP_F_MAX_FORWARDS, HTTP_F_RETRY_AFTER, HTTP_F_REFERER, HTTP_F_USER_AGENT,
	HTTP_FIELD_IDS
};

struct http_span { uint32_t at, size; };	/* offset from the start of the head, bytes */

struct http_field {
	uint32_t name_at, value_at;	/* value without blanks around it */
	uint16_t name_size;
	uint8_t id;			/* enum http_field_id */
	uint8_t drop;			/* 1: hop by hop, or named in Connection: not forwarded */
	uint32_t value_size;
};

/* Limits; all are checked while reading, so a head never costs more than they allow. */
struct http_limits {
	uint32_t line;		/* request line, without its CRLF: beyond it 414 */
	uint32_t head;		/* whole head: beyond it 431 */
	uint16_t fields;	/* at most HTTP_FIELDS_MAX, more counts as that: beyond it 431 */
};

struct http_head {
	/* where it stands, between calls */
	uint32_t scanned;		/* bytes looked at */
	uint32_t line_at;		/* start of the line being read */
	uint8_t state;			/* private */
	bool is_request;
	struct http_limits limits;

	/* after HTTP_BAD */
	uint16_t error;			/* status to answer a request with; for answers always 502 */
	const char *why;		/* a few words for the log, static */

	/* after HTTP_DONE */
	uint32_t size;			/* of the head, blank line included (and blank lines before a request line) */
	uint8_t minor;			/* HTTP/1.minor, 0 or 1 (a higher minor reads as 1) */
	uint8_t method;			/* requests: enum http_method */
	uint16_t status;		/* answers: 100..599 */
	struct http_span method_text;	/* requests */
	struct http_span target;	/* requests: origin form, or "*"; of an absolute form its path and query, where the
					 * path, or both, may be empty and mean "/" */
	struct http_span authority;	/* requests: host that counts, from an absolute-form target or else the Host field; may be empty in 1.0 */
	bool absolute;			/* target was in absolute form: Host is regenerated from authority */
	struct http_span reason;	/* answers */
	uint8_t framing;		/* enum http_framing */
	uint64_t length;		/* HTTP_LENGTH */
	bool keep_alive;		/* the peer lets the connection live after this message */
	bool expect_continue;		/* requests: 1.1, with a body to come, and the client may wait for 100 */
	bool upgrade;			/* has Upgrade and Connection: upgrade; requests: 1.1, without a body, and not to
					 * h2c, which would carry requests past everything that looks at them here */
	bool te_trailers;		/* requests: TE says trailers */
	int32_t max_forwards;		/* OPTIONS and TRACE: Max-Forwards, INT32_MAX for more; -1: none.
					 * 0: not to be forwarded, RFC 9110 7.6.2 */
	uint32_t keep_alive_timeout_s;	/* answers: Keep-Alive: timeout=N; 0: none */
	uint32_t seen, repeated;	/* bit n: field id n is there; is there more than once */
	uint16_t nfields;
	int16_t first[HTTP_FIELD_IDS];	/* index of the first field of each known id, -1: none */
	struct http_field field[HTTP_FIELDS_MAX];	/* nfields of them are set, the rest is garbage */
};

/* Must come before the first parse of each message. A copy of the limits is kept. */
void http_request_start(struct http_head *h, const struct http_limits *limits);
/* `to` is the method of the request it answers (enum http_method): HEAD and CONNECT change the framing. */
void http_response_start(struct http_head *h, const struct http_limits *limits);

/*
 * buf[0..size) is all that has come of this head so far, from its first byte. `to` is the same in all
 * calls for a head. After HTTP_DONE or HTTP_BAD a further call says the same again.
 */
enum http_result http_request_parse(struct http_head *h, const char *buf, size_t size);
enum http_result http_response_parse(struct http_head *h, const char *buf, size_t size, enum http_method to);

/* Limits that fit most: 8 KiB of request line, 32 KiB of head, 100 fields. */
extern const struct http_limits http_limits_default;

/* Safe to repeat when nothing is known of the first try: RFC 9110 9.2.2 (GET HEAD OPTIONS TRACE PUT DELETE). */
bool http_idempotent(enum http_method m);
/* Reason phrase of a status; "" when unknown. */
const char *http_reason(unsigned status);

#endif
