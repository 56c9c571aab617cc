/* What the servers do in each scenario, and what adaptive is compared with. */
#include "tests/sim/sim.h"

static bool during(const struct sim *s, double from_s, double to_s)
{
	return s->now_ns >= (uint64_t)(from_s * 1e9) && s->now_ns < (uint64_t)(to_s * 1e9);
}

static void nothing(struct sim *s)
{
	(void)s;
}

static void stall_tick(struct sim *s)
{
	s->server[3].fixed_ms = during(s, 10, 20) ? 2000 : 0;
}

static void skew(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->server[i].slots = 4;
		s->server[i].mean_ms = i == 2 || i == 9 ? 320 : 20;
	}
}

static void holes(struct sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		s->server[4 + i].fail_share = 1;
		s->server[4 + i].fail_ms = 0.2;
	}
}

static void cold_tick(struct sim *s)
{
	s->server[5].gone = during(s, 5, 6);
	s->server[5].mean_ms = during(s, 6, 11) ? 200 : 20;
}

static void slots4(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++)
		s->server[i].slots = 4;
}

static void together_tick(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++)
		s->server[i].mean_ms = during(s, 10, 15) ? (i % 2 ? 100 : 60) : 20;
}

static void rolling_tick(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		double at = 3 + 2.5 * i;

		s->server[i].gone = during(s, at, at + 1);
		s->server[i].mean_ms = during(s, at + 1, at + 3) ? 100 : 20;
	}
}

static void flaky(struct sim *s)
{
	s->server[7].fail_share = 0.05;
	s->server[7].fail_ms = 1;
}

static void all_flaky(struct sim *s)
{
	slots4(s);
	for (unsigned i = 0; i < s->n; i++) {
		s->server[i].fail_share = 0.03;
		s->server[i].fail_ms = 1;
	}
}

static void bimodal(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->server[i].slots = 8;
		s->server[i].slow_share = 0.01;
		s->server[i].slow_ms = 1000;
	}
}

static void pauses(struct sim *s)
{
	/* each server in turn stands still for a fifth of a second: a collector of garbage */
	slots4(s);
}

static void pauses_tick(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++)
		s->server[i].fixed_ms = during(s, 2 + 0.7 * i, 2.2 + 0.7 * i) || during(s, 16 + 0.7 * i, 16.2 + 0.7 * i) ? 200 : 0;
}

static void bursts_tick(struct sim *s)
{
	s->rate = (s->now_ns / SIM_S) % 5 == 0 ? 1900 : 400;
}

static void weights(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->server[i].weight = s->server[i].slots = i < 4 ? 8 : 2;
		s->server[i].mean_ms = 20;
	}
}

static void one_hole(struct sim *s)
{
	s->server[1].fail_share = 1;
	s->server[1].fail_ms = 0.2;
}

static void several(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->server[i].slots = 4;
		s->server[i].mean_ms = i < 2 ? 160 : 20;
	}
}

/* Of a thousand, ten hang for a while, ten are ten times slower, ten fail. */
static void fleet(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->server[i].slots = 8;
		if (i % 100 == 7)
			s->server[i].mean_ms = 200;
		if (i % 100 == 33)
			s->server[i].fail_share = 1;
		s->server[i].fail_ms = 0.2;
	}
}

static void crowd(struct sim *s)
{
	fleet(s);
	for (unsigned i = 0; i < s->n; i++)
		s->server[i].slots = 2;
}

static void fleet_tick(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++)
		s->server[i].fixed_ms = i % 100 == 50 && during(s, 2, 4) ? 2000 : 0;
}

/* Judged by what is answered within a second: nobody waits for longer. */
#define OVERLOAD(short, long, rate) { .name = (short), .title = (long), .servers = 10, .balancers = 1, .per_second = (rate), \
	.seconds = 20, .from_ns = 5 * SIM_S, .to_ns = 20 * SIM_S, .start = slots4, .overload = true }

const struct sim_scenario sim_scenarios[] = {
	{ "stall", "one of 11 servers takes 2 s, from 10 to 20 s", 11, 1, 400, 30, 0, 0, nothing, stall_tick, false, false },
	{ "skew", "16 servers with 4 slots, two 16 times slower", 16, 1, 400, 30, 0, 0, skew, NULL, false, false },
	{ "holes", "two of 12 servers answer 500 at once", 12, 1, 400, 30, 0, 0, holes, NULL, false, false },
	{ "cold", "one of 10 restarts at 5 s, 10 times slower for 5 s", 10, 1, 400, 20, 6 * SIM_S, 20 * SIM_S, nothing, cold_tick, false, false },
	{ "even", "10 servers with 4 slots, 85 % busy", 10, 1, 1700, 30, 0, 0, slots4, NULL, false, false },
	{ "together", "all slow down for 5 s, half of them more", 10, 1, 400, 30, 0, 0, slots4, together_tick, false, false },
	{ "rolling", "8 servers restart in turn, slow for 2 s", 8, 1, 400, 26, 0, 0, slots4, rolling_tick, false, false },
	{ "flaky", "one of 10 servers fails a twentieth", 10, 1, 400, 30, 0, 0, flaky, NULL, false, false },
	{ "all-flaky", "all of 10 fail 3 %, 4 slots, 80 % busy", 10, 1, 1600, 30, 0, 0, all_flaky, NULL, false, false },
	{ "bimodal", "1 % of requests take 1 s, 8 slots, 60 % busy", 10, 1, 1600, 30, 0, 0, bimodal, NULL, false, false },
	{ "pauses", "each stands still for 0.2 s in turn, 65 % busy", 20, 1, 2600, 30, 0, 0, pauses, pauses_tick, false, false },
	{ "bursts", "bursts to 95 % for 1 s of 5", 10, 1, 400, 30, 0, 0, slots4, bursts_tick, false, false },
	{ "weights", "weights and slots 8 and 2, 80 % busy", 10, 1, 1760, 30, 0, 0, weights, NULL, false, false },
	{ "two", "two servers, one answers 500 at once", 2, 1, 100, 30, 0, 0, one_hole, NULL, false, false },
	{ "three", "three servers with 4 slots, 70 % busy", 3, 1, 420, 30, 0, 0, slots4, NULL, false, false },
	{ "several", "8 balancers, 20 servers, 4 slots, two slow, 75 % busy", 20, 8, 2700, 20, 0, 0, several, NULL, false, false },
	{ "several-even", "8 balancers, 10 servers, 4 slots, 85 % busy", 10, 8, 1700, 30, 0, 0, slots4, NULL, false, false },
	{ "hundred", "100 servers with 8 slots, 70 % busy; some slow, hanging, failing", 100, 1, 28000, 8, 0, 0, fleet, fleet_tick, false, false },
	{ "thousand", "the same with 1000 servers and 4 balancers", 1000, 4, 280000, 5, 0, 0, fleet, fleet_tick, false, false },
	{ "ten-thousand", "10,000 servers with 2 slots, 16 balancers, 60 % busy; some slow, hanging, failing", 10000, 16, 600000, 3, 0, 0, crowd,
		fleet_tick, false, true },
	{ .name = "one", .title = "one server with 4 slots, 70 % busy", .servers = 1, .balancers = 1, .per_second = 140, .seconds = 60,
		.start = slots4 },
	OVERLOAD("overload-1", "all that 10 servers with 4 slots can do", 2000),
	OVERLOAD("overload-1.5", "half as much again", 3000),
	OVERLOAD("overload-2", "twice what 10 servers with 4 slots can do", 4000),
	OVERLOAD("overload-4", "four times what 10 servers with 4 slots can do", 8000),
	{ .name = NULL }
};

/* Random two choices: the less loaded of two by lot. */
static int two(struct sim *s, unsigned b)
{
	int best = -1;

	for (unsigned tries = 0, found = 0; tries < 20 && found < 2; tries++) {
		uint32_t i = (uint32_t)balance_below(&s->rng, s->n);

		if (!s->server[i].up || (int)i == best)
			continue;
		found++;
		if (best < 0 || s->server[i].inflight[b] * s->server[best].weight < s->server[best].inflight[b] * s->server[i].weight)
			best = (int)i;
	}
	return best;
}

const struct sim_policy sim_policies[] = {
	{ .name = "adaptive", .algorithm = "adaptive" },
	{ .name = "adaptive+retry", .algorithm = "adaptive", .retries = 1 },
	{ .name = "adaptive+hedge", .algorithm = "adaptive", .retries = 1, .hedge = true },
	{ .name = "least-connections", .algorithm = "least-connections", .all = true },
	{ .name = "round-robin", .algorithm = "round-robin", .all = true },
	{ .name = "two choices", .pick = two },
	{ .name = "central queue", .central = true, .all = true },
	{ .name = "learned limits", .algorithm = "adaptive", .limits = true, .overload = true },
	{ .name = "limits, target 50 ms", .algorithm = "adaptive", .limits = true, .target_ns = 50 * SIM_MS, .overload = true },
	{ .name = NULL }
};
