/*
 * Servers, balancers and requests in virtual time. Discrete events, deterministic given the seed; the choice is made by
 * balance/ itself, on records that balance/learn.c keeps, as in a worker.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "balance/balance.h"
#include "balance/learn.h"

#define SIM_S	UINT64_C(1000000000)
#define SIM_MS	UINT64_C(1000000)
#define SIM_BALANCERS 16

/* How a server behaves; what a scenario changes while time goes on. */
struct sim_server {
	double mean_ms;			/* of an exponential answer time */
	double slow_share, slow_ms;	/* this share of requests takes so long instead (exponential) */
	double fixed_ms;		/* above 0: every answer takes exactly so long */
	double fail_share;		/* requests answered 500 ... */
	double fail_ms;			/* ... after so long */
	unsigned slots;			/* requests at a time, others wait in its queue; 0: any number */
	bool gone;			/* refuses connections; probes find out after a tenth of a second */
	uint32_t weight;

	/* the simulator's */
	bool up;			/* as health sees it */
	uint64_t up_since_ns;
	uint64_t epoch;			/* raised when it goes: what was in its hands is lost */
	unsigned busy;
	uint32_t queue_first, queue_last;	/* requests that wait for a slot; UINT32_MAX: none */
	uint64_t got, turns;
	/* as each balancer sees it */
	uint32_t inflight[SIM_BALANCERS];
	struct shm_learn learn[SIM_BALANCERS];
};

struct sim;
typedef int sim_pick(struct sim *s, unsigned balancer);

struct sim_scenario {
	const char *name, *title;
	unsigned servers, balancers;	/* balancers know nothing of each other */
	double per_second, seconds;
	uint64_t from_ns, to_ns;	/* requests that began then are what is reported; 0, 0: all */
	void (*start)(struct sim *s);
	void (*tick)(struct sim *s);	/* every 10 ms: what changes */
	bool overload;			/* more than the servers can do: for policies with limits as well */
	bool large;			/* too many servers for policies that look at all of them */
};

struct sim_policy {
	const char *name;
	const char *algorithm;		/* of balance/; NULL: pick */
	sim_pick *pick;
	bool all;			/* looks at all servers for each choice */
	bool central;			/* requests wait in one queue for the first free slot of a sound server */
	bool hedge;			/* a second copy of what takes longer than 95 of 100, within that budget */
	bool limits;			/* learned, with a line before them; one balancer */
	bool overload;			/* only for scenarios of overload */
	uint64_t target_ns;		/* the line is shed when nobody waits for less; 0: after 5 s only */
	unsigned retries;		/* of requests answered 500 at once, within a budget of a fifth */
};

struct sim_result {
	double p50, p90, p99, p999, max, mean;	/* ms */
	double good;			/* answered within 1 s, a second */
	double hedged;			/* share of requests of which a second copy was sent */
	double failed, slow;		/* shares: answered 500 or not at all; later than 1 s */
	double fairness;		/* Jain's index over what the servers got, by weight; 1: all alike */
	double peak_share;		/* the largest share of one server, times the number of servers */
	uint64_t requests, bad;		/* bad: failed */
	/* by tenth of a second, for the plot: 99 % of those that began then were faster, ms */
	unsigned slices;
	double *p99_by_slice;
};

struct sim {
	const struct sim_scenario *scenario;
	const struct sim_policy *policy;
	uint64_t now_ns, rng;
	double rate;			/* requests a second, now */
	struct sim_server *server;
	unsigned n, balancers;
	/* see sim.c */
	struct sim_inside *in;
};

void sim_run(const struct sim_scenario *scenario, const struct sim_policy *policy, uint64_t seed, struct sim_result *r);
double sim_exponential(struct sim *s, double mean);

extern const struct sim_scenario sim_scenarios[];	/* name NULL at the end */
extern const struct sim_policy sim_policies[];

/* One scenario, all policies: latency by quantile and over time. 0, or -1 with errno. */
int svg_write(const char *file, const struct sim_scenario *scenario, const struct sim_policy *const *policy,
    const struct sim_result *result, unsigned n);

#endif
