/*
 * least-requests: the seed's choice. Fewest entries, then fewest errors, then configuration order.
 *
 * Weights scale: a server of weight 2 may have twice the entries (and errors) before it counts as
 * equally loaded. With equal weights this is the plain comparison of the seed.
 *
 * Entries are a memory of everything that a server ever did, so one that has just started with zero
 * would get every request until it has caught up, all at the same moment. So its share of what is
 * in flight has a cap: a server is passed over while it holds
 *
 *	4 + 1.5 * (total in flight + 1) * weight / (sum of weights)
 *
 * requests or more, totals over the usable servers. Load that comes one request after the other
 * never meets the cap; a newcomer among n equal servers takes 1.5 n-ths of a heavy load, plus four.
 *
 * Not all can be over the cap at once: the caps add up to 4n + 1.5 (total + 1), the requests in
 * flight to total.
 *
 * Of a large pool (the view has a look) SAMPLE are drawn by lot, by weight, and the least of those is taken: the
 * gaps stay as small (Azar et al. 1999), and a newcomer gets SAMPLE n-ths of the load, with no need of a cap.
 */
#include <stddef.h>

#include "balance/lots.h"

#define SAMPLE 4

/* Requests above its fair share that a server may always hold. */
#define CAP_SLACK 4

static int less_loaded(const struct balance_view *v, uint32_t a, uint32_t b)
{
	/* 64 bits of entries by 9 of weight */
	unsigned __int128 ea = (unsigned __int128)v->entries[a] * v->weight[b];
	unsigned __int128 eb = (unsigned __int128)v->entries[b] * v->weight[a];

	if (ea != eb)
		return ea < eb;
	return (unsigned __int128)v->errors[a] * v->weight[b] < (unsigned __int128)v->errors[b] * v->weight[a];
}

static int least_of_some(const struct balance_view *v)
{
	unsigned draws = 2 * SAMPLE, n = 0;
	uint32_t i, place[SAMPLE] = { 0 }, best = 0, weight[SAMPLE];
	uint64_t entries[SAMPLE], errors[SAMPLE];
	const struct balance_view some = { .weight = weight, .entries = entries, .errors = errors };
	struct balance_look k;

	while (n < SAMPLE && lots_next(v, &draws, &i, &k)) {
		if (v->told)
			balance_tell(v->told, i, (float)k.entries / (float)k.weight, NULL);
		place[n] = i;
		weight[n] = k.weight;
		entries[n] = k.entries;
		errors[n] = k.errors;
		if (n > 0 && less_loaded(&some, n, best))
			best = n;
		n++;
	}
	return n >= SAMPLE / 2 ? (int)place[best] : -1;
}

static float figure(const struct balance_view *v, uint32_t i)
{
	return (float)v->entries[i] / (float)v->weight[i];
}

static int pick(const struct balance_view *v)
{
	if (v->look)
		return least_of_some(v);

	/* Wide enough: 2^32 in flight on each of 2^14 servers, weights up to 2^8. */
	uint64_t weights = 0, inflight = 0;
	int best = -1;

	for (uint32_t i = 0; i < v->n; i++) {
		if (balance_usable(v, i)) {
			weights += v->weight[i];
			inflight += v->inflight[i];
		}
	}
	for (uint32_t i = 0; i < v->n; i++) {
		if (!balance_usable(v, i))
			continue;
		/* the cap, times 2 * weights to stay in whole numbers */
		if (2 * weights * v->inflight[i] >= 2 * weights * CAP_SLACK + 3 * (inflight + 1) * v->weight[i])
			continue;
		if (best < 0 || less_loaded(v, i, (uint32_t)best))
			best = (int)i;
	}
	return v->told ? balance_tell_all(v, best, figure) : best;
}

const struct balance_algorithm balance_least_requests = {
	.name = "least-requests",
	.needs = BALANCE_INFLIGHT | BALANCE_ENTRIES | BALANCE_SOME,
	.rule = SHM_RULE_LEAST_REQUESTS,
	.pick = pick,
};
