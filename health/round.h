/*
 * When each server is probed, and what is made of the outcome.
 *
 * A round probes all servers of a pool at once: every interval, and after every so many dispatched
 * requests. Between rounds only servers that are down are probed, each on its own timer. Servers
 * that nobody probes (check none) are up until a worker finds otherwise.
 */
#ifndef HEALTH_ROUND_H
#define HEALTH_ROUND_H

#include <stdbool.h>

#include "conf/conf.h"
#include "health/bucket.h"
#include "health/join.h"
#include "health/probe.h"
#include "health/resolve.h"
#include "health/tell.h"
#include "health/verdict.h"
#include "ipc/table.h"
#include "os/loop.h"

struct round_pool;
struct place;

enum round_state {
	ROUND_IDLE = 0,
	ROUND_NO_ADDRESS,	/* due, but its name has never been looked up: waits for that, bounded */
	ROUND_QUEUED,		/* due, waits for a descriptor */
	ROUND_PROBING,
};

struct round_server {
	const struct conf_server *conf;
	struct round_pool *pool;
	uint32_t row;
	struct verdict verdict;
	enum round_state state;
	bool in_round;		/* its pool's round waits for it */
	bool settled;		/* the first round of all waits no more for it */
	bool maint;		/* as seen last */
	uint32_t weight;	/* as seen last; 1 or more */
	uint32_t probe_wanted;	/* as seen last */
	struct probe probe;
	struct probe_question question;
	struct timer again;	/* idle: next probe of its own; no address: end of patience */
	struct round_server *next, *prev;	/* of the queue */
	uint64_t findings;	/* of workers, as counted last */
	struct bucket hurry;	/* probes right after a finding */
	struct tell tell;
	int name;		/* index of its resolve_name; -1: address is in the configuration, or discovered */
	bool place;		/* of a discovery: empty, or it has this address */
	struct lookup_address address;
	unsigned candidate;	/* which of the name's addresses is in use */
	unsigned tried;		/* of them, in this probe */
};

struct round_pool {
	struct round *of;
	const struct conf_pool *conf;
	struct round_server *server;	/* [conf->nservers] */
	struct join_server *join;	/* scratch, as many */
	unsigned up;			/* servers */
	unsigned taken;			/* servers that are not empty places */
	unsigned outstanding;		/* probes that the running round waits for; 0: none is running */
	uint64_t target;		/* dispatched total at which an extra round is due; UINT64_MAX: none */
	bool interval_due, extra_due;	/* came up while a round was running */
	struct timer interval, extra;
	struct bucket bucket;		/* extra rounds */
};

/* Everything that the health process has in hand. */
struct round {
	struct loop *loop;
	struct table *table;
	const struct conf *conf;
	struct round_pool *pool;	/* [conf->npools] */
	unsigned nservers;
	unsigned unsettled;		/* servers whose first verdict is still to come */
	void (*settled)(void);		/* called once, when there are none left */
	struct round_server *first, *last;	/* queue */
	unsigned active, max_active;	/* probes that hold a descriptor */
	bool pumping;
	uint32_t *seen;			/* workers' words as seen last, [slot * nservers + server] */
	bool looked;			/* at findings, once: what was there before counts as known */
	struct timer look;		/* look at findings again */
	struct resolve resolve;
	struct place *discovery;	/* place.c */
	unsigned ndiscoveries;
	/* The supervisor is to give a server this weight, and to make it a backup or not. */
	void (*rank)(uint32_t row, uint32_t weight, bool backup);
};

/* 0, or -1 with errno: out of memory, which ends the process. */
int round_init(struct round *r, struct loop *loop, const struct conf *conf, struct table *table, unsigned max_active,
    void (*settled)(void), void (*rank)(uint32_t row, uint32_t weight, bool backup));
/* Addresses known are written, then the first round of every pool starts. */
void round_start(struct round *r);
/* A place gets a server, or loses the one that it has. place.c */
void round_take_place(struct round_server *s, const struct lookup_address *a);
void round_leave_place(struct round_server *s);
/* The first round waits no more for a place, as long as it is empty. */
void round_settle_place(struct round_server *s);
/* Workers or the supervisor have woken us: new findings, targets reached, administrative changes. */
void round_wake(struct round *r);

#endif
