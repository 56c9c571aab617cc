/*
 * adaptive: the server that will probably answer first, as far as traffic has shown.
 *
 * Among the candidates the lowest cost is taken, ties by lot, by weight:
 *
 *	          (in flight + 1)   expected answer time
 *	cost  =   --------------- * -------------------- * errors
 *	           weight * ramp         usual one
 *
 * - In flight is exact over all workers, connections under way included. The weight counts beside the mean one of
 *   the candidates. Servers with nothing in flight are alike in this, and none with something is better, so that at
 *   little load, too, the lot gives each its share.
 * - The expected answer time is the server's mean over its last answers, or a quarter of its latest peak beyond
 *   PEAK_LEAST_US if that is more, and on top a quarter of the time for which requests have waited there while
 *   nothing at all was answered. A server that hangs so becomes expensive while it hangs, before it has answered
 *   anything late. Between servers that are alike otherwise, the age of what waits decides.
 *   The mean counts by its evidence; as that wears off it moves to what is usual in the pool, and the
 *   server is tried again with one request, whose age then speaks for itself.
 *   Anything up to NEAR times the usual, or SLACK_US more than it, is alike: means of a few answers differ by
 *   as much by chance, and following chance would crowd servers for nothing. Between equals the least loaded is best.
 * - Errors in a row count fourfold each. An error rate counts against that of the other candidates: if all
 *   fail alike, it is not the server. An error's own speed is never learned as speed.
 * - ramp is how far a server that has just come up has got: it begins with a tenth of its weight.
 *
 * Up to ALL servers are all looked at; of more, SAMPLE by lot: the best of six of a thousand is nearly
 * as good as the best of all (Mitzenmacher 2001), costs the same for any number, and balancers that
 * know nothing of each other do not all run to the same server.
 *
 * Cost as a product, and the peak, are from Finagle's peak EWMA; requests in flight first and latency
 * among those is Prequal's order (Wydrowski et al., NSDI 2024), which the dead zone gives here.
 */
#include <stddef.h>

#include "balance/balance.h"

#define ALL		16	/* pools up to this size are looked at as a whole */
#define SAMPLE		6
#define NEAR		1.5f
#define SLACK_US	2000.0f	/* nor does anybody notice this much */
#define PRIOR		0.5f	/* answers that the pool's usual time counts for */
#define PEAK_SHARE	0.25f	/* one surprise is not what to expect each time */
#define PEAK_LEAST_US	40000.0f	/* nor is this much one: a server that is idle would be left alone for it for seconds */
#define AGE_SHARE	0.25f
#define AGE_MOST	0.3f
#define ALIKE		0.01f	/* costs this near to each other are the same: servers that came up a moment apart are no better */
#define RATE_FLOOR	0.01f	/* error rates below this are none */
#define USUAL_US	1000.0f	/* while nothing at all is known */

struct candidate {
	uint32_t i;
	float cost;
	struct balance_look k;
};

/* Without a look there are the plain columns, and nothing is learned. */
static int look(const struct balance_view *v, uint32_t i, struct balance_look *k)
{
	if (v->look)
		return v->look(v->look_arg, i, k) && k->weight;
	*k = (struct balance_look){ .weight = v->weight[i], .inflight = v->inflight ? v->inflight[i] : 0, .ramp = 1 };
	return balance_usable(v, i);
}

/* Fills c, at least one if there is any; returns how many. */
static unsigned gather(const struct balance_view *v, struct candidate *c)
{
	unsigned found = 0;

	if (v->n > ALL) {
		for (unsigned draw = 0; draw < 2 * SAMPLE && found < SAMPLE; draw++) {
			c[found].i = (uint32_t)balance_below(v->rng, v->n);
			found += look(v, c[found].i, &c[found].k) != 0;
		}
		if (found >= SAMPLE / 2)
			return found;
	}
	/* All of a small pool; of a large one that is mostly out, those that come next. */
	uint32_t from = v->n > ALL ? (uint32_t)balance_below(v->rng, v->n) : 0;

	for (uint32_t n = 0; n < v->n && found < ALL; n++) {
		c[found].i = from + n < v->n ? from + n : from + n - v->n;
		found += look(v, c[found].i, &c[found].k) != 0;
	}
	return found;
}

static float larger(float a, float b)
{
	return a > b ? a : b;
}

static float smaller(float a, float b)
{
	return a < b ? a : b;
}

/* The usual answer time: harmonic, so that slow ones hardly move it. */
static float usual(const struct candidate *c, unsigned n)
{
	float speed = 0, known = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct learned *l = &c[i].k.learned;
		float weight = smaller(l->answers, 1);	/* NOLINT(clang-analyzer-core.CallAndMessage): look() fills it */

		/* the larger of sum / answers and the peak, by one division */
		known += weight;
		speed += weight * l->answers / larger(larger(l->sum_us, PEAK_SHARE * (l->peak_us - PEAK_LEAST_US) * l->answers), 1);
	}
	return known > 0.01f ? known / speed : USUAL_US;
}

/* 4^x for 0 <= x, by chords. */
static float fourfold(float x)
{
	unsigned whole = x < 31 ? (unsigned)x : 31;

	return (float)(UINT64_C(1) << 2 * whole) * (1 + 3 * smaller(x - (float)whole, 1));
}

/* How much more expensive its errors make it; errors, ends: of all candidates together. */
static float blame(const struct learned *l, float errors, float ends)
{
	float mine = l->errors / (l->ends + 1), others = (errors - l->errors) / (ends - l->ends + 1);
	float rate = (mine + RATE_FLOOR) / (2 * (larger(others, 0) + RATE_FLOOR));

	return larger(rate * rate, 1) * fourfold(l->streak);
}

static float cost(const struct balance_look *k, float usual_us, float weight)
{
	const struct learned *l = &k->learned;
	float near = larger(NEAR * usual_us, usual_us + SLACK_US);
	float mean = (l->sum_us + PRIOR * usual_us) / (l->answers + PRIOR);
	float time = larger(mean, larger(PEAK_SHARE * (l->peak_us - PEAK_LEAST_US), near));

	if (l->waiting > 0)
		time += AGE_SHARE * l->silent_us + smaller(AGE_SHARE * l->age_us / l->waiting, AGE_MOST * near);
	/* what is idle is idle, whatever its weight: then the lot goes by weight */
	float load = k->inflight == 0 ? 1 : larger(((float)k->inflight + 1) * weight / (float)k->weight, 1);

	return load * time / larger(k->ramp, 0.1f);
}

static int pick(const struct balance_view *v)
{
	struct candidate c[ALL];
	unsigned n = gather(v, c);
	float usual_us = usual(c, n), errors = 0, ends = 0, least = 0;
	uint64_t weights = 0;
	int best = -1;

	float weight = 0;
	for (unsigned i = 0; i < n; i++) {
		weight += (float)c[i].k.weight / (float)n;
		errors += c[i].k.learned.errors;
		ends += c[i].k.learned.ends;
	}
	for (unsigned i = 0; i < n; i++) {
		float mine = cost(&c[i].k, usual_us, weight);

		if (errors > 0)
			mine *= blame(&c[i].k.learned, errors, ends);
		c[i].cost = mine;
		if (best >= 0 && mine > least * (1 + ALIKE))
			continue;
		if (best < 0 || mine < least * (1 - ALIKE))
			weights = 0;
		if (best < 0 || mine < least)
			least = mine;
		weights += c[i].k.weight;
		/* among equals each stays with the chance that its weight gives it */
		if (weights == c[i].k.weight || balance_below(v->rng, weights) < c[i].k.weight)
			best = (int)c[i].i;
	}
	for (unsigned i = 0; v->told && i < n; i++)
		balance_tell(v->told, c[i].i, c[i].cost, &c[i].k);
	return best;
}

const struct balance_algorithm balance_adaptive = {
	.name = "adaptive",
	.needs = BALANCE_LEARNED | BALANCE_SOME,
	.rule = SHM_RULE_ADAPTIVE,
	.pick = pick,
};
