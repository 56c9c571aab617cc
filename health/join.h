/*
 * Where a server joins: the turns that it is credited with, so that algorithms that compare what
 * servers ever got (round-robin; least-requests without reported entries) neither flood one that
 * comes late nor starve it. Pure.
 */
#ifndef HEALTH_JOIN_H
#define HEALTH_JOIN_H

#include <stdint.h>

/*
 * Turns per unit of weight that every server of a pool starts from. Not 0, so that neither a sum
 * that is a moment old nor a correction downward can pass below zero.
 */
#define JOIN_START (UINT64_C(1) << 32)

/* A server may be this many turns per unit of weight behind before it is moved up. */
#define JOIN_LAG 16

struct join_server {
	uint64_t turns;
	uint32_t weight;	/* 1 or more */
	int counts;		/* 1: it is up, so its level is one that others are measured by */
};

/* Turns for server `who`: at the highest level of the others that count, never fewer than it has. */
uint64_t join_turns(const struct join_server *s, uint32_t n, uint32_t who);
/* The highest level: the server that counts with the most turns by weight; -1: none counts. */
int join_highest(const struct join_server *s, uint32_t n, uint32_t except);
/* Turns of a server of weight `weight` at the level of `of`. */
uint64_t join_at_level(const struct join_server *of, uint32_t weight);

#endif
