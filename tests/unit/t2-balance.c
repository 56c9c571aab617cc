/*
 * balance/: sequences, weights, ties, the cap, none usable, one server and a thousand.
 */
#include <stdlib.h>

#include "balance/balance.h"
#include "tests/unit/tap.h"

#define MANY 1000

/* A pool that counts what it is given. Everything zero, weight 1, usable, until said otherwise. */
struct pool {
	uint8_t usable[MANY];
	uint32_t weight[MANY], inflight[MANY];
	uint64_t entries[MANY], errors[MANY], turns[MANY], got[MANY];
	uint64_t rng;
	struct balance_view view;
};

static struct pool *fresh(uint32_t n)
{
	static struct pool p;

	memset(&p, 0, sizeof p);
	p.rng = 88172645463325252u;
	for (uint32_t i = 0; i < n; i++) {
		p.usable[i] = 1;
		p.weight[i] = 1;
	}
	p.view = (struct balance_view){
		.n = n, .usable = p.usable, .weight = p.weight, .inflight = p.inflight,
		.entries = p.entries, .errors = p.errors, .turns = p.turns, .rng = &p.rng,
	};
	return &p;
}

/* One request that ends at once. */
static int give(struct pool *p, const struct balance_algorithm *a)
{
	int i = a->pick(&p->view);

	if (i >= 0) {
		p->entries[i]++;
		p->turns[i]++;
		p->got[i]++;
	}
	return i;
}

/* The next n choices as letters. */
static const char *sequence(struct pool *p, const struct balance_algorithm *a, unsigned n)
{
	static char text[256];
	unsigned i;

	for (i = 0; i < n && i < sizeof text - 1; i++) {
		int k = give(p, a);

		text[i] = k < 0 ? '-' : (char)('a' + k);
	}
	text[i] = '\0';
	return text;
}

static void names(void)
{
	unsigned n = 0;

	for (const struct balance_algorithm *const *a = balance_all; *a; a++, n++)
		ok(balance_find((*a)->name) == *a, "found: %s", (*a)->name);
	is_int(n, 7, "seven algorithms");
	ok(!balance_find("least"), "no such name");
	ok(!balance_find(""), "empty name");
}

static void few(void)
{
	for (const struct balance_algorithm *const *a = balance_all; *a; a++) {
		struct pool *p = fresh(0);

		ok((*a)->pick(&p->view) == -1, "%s: an empty pool", (*a)->name);
		p = fresh(1);
		ok((*a)->pick(&p->view) == 0, "%s: the only server", (*a)->name);
		p->usable[0] = 0;
		ok((*a)->pick(&p->view) == -1, "%s: the only server, not usable", (*a)->name);
		p = fresh(2);
		p->usable[0] = 0;
		p->turns[1] = p->entries[1] = UINT64_MAX;
		p->inflight[1] = UINT32_MAX;
		p->errors[1] = UINT64_MAX;
		ok((*a)->pick(&p->view) == 1, "%s: the other is not usable, however loaded this one is", (*a)->name);
		p = fresh(2);
		p->weight[1] = 0;
		p->entries[0] = p->turns[0] = p->inflight[0] = 9;
		ok((*a)->pick(&p->view) == 0, "%s: weight 0 is not usable", (*a)->name);
		p = fresh(MANY);
		memset(p->usable, 0, sizeof p->usable);
		ok((*a)->pick(&p->view) == -1, "%s: a thousand, none usable", (*a)->name);
		p->usable[777] = 1;
		ok((*a)->pick(&p->view) == 777, "%s: a thousand, one usable", (*a)->name);
	}
}

/* A view whose unneeded columns are missing, as a worker gathers it. */
static void needs(void)
{
	for (const struct balance_algorithm *const *a = balance_all; *a; a++) {
		struct pool *p = fresh(3);

		if (!((*a)->needs & BALANCE_INFLIGHT))
			p->view.inflight = NULL;
		if (!((*a)->needs & BALANCE_ENTRIES))
			p->view.entries = p->view.errors = NULL;
		if (!((*a)->needs & BALANCE_TURNS))
			p->view.turns = NULL;
		int i = (*a)->pick(&p->view);
		ok(i >= 0 && i < 3, "%s reads only what it says it needs", (*a)->name);
	}
}

static void least_requests(void)
{
	const struct balance_algorithm *lr = &balance_least_requests;
	struct pool *p = fresh(3);

	is_str(sequence(p, lr, 7), "abcabca", "least-requests: equal servers in order");
	p = fresh(3);
	p->entries[0] = 3, p->entries[1] = 1, p->entries[2] = 2;
	is_str(sequence(p, lr, 6), "bbcabc", "least-requests: fills up the lowest first");
	p = fresh(3);
	p->entries[0] = p->entries[1] = p->entries[2] = 5;
	p->errors[0] = 2, p->errors[1] = 1, p->errors[2] = 1;
	is_str(sequence(p, lr, 3), "bca", "least-requests: ties go to fewest errors, then to order");
	p = fresh(3);
	p->entries[0] = 4, p->entries[1] = 5, p->entries[2] = 5;
	p->errors[0] = 4;
	is_str(sequence(p, lr, 1), "a", "least-requests: errors only break ties");
	p = fresh(2);
	p->weight[0] = 3;
	is_str(sequence(p, lr, 8), "abaaabaa", "least-requests: weight 3 gets three times as much");
	p = fresh(2);
	p->weight[0] = p->weight[1] = 256;
	p->entries[0] = UINT64_MAX;
	p->entries[1] = UINT64_MAX - 1;
	ok(lr->pick(&p->view) == 1, "least-requests: no overflow at the top");

	/* seven servers in three load groups: lows first, then the middle ones join, then all */
	p = fresh(7);
	for (unsigned i = 0; i < 7; i++)
		p->entries[i] = i < 3 ? 10 : i < 5 ? 20 : 30;
	for (unsigned i = 0; i < 30; i++)
		give(p, lr);
	ok(p->got[0] == 10 && p->got[1] == 10 && p->got[2] == 10, "least-requests: the low group first");
	for (unsigned i = 0; i < 50; i++)
		give(p, lr);
	bool level = true;
	for (unsigned i = 0; i < 7; i++)
		level &= p->entries[i] == 30;
	ok(level, "least-requests: then all are level");
}

/* Loads with nothing ever finishing: the hardest for a server that starts at zero. */
static void cap(void)
{
	const struct balance_algorithm *lr = &balance_least_requests;
	struct pool *p = fresh(4);
	uint64_t total = 0;
	bool held = true, always = true;

	for (unsigned i = 1; i < 4; i++)
		p->entries[i] = 1000000;
	for (unsigned n = 0; n < 1000; n++) {
		int i = give(p, lr);

		if (i < 0) {
			always = false;
			break;
		}
		p->inflight[i]++;
		total++;
		/* below 4 + 1.5 * share when it was given, total being one less */
		held &= (p->inflight[0] - 1) * 2 * 4 < 4 * 2 * 4 + 3 * total;
	}
	ok(always, "cap: somebody always takes it");
	ok(held, "cap: a newcomer never holds more than 4 + 1.5 times its share");
	ok(p->inflight[0] > 250 && p->inflight[0] <= 380, "cap: but more than the others (%u of 1000)", p->inflight[0]);

	p = fresh(4);
	for (unsigned i = 1; i < 4; i++)
		p->entries[i] = 1000000;
	for (unsigned n = 0; n < 5000; n++)
		give(p, lr);
	is_int(p->got[0], 5000, "cap: sequential load never meets it");

	/* any mixture of loads and weights leaves at least one below its cap */
	always = true;
	uint64_t rng = 7;
	for (unsigned n = 0; n < 20000; n++) {
		p = fresh(1 + (uint32_t)balance_below(&rng, 8));
		for (unsigned i = 0; i < p->view.n; i++) {
			p->weight[i] = 1 + (uint32_t)balance_below(&rng, 256);
			p->inflight[i] = (uint32_t)(balance_draw(&rng) >> (32 + balance_below(&rng, 32)));
			p->entries[i] = balance_draw(&rng) >> balance_below(&rng, 64);
		}
		always &= lr->pick(&p->view) >= 0;
	}
	ok(always, "cap: never all over it");

	p = fresh(MANY);
	for (unsigned i = 0; i < MANY; i++) {
		p->inflight[i] = UINT32_MAX;
		p->weight[i] = 256;
	}
	p->inflight[999]--;
	ok(lr->pick(&p->view) == 0, "cap: a thousand servers as full as can be, no overflow");

	p = fresh(2);
	p->entries[1] = 1000;
	p->usable[1] = 0;
	p->inflight[0] = 1000000;
	ok(lr->pick(&p->view) == 0, "cap: means nothing for the only usable server");
}

static void least_connections(void)
{
	const struct balance_algorithm *lc = &balance_least_connections;
	struct pool *p = fresh(3);

	p->inflight[0] = 2, p->inflight[1] = 1, p->inflight[2] = 3;
	ok(lc->pick(&p->view) == 1, "least-connections: fewest in flight");
	p->weight[2] = 4;
	ok(lc->pick(&p->view) == 2, "least-connections: by weight (3/4 is less than 1)");
	p->inflight[0] = p->inflight[1] = p->inflight[2] = UINT32_MAX;
	p->weight[1] = 256;
	ok(lc->pick(&p->view) == 1, "least-connections: no overflow");

	p = fresh(3);
	p->weight[2] = 2;
	for (unsigned n = 0; n < 40000; n++)
		p->got[lc->pick(&p->view)]++;
	ok(p->got[0] > 9500 && p->got[0] < 10500 && p->got[1] > 9500 && p->got[1] < 10500,
	    "least-connections: idle servers are used evenly (%u %u)", (unsigned)p->got[0], (unsigned)p->got[1]);
	ok(p->got[2] > 19500 && p->got[2] < 20500, "least-connections: by weight (%u)", (unsigned)p->got[2]);

	p = fresh(4);
	p->inflight[0] = p->inflight[2] = 1;
	bool right = true;
	for (unsigned n = 0; n < 1000; n++) {
		int i = lc->pick(&p->view);

		right &= i == 1 || i == 3;
	}
	ok(right, "least-connections: the lot is drawn only among those that tie");

	p = fresh(2);
	uint64_t state = p->rng;
	int first = lc->pick(&p->view);
	p->rng = state;
	ok(lc->pick(&p->view) == first, "least-connections: the same view gives the same choice");

	/* in flight stays proportional to weight, to within one */
	p = fresh(5);
	for (unsigned i = 0; i < 5; i++)
		p->weight[i] = i + 1;
	for (unsigned n = 0; n < 1500; n++)
		p->inflight[lc->pick(&p->view)]++;
	right = true;
	for (unsigned i = 0; i < 5; i++)
		right &= llabs((long long)p->inflight[i] - 100 * (i + 1)) <= 1;
	ok(right, "least-connections: shares by weight to within one");
}

/* Nobody is ever a whole request away from its exact share. */
static bool exact(struct pool *p, unsigned requests)
{
	uint64_t weights = 0;
	bool good = true;

	for (unsigned i = 0; i < p->view.n; i++)
		weights += p->weight[i];
	for (uint64_t n = 1; n <= requests; n++) {
		if (give(p, &balance_round_robin) < 0)
			return false;
		for (unsigned i = 0; i < p->view.n; i++) {
			int64_t off = (int64_t)(p->got[i] * weights) - (int64_t)(n * p->weight[i]);

			good &= off < (int64_t)weights && -off < (int64_t)weights;
		}
	}
	return good;
}

static void round_robin(void)
{
	const struct balance_algorithm *rr = &balance_round_robin;
	struct pool *p = fresh(3);
	uint64_t rng = 99;
	bool good = true;

	is_str(sequence(p, rr, 7), "abcabca", "round-robin: equal weights in order");
	p = fresh(3);
	p->weight[0] = 5;
	is_str(sequence(p, rr, 14), "aaabaacaaabaac", "round-robin: 5:1:1 is spread out, and repeats");
	p = fresh(2);
	p->weight[0] = 2, p->weight[1] = 3;
	is_str(sequence(p, rr, 10), "bababbabab", "round-robin: 2:3");
	p = fresh(3);
	p->usable[1] = 0;
	is_str(sequence(p, rr, 4), "acac", "round-robin: passes over the one that is out");

	p = fresh(101);
	p->weight[0] = 256;
	ok(exact(p, 4 * 356), "round-robin: 256 beside a hundred of 1, each within one request of its share");
	for (unsigned k = 0; k < 60; k++) {
		p = fresh(2 + (uint32_t)balance_below(&rng, 30));
		for (unsigned i = 0; i < p->view.n; i++)
			p->weight[i] = 1 + (uint32_t)balance_below(&rng, k % 2 ? 256 : 8);
		good &= exact(p, 3000);
	}
	ok(good, "round-robin: any weights, each within one request of its share");
	p = fresh(MANY);
	for (unsigned i = 0; i < MANY; i++)
		p->weight[i] = 1 + i % 256;
	ok(exact(p, 3000), "round-robin: a thousand servers, each within one request of its share");

	/* the level at which health starts them, and the top of the range */
	p = fresh(2);
	p->weight[1] = 3;
	p->turns[0] = UINT64_C(1) << 32, p->turns[1] = 3 * (UINT64_C(1) << 32);
	ok(exact(p, 400), "round-robin: exact from any common level");
	p = fresh(3);
	p->weight[0] = p->weight[1] = p->weight[2] = 256;
	p->turns[0] = p->turns[2] = UINT64_MAX;
	p->turns[1] = UINT64_MAX - 1;
	ok(rr->pick(&p->view) == 1, "round-robin: no overflow at the top");
	p = fresh(2);
	p->turns[0] = 3;
	is_str(sequence(p, rr, 6), "bbbaba", "round-robin: who is behind catches up");
}

static void in_order(void)
{
	struct pool *p = fresh(4);

	is_str(sequence(p, &balance_first, 5), "aaaaa", "first: the first one");
	p->usable[0] = 0;	/* has its maxconn, or is down */
	is_str(sequence(p, &balance_first, 3), "bbb", "then the next one");
	p->usable[1] = p->usable[2] = 0;
	is_str(sequence(p, &balance_first, 3), "ddd", "down to the last");
	p->usable[0] = 1;
	is_str(sequence(p, &balance_first, 3), "aaa", "and back as soon as there is room");
	p->weight[0] = 0;
	is_str(sequence(p, &balance_first, 2), "dd", "not one of weight 0");
	p->usable[3] = 0;
	is_str(sequence(p, &balance_first, 1), "-", "none");
}

static void lot(void)
{
	struct pool *p = fresh(4);

	p->usable[1] = 0;
	p->weight[3] = 2;
	for (unsigned n = 0; n < 40000; n++)
		p->got[balance_random.pick(&p->view)]++;
	ok(p->got[1] == 0, "random: never one that is out");
	ok(p->got[0] > 9500 && p->got[0] < 10500 && p->got[2] > 9500 && p->got[2] < 10500 &&
	    p->got[3] > 19500 && p->got[3] < 20500, "random: by weight (%u %u %u)", (unsigned)p->got[0],
	    (unsigned)p->got[2], (unsigned)p->got[3]);
}

/* Asking why changes nothing; the chosen one is told first, then who came next. */
static void told(void)
{
	for (const struct balance_algorithm *const *a = balance_all; *a; a++) {
		struct balance_told t;
		bool same = true, there = true, order = true;

		for (uint64_t seed = 1; seed <= 200; seed++) {
			struct pool *p = fresh((uint32_t)(seed % 30 + 1));
			int plain;

			for (uint32_t i = 0; i < p->view.n; i++) {
				p->usable[i] = i == 0 || i % 5 != seed % 5;
				p->weight[i] = (uint32_t)(1 + i % 3);
				p->inflight[i] = (uint32_t)(seed * 7 + i * 13) % 9;
				p->entries[i] = p->turns[i] = (seed * 31 + i * 17) % 50;
			}
			p->rng = seed;
			plain = (*a)->pick(&p->view);
			p->rng = seed;
			t.n = t.compared = 0;
			p->view.told = &t;
			same &= (*a)->pick(&p->view) == plain;
			bool found = false;
			for (uint32_t i = 0; i < t.n; i++) {
				found |= t.of[i].i == (uint32_t)plain;
				order &= i < 2 || t.of[i - 1].figure <= t.of[i].figure;
				there &= t.of[i].i < p->view.n && p->usable[t.of[i].i];
			}
			there &= t.n >= 1 && t.n <= BALANCE_TOLD && t.compared >= t.n && found;
		}
		ok(same, "%s: asking why changes nothing", (*a)->name);
		ok(there, "%s: the chosen one is among those that are told", (*a)->name);
		ok(order, "%s: the others in order", (*a)->name);
	}

	struct pool *p = fresh(20);
	struct balance_told t = { 0 };

	for (uint32_t i = 0; i < 20; i++)
		p->inflight[i] = 40 - i;
	p->view.told = &t;
	balance_least_connections.pick(&p->view);
	ok(t.compared == 20 && t.n == BALANCE_TOLD, "of many the best are told (%u of %u)", t.n, t.compared);
	ok(t.of[0].i == 19 && t.of[1].i == 18 && t.of[7].i == 12, "the best first");
	ok(t.of[7].figure > 27.9f && t.of[7].figure < 28.1f, "with what was compared");
}

int main(void)
{
	names();
	few();
	needs();
	least_requests();
	cap();
	least_connections();
	round_robin();
	in_order();
	lot();
	told();
	return done_testing();
}
