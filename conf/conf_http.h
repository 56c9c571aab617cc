/*
 * What a configuration says of requests and answers: where they go, what is changed in them, what the
 * balancer says itself. Types only; conf/conf.h has them in listeners and pools.
 */
#ifndef CONF_CONF_HTTP_H
#define CONF_CONF_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/edit.h"
#include "http/head.h"
#include "http/template.h"

/* ---- bodies of our own, read from files with the configuration ---- */

#define CONF_BODY_MAX (1u << 20)	/* bytes of a file */

struct conf_body {
	char *path;		/* NULL: no body is configured */
	char *type;		/* value of Content-Type */
	char *data;		/* of the file; NULL until it has been read */
	size_t size;
	unsigned line, column;	/* of its path, for messages */
};

struct conf_error {
	unsigned status;
	struct conf_body body;
};

struct conf_errors {
	struct conf_error *error;
	unsigned n;
};

/* ---- routes ---- */

#define CONF_ROUTE_HEADERS_MAX 8

struct conf_route_header {
	char *name;
	size_t name_size;
	uint8_t id;		/* enum http_field_id */
	char *value;		/* NULL: any */
	size_t value_size;
};

enum conf_route_action { CONF_ROUTE_TO, CONF_ROUTE_REDIRECT, CONF_ROUTE_ANSWER, CONF_ROUTE_SERVE };

/* All conditions that are given must hold; none are: takes everything. */
struct conf_route {
	char *host;			/* lower case; a leading "*." stands for one or more labels. NULL: any */
	size_t host_size;
	char *path;			/* prefix. NULL: any */
	size_t path_size;
	char *methods;			/* separated by commas. NULL: any */
	uint32_t method_bits;		/* 1 << enum http_method of each; bit 0: some are not among these */
	struct conf_route_header *header;
	unsigned nheaders;

	enum conf_route_action action;
	unsigned pool;			/* CONF_ROUTE_TO: index */
	unsigned status;		/* CONF_ROUTE_REDIRECT, CONF_ROUTE_ANSWER */
	char *target;			/* CONF_ROUTE_REDIRECT */
	struct http_template target_template;
	struct conf_body body;		/* CONF_ROUTE_ANSWER */
};

/* ---- fields ---- */

#define CONF_EDITS_MAX 64		/* of one block and direction */

struct conf_edits {
	struct http_edit *edit;
	unsigned n;
	unsigned places;		/* HTTP_PLACE_BIT of all that occur in values */
	char *host;			/* request-field set Host; belongs to the edit */
};

/* Whether fields that tell of the client are passed on, and with what. */
enum conf_forwarded {
	CONF_FORWARDED_OFF,		/* as it came */
	CONF_FORWARDED_APPEND,
	CONF_FORWARDED_SET,
	CONF_FORWARDED_KEEP,		/* set where there is none */
	CONF_FORWARDED_ON,		/* append; never in a configuration that has been read */
};

struct conf_cidr {
	uint8_t family;			/* AF_INET, AF_INET6 */
	uint8_t bits;
	uint8_t addr[16];		/* network byte order; zero behind the bits */
};

/* Clients whose X-Forwarded-*, Forwarded and X-Request-Id are believed. */
struct conf_trust {
	bool listed;			/* false: all */
	bool unix_sockets;
	struct conf_cidr *net;
	unsigned nnets;
};

enum conf_scheme { CONF_SCHEME_HTTP, CONF_SCHEME_HTTPS };

/* Of a listener. */
struct conf_http {
	enum conf_forwarded forwarded_for;	/* off with the command line, append in a file */
	enum conf_forwarded forwarded_proto, forwarded_host, forwarded;	/* off */
	enum conf_scheme scheme;	/* what clients speak to us, or to whoever stands in front; http */
	struct conf_trust trust;
	bool request_id;		/* off */
	bool trace;			/* on with the command line, off in a file */
	bool has_paths;			/* some route has a path */
	char *via;			/* pseudonym in Via; loadbalancer; NULL, as with the command line: no Via */
	struct conf_edits request, response;
	struct conf_errors errors;
	uint64_t retry_after_ns;	/* said in 503; 0: not said */
	unsigned max_fields;		/* of a request; HTTP_FIELDS_MAX */
	unsigned max_requests;		/* on one connection; UINT_MAX: no limit */
	size_t max_request_line;	/* bytes; 8 KiB, or max_head when that is less */
};

#endif
