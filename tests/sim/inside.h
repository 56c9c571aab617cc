/* What the files of the simulator share. */
#ifndef TESTS_SIM_INSIDE_H
#define TESTS_SIM_INSIDE_H

#include "balance/limit.h"
#include "balance/quantile.h"
#include "tests/sim/sim.h"

#define NONE	UINT32_MAX

enum kind { ARRIVE, DONE, TICK, NOTICE, LATE };

struct event {
	uint64_t at_ns, order;
	enum kind kind;
	uint32_t what;		/* request or server */
	uint64_t epoch;		/* of the server */
	uint64_t serial;	/* of the request: what became of it since is no business of this event */
};

struct request {
	uint64_t begun_ns, asked_ns;
	uint32_t server, next;
	uint8_t balancer, tries;
	bool fails;
	bool copy;		/* it is the second one of its kind ... */
	bool line, served;	/* waits for a slot of its server; has one, since this epoch */
	uint64_t epoch;
	uint32_t twin;		/* ... and this the other; NONE */
	uint64_t serial;
	int32_t tried;		/* a server that failed it; -1 */
};

struct sample { uint64_t begun_ns; float ms; bool failed; };

struct sim_inside {
	struct event *heap;
	size_t nheap, room;
	uint64_t order;
	struct request *request;
	uint32_t nrequests, free;
	struct sample *sample;
	size_t nsamples, sample_room;
	double budget;
	const struct balance_algorithm *algorithm;
	uint8_t *usable;
	uint32_t *weight, *inflight;
	uint64_t *entries, *errors, *turns;
	uint32_t first, last;		/* the central queue, or the balancer's line where servers have limits */
	uint64_t serial;
	struct quantile late[SIM_BALANCERS];
	uint64_t hedges;
	struct limit_server *limit;
	uint64_t limit_ns;		/* when limits are looked at next */
	uint64_t low_ns;		/* as in worker/queue.c */
	bool shedding;
	unsigned balancer;		/* whose view is being looked at */
	int32_t tried;
};

/* sim.c: the result of an allocation, which must not fail; an event to come, of `serial` where a request is meant. */
void *sim_need(void *p);
void sim_schedule(struct sim *s, uint64_t at_ns, enum kind kind, uint32_t what, uint64_t epoch, uint64_t serial);

/* request.c */
void request_arrive(struct sim *s);
void request_done(struct sim *s, const struct event *e);
void request_late(struct sim *s, const struct event *e);
/* Every 10 ms: limits, and who has waited too long. */
void request_tick(struct sim *s);
/* A scenario has taken a server away or brought it back. */
void request_follow(struct sim *s, uint32_t i);
void request_notice(struct sim *s, uint32_t i);

/* report.c: what came of it. */
void report(struct sim *s, struct sim_result *r);

#endif
