/*
 * Choosing a server: one algorithm a file, all behind one small interface.
 *
 * Pure: no clock, no system call, no static state. What an algorithm may know stands in the view,
 * which the caller fills from the shared table (a worker), from a test, or from a simulation.
 */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "balance/learn.h"

/* Which columns an algorithm reads: the caller gathers only these. */
enum balance_need {
	BALANCE_INFLIGHT = 1,
	BALANCE_ENTRIES = 2,	/* entries and errors */
	BALANCE_TURNS = 4,
	BALANCE_KEY = 8,	/* key and maglev */
	BALANCE_LEARNED = 16,	/* look */
	BALANCE_SOME = 32,	/* not all servers, where there are many: look, if the caller has it, and lots */
};

/* A server that has just come up works up to its full weight in this time. */
#define BALANCE_RAMP_NS UINT64_C(10000000000)

/* All that there is to know of one server, for an algorithm that asks for some servers only. */
struct balance_look {
	uint32_t inflight;
	uint32_t weight;
	float ramp;		/* 0..1: how far its slow start has got; BALANCE_LEARNED only */
	struct learned learned;	/* the same */
	uint64_t entries, errors;	/* BALANCE_ENTRIES only */
};

#define BALANCE_TOLD 8

/*
 * What was compared, for people who ask why: up to so many servers, those first that were best. The caller empties
 * it; the algorithm fills it, which takes time and changes nothing of the choice.
 */
struct balance_told {
	uint32_t compared;	/* servers that could have been chosen and were looked at */
	uint32_t n;
	struct balance_said {
		uint32_t i;
		float figure;		/* what was compared, lower is better; what it is depends on the algorithm */
		struct balance_look look;	/* BALANCE_LEARNED only */
	} of[BALANCE_TOLD];
};

struct maglev;
struct lots;

/*
 * Arrays are indexed by position in the pool (configuration order), 0..n-1. Columns that the
 * algorithm does not need may be NULL.
 */
struct balance_view {
	uint32_t n;
	const uint8_t *usable;		/* 1: may be chosen (up, ready, not tried yet, weight above 0) */
	const uint32_t *weight;		/* 1..256 */
	const uint32_t *inflight;	/* over all workers */
	const uint64_t *entries;	/* reported by the last probe, plus dispatched since */
	const uint64_t *errors;		/* reported by the last probe */
	const uint64_t *turns;		/* dispatched ever, plus what it was given on joining late */
	uint64_t key;			/* hash of what the choice goes by (hash.h) */
	const struct maglev *maglev;	/* of the pool */
	/* Server i as it is now; false: not usable. NULL: usable, weight and the other columns say it all. */
	bool (*look)(void *arg, uint32_t i, struct balance_look *k);
	void *look_arg;
	const struct lots *lots;	/* for look, by weight; NULL: all alike */
	uint64_t *rng;			/* for choices by lot; state of balance_draw(), never 0; belongs to the caller */
	struct balance_told *told;	/* NULL: nobody asks */
};

/* Position chosen, or -1: none is usable. */
typedef int balance_fn(const struct balance_view *v);

struct balance_algorithm {
	const char *name;	/* as written in the configuration */
	unsigned needs;		/* enum balance_need */
	enum shm_rule rule;
	balance_fn *pick;
};

extern const struct balance_algorithm balance_least_requests;
extern const struct balance_algorithm balance_least_connections;
extern const struct balance_algorithm balance_round_robin;
extern const struct balance_algorithm balance_random;
extern const struct balance_algorithm balance_hash;
extern const struct balance_algorithm balance_adaptive;
extern const struct balance_algorithm balance_first;

/* By name; NULL: no such algorithm. */
const struct balance_algorithm *balance_find(const char *name);
/* All of them, NULL at the end, for messages that list what is known. */
extern const struct balance_algorithm *const balance_all[];

/* For algorithms, where somebody asks: server i was compared by this figure. k may be NULL. */
void balance_tell(struct balance_told *t, uint32_t i, float figure, const struct balance_look *k);
/* All usable ones, the chosen one first. figure NULL: none was compared. Returns `best`. */
int balance_tell_all(const struct balance_view *v, int best, float (*figure)(const struct balance_view *v, uint32_t i));

/* xorshift64*: 64 random bits, good enough to spread load, worthless for secrets. */
static inline uint64_t balance_draw(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(2685821657736338717);
}

/* A random number in 0..limit-1; limit above 0. Off by less than limit / 2^64. */
static inline uint64_t balance_below(uint64_t *state, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)balance_draw(state) * limit) >> 64);
}

/* A weight of 0 counts as not usable, whatever the caller says. */
static inline int balance_usable(const struct balance_view *v, uint32_t i)
{
	return v->usable[i] && v->weight[i];
}

#endif
