/*
 * Asking name servers: by UDP, all questions at once, from one server to the next; by TCP what did not fit.
 * Blocks, with a bound: only in the children of the health process that look names up.
 */
#ifndef HEALTH_QUERY_H
#define HEALTH_QUERY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "health/dns.h"

#define QUERY_SERVERS_MAX 3
#define QUERY_RECORDS_MAX 1024	/* taken from one answer */
#define QUERY_AT_ONCE	64	/* questions */

struct query_server {
	struct sockaddr_storage addr;
	socklen_t addr_size;
};

/* Whom to ask, and how patiently. */
struct query_way {
	struct query_server server[QUERY_SERVERS_MAX];
	unsigned nservers;
	uint64_t timeout_ns;	/* for one try */
	unsigned attempts;	/* of each server */
	bool tcp;		/* never by UDP */
};

enum query_result {
	QUERY_WAITING,		/* no answer in time */
	QUERY_OK,
	QUERY_NO_NAME,
	QUERY_NO_DATA,
	QUERY_FAILED,		/* no server could say; see rcode */
	QUERY_LOCAL,		/* could not be asked: no sockets, no memory, no such name possible */
};

/* One question, and what came of it. */
struct query {
	const char *name;
	uint16_t type;		/* enum dns_type */
	enum query_result result;
	unsigned rcode;		/* of the last refusal; 0: nobody refused */
	struct dns_record *record;	/* ours; query_free() */
	unsigned n, room;
	/* query.c */
	uint16_t id;
	bool plain;		/* without EDNS: somebody did not understand that */
	bool sent;		/* to the server of the turn, which has not refused it */
};

/* Asks up to QUERY_AT_ONCE questions until each is answered, or until the time (CLOCK_MONOTONIC) is up. */
void query_run(struct query *q, unsigned n, const struct query_way *way, uint64_t until_ns);
void query_free(struct query *q, unsigned n);

#endif
