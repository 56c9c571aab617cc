/*
 * What traffic teaches (balance/learn.c), what adaptive makes of it, and the four scenarios that it is for, in
 * virtual time: the simulator is part of this program.
 */
#include "tests/sim/scenarios.c"	/* NOLINT(bugprone-suspicious-include) */
#include "tests/sim/report.c"	/* NOLINT(bugprone-suspicious-include) */
#include "tests/sim/request.c"	/* NOLINT(bugprone-suspicious-include) */
#include "tests/sim/sim.c"	/* NOLINT(bugprone-suspicious-include) */
#include "tests/unit/tap.h"

#define MS SIM_MS
#define SEC SIM_S

static struct learned sum_of(const struct shm_learn *l, uint64_t now)
{
	struct learned s = { 0 };
	struct learn_waiting w = { 0 };

	learn_add_past(l, now, 0, &s);
	learn_add_waiting(l, &w);
	learn_summed(&w, now, &s);
	return s;
}

static bool near(float got, float want, float within)
{
	return got >= want * (1 - within) && got <= want * (1 + within);
}

static void waiting(void)
{
	struct shm_learn l;
	uint64_t t = 3600 * SEC;
	struct learned s;

	memset((void *)&l, 0, sizeof l);
	s = sum_of(&l, t);
	ok(s.waiting <= 0 && s.age_us <= 0 && s.answers <= 0, "an empty record says nothing");
	learn_asked(&l, t);
	s = sum_of(&l, t + 100 * MS);
	ok(near(s.waiting, 1, 0) && near(s.age_us, 1e5f, 0.001f), "one waits, for 100 ms (%.0f us)", (double)s.age_us);
	learn_asked(&l, t + 50 * MS);
	s = sum_of(&l, t + 100 * MS);
	ok(near(s.waiting, 2, 0) && near(s.age_us, 1.5e5f, 0.001f), "two wait, 150 ms together");
	ok(near(s.silent_us, 1.5e5f, 0.001f), "nothing has been answered in all of that");
	learn_left(&l, t);
	learn_answer(&l, 0, t + 100 * MS, 100 * MS);
	s = sum_of(&l, t + 110 * MS);
	ok(near(s.age_us, 6e4f, 0.001f) && near(s.silent_us, 1e4f, 0.001f), "one was answered 10 ms ago: the other is no silence");
	s = sum_of(&l, t + 40 * MS);
	ok(s.age_us <= 0, "a reader whose clock is behind sees no age, not an immense one");
	learn_left(&l, t + 50 * MS);
	ok(atomic_load(&l.waiting) == 0, "none wait: all bits are back to zero");

	bool good = true;
	uint64_t rng = 5, at[300];
	for (unsigned i = 0; i < 300; i++)
		learn_asked(&l, at[i] = t + balance_below(&rng, SEC));
	float age = 0;
	for (unsigned i = 0; i < 300; i++)
		age += (float)(t + 10 * SEC - at[i]) / 1000;
	s = sum_of(&l, t + 10 * SEC);
	good = near(s.age_us, age, 0.001f);
	for (unsigned i = 300; i-- > 0;)
		learn_left(&l, at[i]);
	ok(good && atomic_load(&l.waiting) == 0, "three hundred at random times: the sum is exact");
}

static void answers(void)
{
	struct shm_learn l, m;
	uint64_t t = SEC;
	struct learned s, u;

	memset((void *)&l, 0, sizeof l);
	for (unsigned i = 0; i < 100; i++)
		learn_answer(&l, 0, t += 10 * MS, 20 * MS);
	s = sum_of(&l, t);
	ok(near(s.sum_us / s.answers, 20000, 0.001f) && near(s.answers, LEARN_ANSWERS, 0.01f), "mean and weight of even answers");
	s = sum_of(&l, t + LEARN_HALF_NS);
	ok(near(s.sum_us / s.answers, 20000, 0.001f) && near(s.answers, LEARN_ANSWERS / 2, 0.01f), "the weight wears off, not the mean");
	s = sum_of(&l, t + 100 * LEARN_HALF_NS);
	ok(s.answers <= 0, "and is gone in the end");
	learn_answer(&l, 0, t += MS, 2000 * MS);
	s = sum_of(&l, t);
	ok(near(s.peak_us, 2e6f, 0.001f) && s.sum_us / s.answers < 40000, "a surprise is a peak, and moves the mean a little");
	learn_answer(&l, 0, t += MS, 20 * MS);
	ok(near(sum_of(&l, t).peak_us, 5e5f, 0.01f), "an ordinary answer takes three quarters off");
	memset((void *)&m, 0, sizeof m);
	learn_answer(&m, 0, t, 10 * MS);
	u = (struct learned){ 0 };
	learn_add_past(&l, t, 0, &u);
	learn_add_past(&m, t, 0, &u);
	ok(u.answers > LEARN_ANSWERS && near(u.peak_us, 5e5f, 0.01f), "workers' records add up; of peaks the highest counts");
	learn_fold(&m, &l);
	s = sum_of(&m, t);
	ok(near(s.answers, u.answers, 0.01f) && near(s.sum_us, u.sum_us, 0.01f) && near(s.peak_us, u.peak_us, 0.01f),
	    "folding keeps the sum");

	s = (struct learned){ 0 };
	learn_add_past(&l, t, t + 1, &s);
	ok(s.answers <= 0 && s.peak_us <= 0, "what is older than the server's start does not count");
	learn_answer(&l, t + 1, t + 2, 7 * MS);
	s = sum_of(&l, t + 3);
	ok(near(s.answers, 1, 0.01f) && near(s.sum_us, 7000, 0.01f), "nor does it after the first answer since");
}

static void errors(void)
{
	struct shm_learn l;
	uint64_t t = SEC;
	struct learned s;

	memset((void *)&l, 0, sizeof l);
	learn_error(&l, 0, t, 1000);
	s = sum_of(&l, t);
	ok(near(s.errors, 1, 0.01f) && near(s.streak, 1, 0.01f) && s.answers <= 0, "an error counts, and its speed does not");
	for (unsigned i = 0; i < 50; i++)
		learn_error(&l, 0, t, 1000);
	ok(near(sum_of(&l, t).streak, LEARN_STREAK, 0.01f), "a streak has an end");
	learn_answer(&l, 0, t, 20 * MS);
	s = sum_of(&l, t);
	ok(near(s.streak, LEARN_STREAK / 4, 0.01f) && near(s.errors, 51, 0.01f), "a good answer shortens it, the share stays");
	ok(near(sum_of(&l, t + 2 * LEARN_HALF_NS).streak, LEARN_STREAK / 8, 0.01f), "it wears off in twice the time");

	memset((void *)&l, 0, sizeof l);
	for (unsigned i = 0; i < 20; i++)
		learn_answer(&l, 0, t, 20 * MS);
	learn_gone(&l, 0, t, 3000 * MS);
	s = sum_of(&l, t);
	ok(near(s.peak_us, 3e6f, 0.01f) && s.errors <= 0, "a client that gave up after 3 s is a lesson, not an error");

	memset((void *)&l, 0, sizeof l);
	learn_gone(&l, 0, t, 300 * MS);
	s = sum_of(&l, t);
	ok(s.sum_us >= 290000 && s.answers <= 0, "so it is where nothing else is known: without an answer in 300 ms");
}

/* ---- choices ---- */

#define MANY 1000

static struct balance_look server[MANY];
static bool out[MANY];
static unsigned looked;

static bool look_here(void *arg, uint32_t i, struct balance_look *k)
{
	(void)arg;
	looked++;
	*k = server[i];
	return !out[i];
}

static void fresh(unsigned n)
{
	memset(out, 0, sizeof out);
	for (unsigned i = 0; i < n; i++)
		server[i] = (struct balance_look){ .weight = 1, .ramp = 1, .learned = { .sum_us = 16 * 20000, .answers = 16, .ends = 16 } };
}

/* How often of 1000 choices it is server i, nothing in flight changing. */
static unsigned share(unsigned n, unsigned i)
{
	uint64_t rng = 77;
	struct balance_view v = { .n = n, .rng = &rng, .look = look_here };
	unsigned got = 0;

	for (unsigned k = 0; k < 1000; k++)
		got += balance_adaptive.pick(&v) == (int)i;
	return got;
}

static void choices(void)
{
	fresh(4);
	ok(share(4, 0) > 180 && share(4, 3) > 180, "equals: by lot (%u, %u)", share(4, 0), share(4, 3));
	for (unsigned i = 0; i < 4; i++)
		server[i].ramp = 0.5f - 0.0001f * (float)i;
	ok(share(4, 0) > 180 && share(4, 3) > 180, "started a millisecond apart: alike all the same (%u, %u)", share(4, 0), share(4, 3));
	fresh(4);
	server[2].weight = 3;
	ok(share(4, 2) > 450 && share(4, 2) < 550, "idle: the one of weight 3 gets half (%u)", share(4, 2));
	for (unsigned i = 0; i < 4; i++) {
		server[i].weight *= 100;
		server[i].inflight = 2;
	}
	is_int(share(4, 2), 1000, "two each: the next one is its, and only the weights' proportions count");
	server[2].inflight = 8;
	ok(share(4, 2) > 150 && share(4, 2) < 700, "eight beside two: it is level with the others (%u)", share(4, 2));
	server[2].inflight = 9;
	is_int(share(4, 2), 0, "nine: it is not");
	fresh(4);
	server[3].learned = (struct learned){ .sum_us = 300000 };
	is_int(share(4, 3), 0, "one that nobody has had an answer from, after waiting for 300 ms: not before the others");
	fresh(4);
	server[1].inflight = 1;
	is_int(share(4, 1), 0, "fewest in flight");
	fresh(4);
	server[1].learned.sum_us = 16 * 28000;
	ok(share(4, 1) > 180, "28 ms beside 20 is alike");
	server[1].learned.sum_us = 16 * 60000;
	is_int(share(4, 1), 0, "60 ms is not");
	for (unsigned i = 0; i < 4; i++)
		server[i].learned.sum_us = 16 * (i == 1 ? 1800.0f : 120);
	ok(share(4, 1) > 180, "1.8 ms beside 0.12 is, for nobody notices");
	server[1].learned.peak_us = 40000;
	ok(share(4, 1) > 180, "nor when it paused for 40 ms once");
	server[1].learned.peak_us = 2e6f;
	is_int(share(4, 1), 0, "but 2 s");
	server[1].learned.peak_us = 0;
	for (unsigned i = 0; i < 4; i++)
		server[i].learned.sum_us = 16 * (i == 1 ? 60000.0f : 20000);
	server[0].inflight = server[2].inflight = server[3].inflight = 2;
	is_int(share(4, 1), 1000, "but when the others have three times as much to do");
	fresh(4);
	server[1].learned.sum_us = 16 * 2000;
	is_int(share(4, 1), 1000, "one ten times faster: the first request");
	server[1].inflight = 2;
	is_int(share(4, 1), 0, "but not the third at a time");
	for (unsigned i = 0; i < 4; i++)
		server[i].inflight = 3;
	server[1].learned.sum_us = 16 * 320000;
	server[1].learned.answers = 16;
	server[1].inflight = 0;
	is_int(share(4, 1), 0, "sixteen times slower: not while the others have three each");
	server[1].learned.sum_us /= 1024;
	server[1].learned.answers /= 1024;
	is_int(share(4, 1), 1000, "that was long ago: it is tried again");
	server[1].inflight = 1;
	server[1].learned.waiting = 1;
	server[1].learned.age_us = server[1].learned.silent_us = 1e6f;
	is_int(share(4, 1), 0, "with one request, which waits now for a second: no further one");
	fresh(4);
	server[1].learned.errors = 1;
	server[1].learned.streak = 1;
	is_int(share(4, 1), 0, "an error in a row: no more while others are idle");
	for (unsigned i = 0; i < 4; i++)
		server[i].inflight = i == 1 ? 0 : 2;
	is_int(share(4, 1), 0, "nor while they have two");
	fresh(4);
	for (unsigned i = 0; i < 4; i++)
		server[i].learned.errors = 4 + (float)i / 4;
	ok(share(4, 3) > 180, "all fail a quarter: nobody is blamed");
	fresh(4);
	server[3].ramp = 0;
	is_int(share(4, 3), 0, "just come up: not before the others have something");
	for (unsigned i = 0; i < 3; i++)
		server[i].inflight = 10;
	is_int(share(4, 3), 1000, "but then");
}

static void sizes(void)
{
	uint64_t rng = 3;
	struct balance_view v = { .rng = &rng, .look = look_here };
	bool good = true;

	fresh(MANY);
	ok(balance_adaptive.pick(&v) == -1, "no server");
	v.n = MANY;
	looked = 0;
	for (unsigned i = 0; i < 1000; i++)
		good &= balance_adaptive.pick(&v) >= 0;
	ok(good && looked <= 6000, "of a thousand, six are looked at (%u)", looked);
	for (unsigned i = 0; i < MANY; i++)
		out[i] = i != 500;
	ok(share(MANY, 500) == 1000, "a thousand, one usable: it is found");
	out[500] = true;
	ok(balance_adaptive.pick(&v) == -1, "a thousand, none usable");
	fresh(MANY);
	server[7].learned.streak = 6;
	server[7].learned.errors = 6;
	is_int(share(MANY, 7), 0, "a thousand: the bad one is not taken");
	fresh(3);
	for (unsigned n = 1; n <= 3; n++)
		for (unsigned i = 0; i < n; i++) {
			server[i].inflight = UINT32_MAX;
			server[i].weight = 256;
			server[i].learned = (struct learned){ .streak = 6 * 64, .peak_us = 1e12f, .age_us = 1e15f, .silent_us = 1e15f,
				.waiting = 1e6f, .errors = 1e9f, .ends = 1e9f };
			v.n = n;
			good &= balance_adaptive.pick(&v) >= 0;
		}
	ok(good, "as bad as can be: somebody gets it all the same");
}

/* ---- the four scenarios ---- */

static const struct sim_scenario *scenario(const char *name)
{
	const struct sim_scenario *c = sim_scenarios;

	while (strcmp(c->name, name) != 0)
		c++;
	return c;
}

static const struct sim_policy *policy(const char *name)
{
	const struct sim_policy *p = sim_policies;

	while (strcmp(p->name, name) != 0)
		p++;
	return p;
}

/* The worst of three seeds, field by field. */
static struct sim_result worst(const char *name, const struct sim_policy *p)
{
	struct sim_result w = { 0 }, r;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		sim_run(scenario(name), p, seed, &r);
		free(r.p99_by_slice);
		w.p99 = r.p99 > w.p99 ? r.p99 : w.p99;
		w.p999 = r.p999 > w.p999 ? r.p999 : w.p999;
		w.slow = r.slow > w.slow ? r.slow : w.slow;
		w.failed = r.failed > w.failed ? r.failed : w.failed;
		w.hedged = r.hedged > w.hedged ? r.hedged : w.hedged;
		w.good = seed == 1 || r.good < w.good ? r.good : w.good;
		w.peak_share = r.peak_share > w.peak_share ? r.peak_share : w.peak_share;
	}
	return w;
}

/* Of an exponential time of 20 ms, 1 % is above 92 ms and 0.1 % above 138 ms, whatever a balancer does. */
static void scenarios(void)
{
	const struct sim_policy *adaptive = &sim_policies[0];
	struct sim_result r = worst("stall", adaptive), again, other;

	ok(r.slow <= 0.0002 && r.p999 < 165, "stall: %.4f %% above 1 s, p99.9 %.0f ms", 100 * r.slow, r.p999);
	r = worst("skew", adaptive);
	ok(r.p99 < 97 && r.p999 < 165, "skew: p99 %.0f ms, p99.9 %.0f ms", r.p99, r.p999);
	r = worst("holes", adaptive);
	ok(r.failed < 0.001, "black holes: %.3f %% failed", 100 * r.failed);
	r = worst("cold", adaptive);
	ok(r.p99 < 98 && r.p999 < 160, "cold: p99 %.0f ms, p99.9 %.0f ms", r.p99, r.p999);
	r = worst("even", adaptive);
	ok(r.p99 < 100 && r.peak_share < 1.06, "alike and busy: p99 %.0f ms, and even", r.p99);
	r = worst("two", adaptive);
	ok(r.failed < 0.002, "two servers, one a black hole: %.3f %% failed", 100 * r.failed);
	r = worst("all-flaky", adaptive);
	ok(r.p99 < 105, "all fail a little and are busy: nobody is crowded out (p99 %.0f ms)", r.p99);
	r = worst("several", adaptive);
	ok(r.p99 < 110, "eight balancers that know nothing of each other: p99 %.0f ms", r.p99);

	/* The last of the goals lie below those bounds: with second copies they hold. */
	const struct sim_policy *hedge = policy("adaptive+hedge");
	r = worst("stall", hedge);
	ok(r.slow <= 0 && r.p999 < 150, "stall, hedged: %.4f %% above 1 s, p99.9 %.0f ms", 100 * r.slow, r.p999);
	r = worst("skew", hedge);
	ok(r.p99 < 95 && r.p999 < 150, "skew, hedged: p99 %.0f ms, p99.9 %.0f ms", r.p99, r.p999);
	r = worst("cold", hedge);
	ok(r.p99 < 85 && r.p999 < 120, "cold, hedged: p99 %.0f ms, p99.9 %.0f ms", r.p99, r.p999);
	ok(r.hedged > 0.02 && r.hedged < 0.08, "for a copy of %.1f %% of the requests", 100 * r.hedged);
	r = worst("even", hedge);
	ok(r.p99 < 100 && r.hedged < 0.08, "alike and busy: no worse than without (p99 %.0f ms)", r.p99);
	r = worst("together", hedge);
	ok(r.hedged < 0.22, "all slow at once: the budget holds (%.1f %%)", 100 * r.hedged);

	/* Twice and four times what the servers can do, 2000 a second. */
	r = worst("overload-2", adaptive);
	ok(r.good < 100, "overload without limits: %.0f a second in time", r.good);
	r = worst("overload-2", policy("limits, target 50 ms"));
	ok(r.good > 1850 && r.p999 < 400, "with: %.0f, and all know after %.0f ms", r.good, r.p999);
	r = worst("overload-4", policy("limits, target 50 ms"));
	ok(r.good > 1850 && r.p999 < 400, "four times: %.0f, %.0f ms", r.good, r.p999);
	r = worst("overload-1", policy("limits, target 50 ms"));
	ok(r.failed < 0.08, "all that they can do: %.1f %% are sent away", 100 * r.failed);

	sim_run(scenario("cold"), adaptive, 9, &r);
	sim_run(scenario("cold"), adaptive, 9, &again);
	sim_run(scenario("cold"), adaptive, 10, &other);
	ok(memcmp(&r, &again, offsetof(struct sim_result, slices)) == 0 && memcmp(&r, &other, offsetof(struct sim_result, slices)) != 0,
	    "the same seed gives the same run, another one another");
	free(r.p99_by_slice);
	free(again.p99_by_slice);
	free(other.p99_by_slice);
}

int main(void)
{
	waiting();
	answers();
	errors();
	choices();
	sizes();
	scenarios();
	return done_testing();
}
