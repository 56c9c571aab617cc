/*
 * Names of servers to addresses, without ever waiting for a name server: lookups (health/lookup.c) run in children
 * of the health process, each with a deadline.
 *
 * A name is looked up again when its answer may be kept no longer. When it cannot be looked up, or is not there any
 * more, its last addresses stay; those of a discovery go when the name server has said for long enough that there is
 * no such name. Silence, and a server that is in trouble, never take anything away.
 */
#ifndef HEALTH_RESOLVE_H
#define HEALTH_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "health/lookup.h"
#include "os/loop.h"

#define RESOLVE_ADDRESSES 8	/* kept for the name of one server */
#define RESOLVE_CHILDREN 4	/* at once */

struct resolve_name {
	struct lookup_question question;	/* its text is the configuration's */
	uint64_t every_ns;	/* between lookups; 0: as the answer says */
	uint64_t hold_ns;	/* how long addresses outlive their name; UINT64_MAX: for ever */
	uint64_t due_ns;	/* next lookup */
	unsigned failures;	/* in a row, */
	uint64_t failing_ns;	/* since then */
	enum query_result result;	/* of the last lookup */
	uint64_t gone_ns;	/* there is no such name, since then; 0: there is, for all that is known */
	bool busy;		/* a child has it */
	bool known;		/* a lookup has ended, well or not */
	unsigned n, room;
	struct lookup_address *address;	/* [room] */
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
	const struct conf *conf;
	struct resolve_name *name;
	uint32_t n;
	struct timer due;
	struct resolve_child child[RESOLVE_CHILDREN];
	resolve_done *done;
	void *arg;
};

/* 0, or -1 with errno. max_names: how many resolve_add...() calls there will be at most. */
int resolve_init(struct resolve *r, struct loop *loop, const struct conf *conf, uint32_t max_names, resolve_done *done,
    void *arg);
/* The index of a server's name; the same host has one. -1: no memory. */
int resolve_add(struct resolve *r, const char *host);
/* The same of a discovery: another one with the same question and the same times. */
int resolve_add_discovery(struct resolve *r, const struct conf_discover *d);
void resolve_start(struct resolve *r);
/* The addresses seem to be wrong: look again soon, but not more often than about once a second. */
void resolve_soon(struct resolve *r, uint32_t name);
/* An address with the port that it came with, or else this one (host byte order). Returns its size. */
socklen_t resolve_sockaddr(const struct lookup_address *a, unsigned port, struct sockaddr_storage *ss);

#endif
