/*
 * What clients asked for, where somebody will want to know: requests of choices that were told (shm_choice),
 * and requests that went wrong. An object beside the shared table, "/loadbalancer-seen.PID", because
 * everybody may read the table, and addresses and paths are not everybody's business: mode 0600, or 0640
 * with the group of the control socket.
 *
 * One struct seen_slot per worker slot, written by that worker (W) alone; it outlives the worker, and a
 * successor goes on in it. Records are copied in and out as a whole, under a sequence counter that is odd
 * while a record is written. Every text in them came from a client or a server: whoever shows it, escapes it.
 */
#ifndef IPC_SEEN_H
#define IPC_SEEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "ipc/table.h"

#define SEEN_TEXT_MAX	112	/* bytes of a request line that are kept */
#define SEEN_WHY_MAX	48
#define SEEN_ERRORS	64	/* records in a worker's ring */
#define SEEN_NONE	UINT32_MAX	/* no pool, no server */

/* What went wrong; below SEEN_OWN: enum shm_outcome, as a worker found it. seen_cause_text() has words for people. */
enum seen_cause {
	SEEN_OWN = 64,
	SEEN_INVALID = SEEN_OWN,	/* the answer is not valid HTTP; `why` says more */
	SEEN_CUT,		/* the answer broke off in the middle */
	SEEN_STATUS,		/* the server answered with a status of 500 or more */
	SEEN_BAD_REQUEST,	/* refused by the parser; `why` says more */
	SEEN_REQUEST_LATE,	/* the request did not come in time */
	SEEN_TOO_LARGE,		/* head or body beyond the limits */
	SEEN_NO_SERVER,		/* none could be chosen */
	SEEN_QUEUE_FULL,
	SEEN_QUEUE_LATE,	/* waited for a place at a server for too long */
	SEEN_NO_MEMORY,		/* or no descriptors, ports: this side's trouble */
	SEEN_CAUSES
};

/* What was done about it. */
enum seen_done {
	SEEN_ANSWERED,		/* the client got `status` from the balancer */
	SEEN_RETRIED,		/* the request went to another server */
	SEEN_PASSED,		/* the client got the server's answer */
	SEEN_CLOSED,		/* the client's connection was closed */
};

struct seen_client {
	uint8_t addr[16];	/* IPv4 in the first four */
	uint32_t family;	/* AF_INET, AF_INET6, or something without an address */
	uint32_t port;
};

/* The request of a choice; stands at the same place as the choice, in rings of the same size. */
struct seen_request {
	uint64_t number;	/* shm_choice.number; another one: it belongs to another choice */
	struct seen_client client;
	uint32_t listener;	/* row */
	uint32_t size;		/* of text */
	char text[SEEN_TEXT_MAX];
};

struct seen_error {
	uint64_t at_ns;		/* CLOCK_MONOTONIC; 0: nothing here */
	struct seen_client client;
	uint32_t listener, pool, server;	/* rows; SEEN_NONE */
	uint32_t cause, done, status;
	uint32_t failures;	/* servers that had failed the request, this one included */
	uint32_t took_us;	/* since the request was given to the server, or came; UINT32_MAX: or longer */
	uint32_t size, pad;	/* of text */
	char why[SEEN_WHY_MAX];	/* ends with NUL unless it fills all */
	char text[SEEN_TEXT_MAX];
};

_Static_assert(sizeof(struct seen_request) % 8 == 0 && sizeof(struct seen_error) % 8 == 0, "copied by words");

struct seen_slot {
	alignas(SHM_LINE) _Atomic uint64_t errors;	/* written ever; the next one goes to this, modulo SEEN_ERRORS; release */
	_Atomic uint64_t errors_held;	/* not written, because too many came */
	struct { _Atomic uint32_t seq; _Atomic uint64_t word[sizeof(struct seen_error) / 8]; } error[SEEN_ERRORS];
	struct { _Atomic uint32_t seq; _Atomic uint64_t word[sizeof(struct seen_request) / 8]; } request[2][SHM_CHOICES];
};

/* For table_create(), table_attach(), table_remove(), table_unmap(). 0, or -1 with errno. */
int seen_create(struct table *t);
int seen_attach(struct table *t);
void seen_unlink(const char *table);
void seen_unmap(struct table *t);
/* Supervisor: members of the group may read it. 0, or -1 with errno. */
int seen_share(const struct table *t, gid_t group);
/* For readers, whom table_open() does not give it: read-only. 0, or -1 with errno: EACCES for most people. */
int seen_open(struct table *t);

/* The worker's own slot only. */
void seen_put_error(struct table *t, uint32_t slot, const struct seen_error *e);
void seen_put_request(struct table *t, uint32_t slot, bool special, uint32_t place, const struct seen_request *r);
/* False: nothing there, or it was being written all the while. */
bool seen_get_error(const struct table *t, uint32_t slot, uint32_t place, struct seen_error *e);
bool seen_get_request(const struct table *t, uint32_t slot, bool special, uint32_t place, struct seen_request *r);

const char *seen_cause_text(uint32_t cause);
/* "10.0.0.7:4711", "[::1]:4711", "unix". Returns buf. */
#define SEEN_CLIENT_MAX 64
char *seen_client_text(char buf[static SEEN_CLIENT_MAX], const struct seen_client *c);

#endif
