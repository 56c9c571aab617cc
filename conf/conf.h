/*
 * A configuration, read, checked and ready to use. Built by conf_read() or conf_command_line(), in
 * the supervisor; children have it by fork, so pointers are fine and nothing is copied.
 * Constant once built, but for the fields that say otherwise.
 *
 * All durations are nanoseconds, all sizes bytes.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "conf/conf_access.h"
#include "conf/conf_http.h"
#include "os/sched.h"

#define CONF_SECOND	UINT64_C(1000000000)
#define CONF_MS		UINT64_C(1000000)

enum conf_mode { CONF_MODE_HTTP = 0, CONF_MODE_TCP };

enum conf_log_level { CONF_LOG_ERROR, CONF_LOG_WARN, CONF_LOG_INFO, CONF_LOG_DEBUG };

/* The PROXY protocol; bits, the same as of enum proxy_header_version. */
enum conf_proxy { CONF_PROXY_OFF, CONF_PROXY_V1, CONF_PROXY_V2, CONF_PROXY_ANY };

enum conf_check_kind {
	CONF_CHECK_SEED,	/* "<errors>\n<entries>" */
	CONF_CHECK_HTTP,	/* any 2xx or 3xx */
	CONF_CHECK_TCP,		/* a connection is enough */
	CONF_CHECK_NONE,	/* up, until a worker finds otherwise */
};

struct conf_check {
	enum conf_check_kind kind;
	char *path;			/* HTTP kinds; "/healthcheck" */
	uint64_t interval_ns;		/* 5 s */
	uint64_t down_interval_ns;	/* while a server is down: 500 ms */
	uint64_t timeout_ns;		/* 2 s; below interval */
	uint64_t requests;		/* also after so many dispatched requests; 0: never */
	unsigned rise, fall;		/* good probes in a row to be up, bad ones to be down; 1, 1 */
};

struct conf_server {
	char *name;
	char *host;			/* name or address as written; NULL for a unix socket */
	char *path;			/* of a unix socket; NULL otherwise */
	uint16_t port;			/* host byte order */
	struct sockaddr_storage addr;
	socklen_t addr_size;		/* 0: a name, to be resolved by health */
	uint32_t weight;		/* 1..256; 1 */
	uint32_t maxconn;		/* requests at a time, from all workers together; 0: no limit */
	uint32_t maxconn_least;		/* above 0: the limit is learned, from this to maxconn */
	bool backup;
	unsigned discover;		/* 1 + index of the discovery whose place it is; 0: it has an address of its own */
	uint32_t row;			/* in the table; set by the supervisor before it forks */
};

/* Which addresses of a name are servers. */
enum conf_family { CONF_FAMILY_ANY, CONF_FAMILY_IPV4, CONF_FAMILY_IPV6, CONF_FAMILY_BOTH };

/* Servers that come and go with the answers for a name. Its places are servers NAME-1, NAME-2, ... of the pool. */
struct conf_discover {
	char *name;
	char *host;			/* what is asked for */
	bool srv;			/* SRV records, which name ports, too; else addresses */
	uint16_t port;			/* host byte order; 0: SRV */
	unsigned first, places;		/* of conf_pool.server: so many from there on; 10 */
	uint64_t every_ns;		/* between lookups; 0: as long as the answer may be kept */
	uint64_t hold_ns;		/* servers stay so long when the name is no more; UINT64_MAX: for ever; 30 s */
	enum conf_family family;	/* any: IPv4 if there are any, else IPv6 */
	uint32_t weight, maxconn, maxconn_least;	/* of each server, as in conf_server */
	bool backup;
};

struct balance_algorithm;

/* What `balance hash` goes by. */
enum conf_hash { CONF_HASH_SOURCE, CONF_HASH_PATH, CONF_HASH_HEADER, CONF_HASH_COOKIE };

/* When a request may be given to another server: bits of conf_pool.retry_on. */
enum conf_retry {
	CONF_RETRY_CONNECT = 1, CONF_RETRY_RESET = 2, CONF_RETRY_TIMEOUT = 4,
	CONF_RETRY_502 = 8, CONF_RETRY_503 = 16, CONF_RETRY_504 = 32, CONF_RETRY_500 = 64, CONF_RETRY_429 = 128,
};

#define CONF_HEDGE_LEARNED UINT64_MAX	/* conf_pool.hedge_ns: when it takes longer than 95 of 100 do */

enum conf_samesite { CONF_SAMESITE_LAX, CONF_SAMESITE_STRICT, CONF_SAMESITE_NONE };

struct conf_sticky {
	char *cookie;			/* its name; NULL: off */
	enum conf_samesite samesite;	/* lax */
	bool secure;
	uint64_t max_age_ns;		/* 0: until the browser is closed */
};

struct conf_pool {
	char *name;
	const char *balance;		/* name of the algorithm, known to be valid */
	enum conf_hash hash;		/* balance hash: of what ... */
	char *hash_name;		/* ... name of the header or cookie; else NULL */
	struct conf_sticky sticky;
	struct conf_check check;
	struct conf_edits request, response;	/* of fields; after the listener's, and before them */
	struct conf_server *server;
	unsigned nservers;
	struct conf_discover *discover;
	unsigned ndiscovers;
	unsigned retries;		/* further servers tried for one request; default: all of them (UINT_MAX) */
	unsigned retry_on;		/* bits of enum conf_retry; connect and reset */
	unsigned retry_budget;		/* per cent of requests; UINT_MAX: no limit, as with the command line; 20 in a file */
	uint64_t hedge_ns;		/* a request that has waited so long gets a second copy; CONF_HEDGE_LEARNED; 0: off */
	unsigned queue;			/* requests that may wait while all servers are at maxconn; 1000 */
	uint64_t queue_timeout_ns;	/* and how long; 5 s */
	uint64_t queue_target_ns;	/* when all have waited longer for queue_interval_ns, who has is sent away; 0: off */
	uint64_t queue_interval_ns;	/* 100 ms */
	bool eject;			/* take out servers that requests find wanting; false */
	enum conf_proxy send_proxy;	/* off, V1, V2: the header that connections to servers begin with; off */
	uint64_t connect_timeout_ns;	/* 5 s with the command line, 3 s in a file */
	uint64_t answer_timeout_ns;	/* request sent to first byte of the answer; 5 s with the command line, 60 s in a file */
	uint64_t stall_timeout_ns;	/* no progress in the middle of an answer; 60 s */
	uint64_t keepalive_ns;		/* idle time of a kept connection to a server; 30 s */
	unsigned keepalive_max;		/* idle kept connections per server and worker; 128; 0: none are kept */
	uint32_t row;			/* in the table; set by the supervisor */
};

struct conf_bind {
	char *text;			/* as written */
	struct sockaddr_storage addr;
	socklen_t addr_size;
	bool optional;			/* IPv6 half of "all addresses": left out where the kernel has none */
	int fd;				/* set by the supervisor; -1 until open */
	int line;			/* for messages when it cannot be opened */
};

/* mode tcp: where a TLS connection goes by the name that its client asks for. */
struct conf_sni {
	char *name;			/* lower case; a leading "*." stands for one or more labels */
	size_t size;
	unsigned pool;			/* index */
	unsigned line;			/* for messages */
};

struct conf_listener {
	char *name;
	struct conf_bind *bind;
	unsigned nbinds;
	enum conf_mode mode;
	struct conf_route *route;
	unsigned nroutes;
	unsigned pool;			/* index of the default pool; CONF_NO_POOL: the last route takes everything */
	unsigned backlog;		/* 4096 */
	uint64_t head_timeout_ns;	/* whole request head; 10 s */
	uint64_t body_timeout_ns;	/* no progress of a request body; 60 s */
	uint64_t idle_timeout_ns;	/* kept connection without a request; 75 s */
	uint64_t send_timeout_ns;	/* client takes no byte of the answer; 60 s */
	uint64_t linger_timeout_ns;	/* after our last byte, for the client to take it in peace; 2 s */
	uint64_t tunnel_timeout_ns;	/* mode tcp and tunnels: no byte either way; 1 h */
	unsigned max_connections;	/* of clients; UINT_MAX: no limit */
	uint32_t row;			/* in the table; set by the supervisor */
	uint64_t max_body;		/* of a request; UINT64_MAX: no limit */
	size_t max_head;		/* of a request; 15 KiB: 16 less room for what is added; range 1k..16k */
	enum conf_proxy accept_proxy;	/* a PROXY header comes first, of this version, or the connection is closed; off */
	bool serve;			/* what no route takes gets the status page, not a pool; false */
	struct conf_trust serve_to;	/* whom this listener serves the status page; all */
	struct conf_trust proxy_from;	/* who may connect to a listener that accepts PROXY headers; all */
	struct conf_sni *sni;		/* the first that matches is taken */
	unsigned nsnis;
	bool sni_required;		/* mode tcp: what has no ClientHello with a name is closed, not given to `pool`; false */
	bool splice;			/* move large bodies and tcp with splice(2); true */
	bool abort_on_close;		/* a client's FIN ends what it asked for, but not a tunnel; false */
	struct conf_access access;	/* off */
	bool access_set;		/* it has its own, instead of what stands outside of blocks */
	struct conf_http http;
};

/* A name server that somebody has named. */
struct conf_resolver {
	struct sockaddr_storage addr;
	socklen_t addr_size;
};
#define CONF_RESOLVERS_MAX 3

struct conf {
	char *file;			/* NULL: from the command line */
	char *text;			/* what stood in it, text_size bytes; NULL: from the command line */
	size_t text_size;
	bool seed;			/* errors are always the 57 bytes of status 500; true with the command line */
	unsigned workers;		/* 1..64; 4 with the command line, one per cpu in a file */
	char *user, *group;		/* NULL: nobody and its group when root */
	char *pid_file;			/* NULL: none */
	char *control;			/* path of the control socket, shorter than a unix socket's; NULL: none */
	char *control_group;		/* may use it besides root and the user that runs us; NULL: nobody */
	char *log;			/* "stderr", "syslog" or a path; "stderr" */
	enum conf_log_level log_level;	/* info */
	int log_facility;		/* of syslog, for what names none itself: index in words_facilities; daemon */
	struct conf_access access;	/* of listeners that say nothing; off */
	struct conf_access_log *access_log;	/* each target once */
	unsigned naccess_logs;
	unsigned max_connections;	/* of clients, all listeners together; UINT_MAX: no limit */
	unsigned max_servers;		/* rows in the table; at least what is used, default 1024 */
	uint64_t grace_ns;		/* SIGTERM: time for what is in flight; 30 s */
	uint64_t drain_ns;		/* reload: time for old workers; 1 h */
	bool custody;			/* the supervisor keeps copies of clients' descriptors, so that they outlive a worker */
	enum sched_wish scheduling;	/* of workers; auto */
	bool io_uring;			/* where the kernel has it; true */
	bool heir;			/* a process waits to succeed a supervisor that is killed; true, false with the command line */
	uint64_t hang_ns;		/* a worker busy for longer is replaced; 10 s */
	struct conf_pool *pool;
	unsigned npools;
	struct conf_listener *listener;
	unsigned nlisteners;
	struct conf_resolver resolver[CONF_RESOLVERS_MAX];	/* name servers, DNS alone is asked; none: as the system does it */
	unsigned nresolvers;
	struct conf_errors errors;	/* for listeners that have none of their own for a status */
};

/* Limits that a configuration is checked against. */
#define CONF_WORKERS_MAX	64
#define CONF_SERVERS_MAX	16384
#define CONF_POOLS_MAX		256
#define CONF_LISTENERS_MAX	256
#define CONF_PLACES_MAX		256	/* of one discovery */
#define CONF_BINDS_MAX		1024	/* all listeners together */
#define CONF_NO_POOL		UINT_MAX
#define CONF_ROUTES_MAX		1024	/* of one listener */
#define CONF_ACCESS_LOGS_MAX	32

/*
 * Reads and checks a file. On failure returns NULL and writes one message per line to `err`, each
 * "FILE:LINE:COLUMN: what is wrong; what was expected\n". Touches nothing else.
 */
struct conf *conf_read(const char *file, FILE *err);
void conf_free(struct conf *c);
/* Writes the effective configuration, every default filled in, in the configuration language. */
void conf_print(const struct conf *c, FILE *out);

/* What the command line asked for. */
struct conf_options {
	const char *conf_file;		/* -c */
	char *pid_file;			/* -p, made absolute; ours */
	bool test;			/* -t */
	bool print;			/* -T */
	bool daemon;			/* -D */
	bool version, build;		/* -v, -V */
	bool help;			/* -h */
	bool workers_set, requests_set, mode_set;
	unsigned workers;		/* -N */
	uint64_t requests;		/* -R */
	enum conf_mode mode;		/* -m */
	uint16_t port;			/* first positional; 0: none */
	const char **server;		/* the others, as written; points into argv; the array is ours */
	unsigned nservers;
};

/*
 * Parses argv; flags may stand anywhere. 0, or -1 after one line and the usage on `err` (then there is nothing to
 * free). *o points into argv's strings.
 */
int conf_options(struct conf_options *o, int argc, char **argv, FILE *err);
void conf_usage(FILE *out);
/* The configuration that the seed's positionals describe. NULL after one line on `err`. */
struct conf *conf_command_line(const struct conf_options *o, FILE *err);
/*
 * What the options ask for, whichever it is: conf_read() of -c or conf_command_line(), with -N and -p over what
 * the file says. At start and again at each reload. NULL after messages on `err`.
 */
struct conf *conf_load(const struct conf_options *o, FILE *err);
/*
 * The same from what stood in the file once (struct conf.text): for who goes on with a configuration that may no
 * longer be there. text NULL: from the command line.
 */
struct conf *conf_load_text(const struct conf_options *o, const char *text, size_t size, FILE *err);
void conf_options_free(struct conf_options *o);

#endif
