/*
 * What a configuration says of access logs: where lines go, and what is in them. Types only; conf/conf.h has
 * them in listeners.
 */
#ifndef CONF_CONF_ACCESS_H
#define CONF_CONF_ACCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* What may stand in a line. parse_access.c has the names. */
enum conf_access_what {
	CONF_ACCESS_TEXT = 0,		/* of the format itself */
	CONF_ACCESS_CLIENT,		/* address */
	CONF_ACCESS_CLIENT_PORT,
	CONF_ACCESS_TIME,		/* 26/Nov/2026:10:39:43 +0000 */
	CONF_ACCESS_TIME_ISO,		/* 2026-11-26T10:39:43.123+00:00 */
	CONF_ACCESS_LISTENER,
	CONF_ACCESS_SCHEME,
	CONF_ACCESS_REQUEST,		/* the whole line */
	CONF_ACCESS_METHOD,
	CONF_ACCESS_TARGET,
	CONF_ACCESS_VERSION,
	CONF_ACCESS_HOST,
	CONF_ACCESS_FIELD,		/* of the request; which one: conf_access_piece.field */
	CONF_ACCESS_STATUS,
	CONF_ACCESS_BYTES_BODY,		/* to the client, without heads */
	CONF_ACCESS_BYTES_IN,		/* from the client, as they went to servers */
	CONF_ACCESS_BYTES_OUT,		/* to the client */
	CONF_ACCESS_POOL,
	CONF_ACCESS_SERVER,
	CONF_ACCESS_REUSED,
	CONF_ACCESS_HEAD,		/* times */
	CONF_ACCESS_QUEUE,
	CONF_ACCESS_CONNECT,
	CONF_ACCESS_FIRST,
	CONF_ACCESS_TOTAL,
	CONF_ACCESS_RETRIES,
	CONF_ACCESS_WHY,		/* by what the server was chosen */
	CONF_ACCESS_FAILURE,		/* of the last server that failed */
	CONF_ACCESS_END,		/* two letters */
	CONF_ACCESS_REQUEST_ID,
	CONF_ACCESS_NTH,		/* request on its connection */
	CONF_ACCESS_WORKER,
	CONF_ACCESS_WHATS
};

struct conf_access_piece {
	uint8_t what;		/* enum conf_access_what */
	uint8_t field;		/* CONF_ACCESS_FIELD: index in conf_access.field */
	uint16_t size;		/* CONF_ACCESS_TEXT */
	uint32_t at;		/* CONF_ACCESS_TEXT: in conf_access.text */
};

enum conf_access_format { CONF_ACCESS_COMBINED, CONF_ACCESS_EXTENDED, CONF_ACCESS_JSON, CONF_ACCESS_OWN };

#define CONF_ACCESS_PIECES_MAX 96
#define CONF_ACCESS_FIELDS_MAX 8
#define CONF_NO_LOG UINT_MAX

/* A field of requests that is kept for the line. */
struct conf_access_field {
	char *name;
	uint8_t size;		/* of the name */
	uint8_t id;		/* enum http_field_id */
};

/* What a listener logs. */
struct conf_access {
	unsigned log;		/* index in conf.access_log; CONF_NO_LOG: nothing */
	enum conf_access_format format;
	char *text;		/* the format, taken apart below. In JSON a piece's name stands before it: parse_access.c */
	struct conf_access_piece *piece;
	unsigned npieces;
	struct conf_access_field *field;
	unsigned nfields;
};

/* Where lines go, from any number of listeners. */
struct conf_access_log {
	char *target;		/* "stdout", "stderr", "syslog" or an absolute path */
	int facility;		/* of syslog: index in words_facilities; -1: conf.log_facility */
	int fd;			/* set by the supervisor; -1: not open, or each worker opens its own (syslog) */
};

#endif
