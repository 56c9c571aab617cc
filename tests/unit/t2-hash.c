/*
 * balance/: hashes, Maglev tables (spread, weights, disruption, order, bounded load), the account of
 * retries.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "balance/balance.h"
#include "balance/budget.h"
#include "balance/hash.h"
#include "balance/maglev.h"
#include "balance/quantile.h"
#include "tests/unit/tap.h"

#define MANY 1000
#define KEYS 200000

static uint64_t name_of(uint32_t i)
{
	char text[32];
	int n = snprintf(text, sizeof text, "app/server-%u", i);

	return hash_bytes(HASH_SERVER, text, (size_t)n);
}

static uint64_t key_of(uint32_t i)
{
	return hash_bytes(HASH_KEY, &i, sizeof i);
}

static void hashes(void)
{
	char text[64] = { 0 };
	unsigned equal = 0;
	uint64_t bits = 0;

	/* What other machines, and other versions, must agree on. */
	ok(hash_bytes(HASH_SERVER, "app/one", 7) == UINT64_C(0xc4a5ab8e21f23f62), "a known hash");
	ok(hash_bytes(HASH_SERVER, "", 0) != hash_bytes(HASH_KEY, "", 0), "purposes differ");
	for (unsigned i = 0; i < sizeof text; i++)
		for (unsigned j = 0; j < i; j++)
			equal += hash_bytes(1, text, i) == hash_bytes(1, text, j);
	is_int(equal, 0, "zeros of any two lengths differ");
	for (unsigned i = 0; i < 512; i++) {
		uint64_t before = hash_bytes(1, text, sizeof text), after;

		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		after = hash_bytes(1, text, sizeof text);
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		bits += (uint64_t)__builtin_popcountll(before ^ after);
	}
	ok(bits > 512 * 30 && bits < 512 * 34, "a bit changes half of the bits (%.1f)", (double)bits / 512);
}

/* Keys that server i gets, of KEYS; its share in thousandths of the even one. */
static void spread(uint32_t n, uint32_t low, uint32_t high)
{
	static uint64_t name[MANY];
	static uint32_t weight[MANY], got[MANY];
	uint32_t least = UINT32_MAX, most = 0;
	struct maglev *m;

	for (uint32_t i = 0; i < n; i++) {
		name[i] = name_of(i);
		weight[i] = 1;
		got[i] = 0;
	}
	m = maglev_build(name, weight, n);
	if (m == NULL || m->size == 0) {
		ok(false, "a table for %u servers", n);
		return;
	}
	for (uint32_t i = 0; i < m->size; i++)
		got[m->place[i]]++;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t share = (uint32_t)((uint64_t)got[i] * n * 1000 / m->size);
		least = share < least ? share : least;
		most = share > most ? share : most;
	}
	ok(least >= low && most <= high, "each of %u servers holds %u to %u thousandths of the even share", n, least, most);
	maglev_free(m);
}

static void sizes(void)
{
	ok(maglev_size(1) == 251 && maglev_size(100) == 16381 && maglev_size(16384) == 1048573, "sizes");
	for (uint32_t n = 0; n < 20000; n += 7) {
		uint32_t size = maglev_size(n), d = 2;

		while (d * d <= size && size % d)
			d++;
		if (d * d <= size)
			ok(0, "prime: %u", size);
	}
	struct maglev *none = maglev_build(NULL, NULL, 0);

	ok(none->place[0] == MAGLEV_NOBODY, "no servers, nobody");
	maglev_free(none);
}

static void weights(void)
{
	uint64_t name[4] = { name_of(0), name_of(1), name_of(2), name_of(3) };
	uint32_t weight[4] = { 1, 2, 5, 0 }, got[4] = { 0 };
	struct maglev *m = maglev_build(name, weight, 4);

	for (uint32_t i = 0; i < m->size; i++)
		got[m->place[i]]++;
	for (uint32_t i = 0; i < 3; i++)
		ok(got[i] * 8 >= weight[i] * (m->size - 16) && got[i] * 8 <= weight[i] * (m->size + 16),
		    "weight %u of 8 holds %u of %u places", weight[i], got[i], m->size);
	is_int(got[3], 0, "weight 0 holds none");
	maglev_free(m);
}

/* The same pool in another order is the same table. */
static void order(void)
{
	uint64_t name[50], turned[50];
	uint32_t weight[50], turned_weight[50], differ = 0;

	for (uint32_t i = 0; i < 50; i++) {
		name[i] = name_of(i);
		weight[i] = i % 3 + 1;
		turned[49 - i] = name[i];
		turned_weight[49 - i] = weight[i];
	}
	struct maglev *a = maglev_build(name, weight, 50), *b = maglev_build(turned, turned_weight, 50);
	for (uint32_t i = 0; i < a->size; i++)
		differ += a->place[i] != 49 - b->place[i];
	is_int(differ, 0, "the order of the servers does not matter");
	maglev_free(a);
	maglev_free(b);
}

struct pool {
	uint8_t usable[MANY];
	uint32_t weight[MANY], inflight[MANY];
	uint64_t name[MANY];
	struct balance_view view;
};

static struct pool *fresh(uint32_t n)
{
	static struct pool p;

	maglev_free((struct maglev *)(uintptr_t)p.view.maglev);
	memset(&p, 0, sizeof p);
	for (uint32_t i = 0; i < n; i++) {
		p.usable[i] = 1;
		p.weight[i] = 1;
		p.name[i] = name_of(i);
	}
	p.view = (struct balance_view){
		.n = n, .usable = p.usable, .weight = p.weight, .inflight = p.inflight,
		.maglev = maglev_build(p.name, p.weight, n),
	};
	return &p;
}

static int give(struct pool *p, uint32_t key)
{
	p->view.key = key_of(key);
	return balance_hash.pick(&p->view);
}

/* A server that is lost moves its own keys, evenly, and no other; back again, all is as before. */
static void lost(uint32_t n)
{
	static int before[KEYS];
	static uint32_t heirs[MANY];
	struct pool *p = fresh(n);
	uint32_t own = 0, foreign = 0, still = 0, least = UINT32_MAX, most = 0, back = 0;

	for (uint32_t k = 0; k < KEYS; k++)
		before[k] = give(p, k);
	p->usable[n / 2] = 0;
	memset(heirs, 0, sizeof heirs);
	for (uint32_t k = 0; k < KEYS; k++) {
		int now = give(p, k);

		if (now == (int)n / 2)
			still++;
		if (before[k] == (int)n / 2) {
			own++;
			heirs[now]++;
		} else {
			foreign += now != before[k];
		}
	}
	ok(still == 0, "of %u servers one is lost and gets nothing", n);
	is_int(foreign, 0, "and no key of another server moves");
	ok((uint64_t)own * n > KEYS * UINT64_C(9) / 10 && (uint64_t)own * n < KEYS * UINT64_C(11) / 10, "it had its share: %u of %u", own, KEYS);
	for (uint32_t i = 0; i < n; i++) {
		if (i == n / 2)
			continue;
		least = heirs[i] < least ? heirs[i] : least;
		most = heirs[i] > most ? heirs[i] : most;
	}
	if (n <= 20)
		ok(most < 2 * least && least > 0, "which all others inherit: %u to %u keys", least, most);
	p->usable[n / 2] = 1;
	for (uint32_t k = 0; k < KEYS; k++)
		back += give(p, k) == before[k];
	is_int(back, KEYS, "it comes back: all is as before");
}

/* Configured away instead: the table is another one, and a little more moves. */
static void removed(uint32_t n)
{
	struct pool *p = fresh(n);
	struct maglev *less;
	uint32_t own = 0, foreign = 0;

	less = maglev_build(p->name, p->weight, n - 1);
	for (uint32_t k = 0; k < KEYS; k++) {
		uint64_t key = key_of(k);
		uint32_t was = maglev_at(p->view.maglev, key, 0), is = maglev_at(less, key, 0);

		if (was == n - 1)
			own++;
		else
			foreign += was != is;
	}
	ok(foreign < KEYS / 25, "of %u servers, removing one moves %u keys of its own and %u others of %u", n, own, foreign, KEYS);
	maglev_free(less);
}

/* One hot key: bounded, and what is too much goes to the same few in the same order. */
static void bounded(void)
{
	struct pool *p = fresh(10);
	uint32_t used = 0, most = 0, total = 0;
	int own = give(p, 7), second = -1;

	for (uint32_t i = 0; i < MAGLEV_SLACK; i++) {
		if (give(p, 7) != own)
			break;
		p->inflight[own]++;
		total++;
	}
	is_int(total, MAGLEV_SLACK, "eight at a time stay where they belong");
	for (; total < 1000; total++) {
		int i = give(p, 7);

		if (i != own && second < 0)
			second = i;
		p->inflight[i]++;
	}
	for (uint32_t i = 0; i < 10; i++) {
		used += p->inflight[i] > 0;
		most = p->inflight[i] > most ? p->inflight[i] : most;
	}
	ok(most <= 1000 * 125 / 1000 + MAGLEV_SLACK + 2, "1000 at a time of one key: no server has more than %u", most);
	ok(used >= 7, "shared by %u servers", used);
	ok(second >= 0 && p->inflight[second] >= p->inflight[own] - 1, "the second one is as full as the first");
	is_int(give(p, 7) == own || p->inflight[own] >= 125, 1, "and the own one is full");

	/* Even load stays where it belongs: a random spread of keys, 20 in flight on each server on average. */
	p = fresh(10);
	uint32_t moved = 0;
	for (uint32_t k = 0; k < 200; k++) {
		int i = give(p, k);

		moved += maglev_at(p->view.maglev, key_of(k), 0) != (uint32_t)i;
		p->inflight[i]++;
	}
	ok(moved <= 4, "of 200 different keys %u had to move", moved);
}

static void few_left(void)
{
	struct pool *p = fresh(200);
	uint32_t wrong = 0, got[3] = { 0 }, unstable = 0;

	memset(p->usable, 0, 200);
	is_int(give(p, 1), -1, "none usable");
	p->usable[3] = p->usable[77] = p->usable[199] = 1;
	for (uint32_t k = 0; k < 3000; k++) {
		int i = give(p, k);

		unstable += give(p, k) != i;
		wrong += i != 3 && i != 77 && i != 199;
		got[i == 3 ? 0 : i == 77 ? 1 : 2]++;
	}
	is_int(wrong + unstable, 0, "3 of 200 usable: only these, and each key the same one");
	ok(got[0] > 800 && got[1] > 800 && got[2] > 800, "evenly: %u %u %u", got[0], got[1], got[2]);
}

static uint32_t retries(struct budget *b, uint32_t percent, uint64_t now, uint32_t wanted)
{
	uint32_t n = 0;

	while (n < wanted && budget_retry(b, percent, now))
		n++;
	return n;
}

static void budgets(void)
{
	const uint64_t s = UINT64_C(1000000000);
	uint64_t now = 5 * s;
	uint32_t n = 0, asked = 0;
	struct budget b;

	budget_start(&b, now);
	is_int(retries(&b, 20, now, 1000), BUDGET_FLOOR, "at the start: what the floor gives");
	is_int(retries(&b, 20, now, 1), 0, "then nothing");
	is_int(retries(&b, BUDGET_UNLIMITED, now, 1000), 1000, "unless there is no limit");
	n = retries(&b, 20, now += s, 1000);
	ok(n >= 9 && n <= 10, "a second later %u more", n);
	retries(&b, 20, now += s / 100, 1000);

	/* An outage: every request fails and wants a retry, 1000 a second for 60 s. */
	n = 0;
	for (unsigned i = 0; i < 60000; i++) {
		now += s / 1000;
		budget_request(&b, 20, now);
		n += budget_retry(&b, 20, now);
		asked++;
	}
	ok(n >= 60000 / 5 && n <= 60000 / 5 + 700, "of %u requests that all fail %u are tried again", asked, n);

	/* Quiet times save some seconds' worth, however long they were. */
	for (unsigned i = 0; i < 3600 * 100; i++) {
		now += s / 100;
		budget_request(&b, 20, now);
	}
	n = retries(&b, 20, now, 100000);
	ok(n >= 290 && n <= 310, "after an hour of 100 a second there are %u", n);
	now += 10000 * s;
	is_int(retries(&b, 20, now, 100000), BUDGET_FLOOR, "after hours of nothing, the floor's");
	budget_start(&b, now);
	for (unsigned i = 0; i < 1000; i++)
		budget_request(&b, 0, now);
	is_int(retries(&b, 0, now, 1000), BUDGET_FLOOR, "nothing for requests: only the floor's");
}

static double draw(uint64_t *rng)
{
	return ((double)(balance_draw(rng) >> 11) + 1) * 0x1p-53;
}

static void quantiles(void)
{
	struct quantile q = { 0 };
	uint64_t rng = 7;
	double low = 1e9, high = 0;

	for (unsigned i = 0; i < QUANTILE_ENOUGH - 1; i++)
		quantile_learn(&q, 20000000);
	is_int(quantile_ns(&q), 0, "before there are enough answers nothing is late");
	quantile_learn(&q, 20000000);
	ok(quantile_ns(&q) > 10000000 && quantile_ns(&q) < 40000000, "then it is known: %.1f ms", (double)q.ns / 1e6);
	/* 95 % of an exponential 20 ms are below 59.9 ms */
	for (unsigned i = 0; i < 50000; i++) {
		quantile_learn(&q, (uint64_t)(-log(draw(&rng)) * 20e6));
		if (i >= 2000) {
			low = (double)q.ns < low ? (double)q.ns : low;
			high = (double)q.ns > high ? (double)q.ns : high;
		}
	}
	ok(low > 45e6 && high < 80e6, "of exponential times it stays near the true one: %.1f to %.1f ms", low / 1e6, high / 1e6);
	/* the rest of one that was given up is not known, only that it took longer */
	for (unsigned i = 0; i < 50000; i++) {
		uint64_t took = (uint64_t)(-log(draw(&rng)) * 20e6), late = quantile_ns(&q);
		quantile_learn(&q, took > late ? late + 1000000 : took);
	}
	ok(quantile_ns(&q) > 45000000 && quantile_ns(&q) < 80000000, "also where what is late is cut short: %.1f ms", (double)q.ns / 1e6);
	for (unsigned i = 0; i < 5000; i++)
		quantile_learn(&q, (uint64_t)(-log(draw(&rng)) * 200e6));
	ok(quantile_ns(&q) > 450000000, "it follows servers that have become slow: %.1f ms", (double)q.ns / 1e6);
	for (unsigned i = 0; i < 10000; i++)
		quantile_learn(&q, 1000);
	ok(quantile_ns(&q) < 100000, "and fast: %.3f ms", (double)q.ns / 1e6);
	for (unsigned i = 0; i < 100000; i++)
		quantile_learn(&q, 0);
	quantile_learn(&q, UINT64_MAX);
	ok(quantile_ns(&q) < 1000, "no time at all, and an immense one, do no harm");
}

int main(void)
{
	hashes();
	sizes();
	spread(1, 1000, 1000);
	spread(3, 980, 1020);
	spread(10, 980, 1020);
	spread(100, 980, 1020);
	spread(1000, 980, 1020);
	weights();
	order();
	lost(3);
	lost(20);
	lost(100);
	removed(5);
	removed(100);
	bounded();
	few_left();
	budgets();
	quantiles();
	return done_testing();
}
