/*
 * Names of servers to addresses, without ever waiting for a resolver: getaddrinfo(3) blocks, so it
 * runs in children of the health process, each with a deadline.
 */
#ifndef HEALTH_RESOLVE_H
#define HEALTH_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "os/loop.h"

#define RESOLVE_ADDRESSES 8	/* kept for one name */
#define RESOLVE_CHILDREN 4	/* at once */

struct resolve_address {
	uint8_t bytes[16];	/* IPv4 in the first four */
	uint32_t scope;		/* IPv6 link-local */
	uint16_t family;	/* AF_INET, AF_INET6 */
	uint16_t pad;
};

struct resolve_name {
	const char *host;	/* the configuration's */
	uint64_t due_ns;	/* next lookup */
	unsigned failures;	/* in a row */
	bool busy;		/* a child has it */
	bool known;		/* a lookup has ended, well or not */
	unsigned n;
	struct resolve_address address[RESOLVE_ADDRESSES];
};

/* A child at work, or none. */
struct resolve_child {
	struct resolve *of;
	struct loop_fd fd;	/* our end of its socket pair */
	struct timer deadline;	/* for the name it has in hand; then: when to look whether it is gone */
	pid_t pid;		/* 0: none */
	uint32_t *batch;	/* names, in the order in which they are answered; room for all */
	uint32_t n, next;
};

/* A lookup of the name has ended: its addresses, or its being known, may have changed. */
typedef void resolve_done(void *arg, uint32_t name);

struct resolve {
	struct loop *loop;
	struct resolve_name *name;
	uint32_t n;
	struct timer due;
	struct resolve_child child[RESOLVE_CHILDREN];
	resolve_done *done;
	void *arg;
};

/* 0, or -1 with errno. max_names: how many resolve_add() calls there will be at most. */
int resolve_init(struct resolve *r, struct loop *loop, uint32_t max_names, resolve_done *done, void *arg);
/* The name's index; the same host has one. */
uint32_t resolve_add(struct resolve *r, const char *host);
void resolve_start(struct resolve *r);
/* The addresses seem to be wrong: look again soon, but not more often than about once a second. */
void resolve_soon(struct resolve *r, uint32_t name);
/* Address k of the name, with a port (host byte order). Returns its size. */
socklen_t resolve_sockaddr(const struct resolve *r, uint32_t name, unsigned k, unsigned port,
    struct sockaddr_storage *ss);

#endif
