/*
 * Learned limits of concurrency: a server with some slots, in virtual time, under more load than it can take, and under less.
 */
#include <math.h>

#include "balance/balance.h"
#include "balance/limit.h"
#include "tests/unit/tap.h"

#define SECOND UINT64_C(1000000000)

/* A server, the line before it, and the clock. */
struct world {
	struct limit_server s;
	double slots, mean_ms, load;	/* load: requests a second; 0: always more than it takes */
	double fail;			/* this share of answers, quickly */
	uint64_t now_ns, rng;
	double done, could;		/* answers; what the server could have given */
};

static double draw(struct world *w)
{
	return ((double)(balance_draw(&w->rng) >> 11) + 1) * 0x1p-53;
}

/* The mean of n exponential times; by the central limit for large n. */
static double mean_of(struct world *w, unsigned n, double mean)
{
	double sum = 0;

	if (n > 400)
		return mean * (1 + sqrt(-2 * log(draw(w))) * cos(6.2831853 * draw(w)) / sqrt(n));
	for (unsigned i = 0; i < n; i++)
		sum -= log(draw(w)) * mean;
	return n ? sum / n : 0;
}

static void run(struct world *w, double seconds)
{
	uint64_t end = w->now_ns + (uint64_t)(seconds * 1e9);

	while (w->now_ns < end) {
		double most = w->slots / w->mean_ms * 1000, inflight = w->s.limit, rate;

		if (w->load > 0 && w->load / 1000 * w->mean_ms < inflight && w->load < most)
			inflight = w->load / 1000 * w->mean_ms;
		rate = (inflight < w->slots ? inflight : w->slots) / w->mean_ms * 1000;
		w->now_ns += LIMIT_LOOK_NS;
		double n = floor(rate * (double)LIMIT_LOOK_NS / 1e9 + draw(w)), failed = floor(n * w->fail);

		w->done += n;
		w->could += most * (double)LIMIT_LOOK_NS / 1e9;
		w->s.answers += (uint64_t)(n - failed);
		w->s.failed += (uint64_t)failed;
		w->s.latency_ns += (uint64_t)((n - failed) * mean_of(w, (unsigned)(n - failed), inflight / rate * 1e9));
		limit_look(&w->s, w->now_ns);
	}
}

static struct world fresh(double slots, double load, uint64_t seed)
{
	struct world w = { .s = { .least = 1, .most = 1000 }, .slots = slots, .mean_ms = 20, .load = load, .now_ns = 7 * SECOND, .rng = seed };

	limit_start(&w.s, 0);
	return w;
}

static void full(void)
{
	static const struct { double slots; uint32_t low, high; double used; } want[] = {
		{ 1, 1, 7, 0.9 }, { 2, 2, 8, 0.9 }, { 4, 4, 14, 0.9 }, { 16, 14, 40, 0.9 }, { 64, 60, 160, 0.85 }, { 200, 180, 480, 0.8 },
	};

	for (unsigned i = 0; i < sizeof want / sizeof *want; i++) {
		bool good = true;
		double used = 0, limit = 0;

		for (uint64_t seed = 1; seed <= 5; seed++) {
			struct world w = fresh(want[i].slots, 0, seed);
			run(&w, 120);
			uint32_t l = w.s.checking ? (uint32_t)w.s.before : w.s.limit;
			good = good && l >= want[i].low && l <= want[i].high;
			used += w.done / w.could / 5;
			limit += l / 5.0;
		}
		ok(good && used >= want[i].used, "%.0f slots, always full: limit %.1f, %.1f %% used", want[i].slots, limit, 100 * used);
	}
}

static void changes(void)
{
	struct world w = fresh(16, 0, 3);
	uint32_t before;

	run(&w, 60);
	w.slots = 4;
	run(&w, 100);
	ok(w.s.limit >= 2 && w.s.limit <= 16, "a server that loses three quarters of its slots: %u", w.s.limit);
	w.slots = 32;
	run(&w, 60);
	ok(w.s.limit >= 24 && w.s.limit <= 90, "and gets 32: %u", w.s.limit);
	w.mean_ms = 100;
	run(&w, 150);
	ok(w.s.limit >= 16 && w.s.limit <= 90, "and needs five times longer for each: %u, the slots are the same", w.s.limit);

	w = fresh(16, 400, 4);
	run(&w, 60);
	before = w.s.limit;
	ok(before >= 8 && before <= 24, "half busy: %u, and no less than what is used", before);
	ok(w.s.base_ns > 15e6 && w.s.base_ns < 25e6, "the base is what an answer takes: %.1f ms", w.s.base_ns / 1e6);
	w.load = 0;
	run(&w, 20);
	ok(w.s.limit >= 13, "then full: %u", w.s.limit);

	w = fresh(8, 0, 5);
	run(&w, 40);
	before = w.s.limit;
	w.fail = 0.5;
	run(&w, 20);
	ok(w.s.limit < before && w.s.limit >= 1, "half of the answers are errors: down from %u to %u", before, w.s.limit);
	w.fail = 0;
	run(&w, 60);
	ok(w.s.limit >= 7, "and up again: %u", w.s.limit);
}

static void ranges(void)
{
	struct world w = fresh(16, 0, 1);
	uint32_t low = UINT32_MAX, high = 0;
	bool changed;

	w.s.least = 3;
	w.s.most = 6;
	limit_start(&w.s, 0);
	is_int(w.s.limit, 6, "it begins within its range");
	for (unsigned i = 0; i < 600; i++) {
		run(&w, 0.1);
		low = w.s.limit < low ? w.s.limit : low;
		high = w.s.limit > high ? w.s.limit : high;
	}
	ok(low >= 3 && high <= 6, "and stays there: %u to %u", low, high);
	limit_start(&w.s, 4);
	is_int(w.s.limit, 4, "a limit that is known goes on");
	w.s.least = w.s.most = 5;
	limit_look(&w.s, w.now_ns);
	is_int(w.s.limit, 5, "a range of one");
	w = fresh(4, 0, 2);
	limit_look(&w.s, w.now_ns);
	for (unsigned i = 0; i < 100; i++)
		limit_look(&w.s, w.now_ns += LIMIT_LOOK_NS);
	is_int(w.s.limit, LIMIT_START, "nothing asked, nothing learned");
	w.s.answers = w.s.latency_ns = UINT64_MAX / 2;
	limit_look(&w.s, w.now_ns += 5 * SECOND);
	w.s.answers = w.s.failed = w.s.latency_ns = 0;	/* the row is another server's now */
	changed = limit_look(&w.s, w.now_ns += 5 * SECOND);
	ok(w.s.limit >= 1 && w.s.limit <= 1000 && !changed, "absurd figures: still %u", w.s.limit);
}

int main(void)
{
	full();
	changes();
	ranges();
	return done_testing();
}
