/*
 * HTTP/1 heads: writing what goes on to the other side. Nothing is copied through as it came: the
 * start line and the framing are written anew, fields that belong to one hop are left out, the rest
 * keeps its order and case. RFC 9110 7.6, RFC 9112.
 */
#ifndef HTTP_FORWARD_H
#define HTTP_FORWARD_H

#include "http/edit.h"
#include "http/head.h"

/* What becomes of a field that each proxy on the way continues. */
enum http_list_mode {
	HTTP_LIST_APPEND = 0,	/* ours behind theirs, in the last field that is there */
	HTTP_LIST_SET,		/* ours, or nothing, in place of theirs */
	HTTP_LIST_KEEP,		/* theirs; ours when there is none */
};
struct http_list { const char *at; size_t size; uint8_t mode; };	/* no text and APPEND: as it came */

/*
 * What is added, or left out, on the way to a server. All optional: zero means as it came. A text with a
 * control character in it, or a blank at an end, is taken as not given: nothing that is put in here can end
 * a line.
 */
struct http_request_edit {
	struct http_list forwarded_for;	/* X-Forwarded-For: address of the client */
	struct http_list proto;		/* X-Forwarded-Proto: "http" or "https" */
	struct http_list forwarded_host;/* X-Forwarded-Host */
	struct http_list forwarded;	/* Forwarded: one element, RFC 7239 */
	struct http_text request_id;	/* X-Request-Id, when the request has none, or in place of what it has */
	bool request_id_set;
	struct http_text via;		/* pseudonym: Via: 1.1 NAME is appended (or 1.0, as the request came) */
	struct http_edits edits, later;	/* applied in this order; http_edit_take_out() of both is the caller's */
	const struct http_values *values;	/* for these; may be NULL when there are none */
	struct http_text set_host;	/* Host, whatever came */
	struct http_text host;		/* Host for a request that has none, as HTTP/1.0 allows; else it is empty */
	bool no_expect;			/* leave Expect out: the client has been told to continue */
	bool keep_alive;		/* false: Connection: close is said to the server */
};

/*
 * Writes the head of the request `h`, whose bytes are at `buf`, as HTTP/1.1: one framing (Content-Length or
 * chunked, as h->framing says), Host first where it was first, upgrade kept when h->upgrade.
 * Max-Forwards of OPTIONS and TRACE is lowered by one; a request that came with 0 must not come here.
 * Returns the bytes written, or 0: it does not fit in `room`.
 */
size_t http_forward_request(char *out, size_t room, const struct http_head *h, const char *buf,
    const struct http_request_edit *e);

struct http_response_edit {
	struct http_text via;		/* as above */
	struct http_edits edits, later;	/* as above; not applied to 1xx */
	const struct http_values *values;
	struct http_text date;		/* http_date(): Date for an answer that has none, RFC 9110 6.6.1; not in 1xx */
	uint8_t minor;			/* version that the client speaks: HTTP/1.minor features only (the start line is always HTTP/1.1) */
	uint8_t framing;		/* enum http_framing of what goes out; HTTP_UNTIL_CLOSE says Connection: close by itself */
	bool keep_alive;		/* false: Connection: close is said; true and minor 0: Connection: keep-alive */
	bool head_only;			/* answer to HEAD, or 304: framing fields are passed on as they came, no body follows */
};

/*
 * The same for an answer. 1xx and 204 carry no framing fields, 1xx but 101 no Connection. 101 keeps Upgrade
 * and says Connection: upgrade; so does 426, to HTTP/1.1.
 */
size_t http_forward_response(char *out, size_t room, const struct http_head *h, const char *buf,
    const struct http_response_edit *e);

/*
 * A whole answer of our own, body included (may be empty). extra_fields: whole lines, each with its CRLF;
 * no framing and no Connection among them. Returns bytes, 0: does not fit, or extra_fields is not that.
 */
size_t http_own_response(char *out, size_t room, unsigned status, struct http_text extra_fields,
    struct http_text body, bool close, bool head_only);

/* Its head alone, for a body of `size` bytes that is sent by itself, or not at all to HEAD. Or: */
#define HTTP_OWN_CHUNKED	SIZE_MAX
#define HTTP_OWN_UNTIL_CLOSE	(SIZE_MAX - 1)	/* close must be true */
size_t http_own_head(char *out, size_t room, unsigned status, struct http_text extra_fields, size_t size, bool close);

#define HTTP_DATE_SIZE 29	/* "Sun, 06 Nov 1994 08:49:37 GMT" */
/* Seconds since 1970 (before year 10000) as a Date field has them; writes HTTP_DATE_SIZE bytes, no NUL. RFC 9110 5.6.7 */
void http_date(char *out, uint64_t unix_s);

#endif
