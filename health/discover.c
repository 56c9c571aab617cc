/* Places and addresses. */
#include "health/discover.h"

#include <string.h>

#define WEIGHT_MAX 256

bool discover_same(const struct lookup_address *a, const struct lookup_address *b)
{
	return a->family == b->family && a->port == b->port && a->scope == b->scope &&
	    memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* Whether place a is to be taken before place b; both are free. */
static bool is_better(const struct discover_place *a, const struct discover_place *b)
{
	if (a->taken != b->taken)	/* left in this very turn */
		return b->taken;
	if (a->ready != b->ready)
		return a->ready;
	if ((a->inflight == 0) != (b->inflight == 0))
		return a->inflight == 0;
	return a->since_ns < b->since_ns;
}

unsigned discover_assign(struct discover_place *p, unsigned places, const struct lookup_address *a, unsigned n)
{
	unsigned left_out = 0;

	for (unsigned i = 0; i < places; i++) {
		p[i].becomes = -1;
		for (unsigned k = 0; p[i].taken && p[i].becomes < 0 && k < n; k++)
			if (discover_same(&p[i].is, &a[k]))
				p[i].becomes = (int)k;
	}
	for (unsigned k = 0; k < n; k++) {
		struct discover_place *best = NULL;
		bool there = false;

		for (unsigned i = 0; i < places && !there; i++) {
			there = p[i].becomes == (int)k;
			if (p[i].becomes < 0 && (!best || is_better(&p[i], best)))
				best = &p[i];
		}
		if (there)
			continue;
		if (best)
			best->becomes = (int)k;
		else
			left_out++;
	}
	return left_out;
}

uint32_t discover_weight(const struct lookup_address *a, unsigned n, unsigned i)
{
	uint32_t most = 1, weight;

	for (unsigned k = 0; k < n; k++)
		if (a[k].priority == a[i].priority && a[k].weight > most)
			most = a[k].weight;
	weight = most > WEIGHT_MAX ? (uint32_t)a[i].weight * WEIGHT_MAX / most : a[i].weight;
	return weight ? weight : 1;	/* RFC 2782: hardly ever, but not never */
}

bool discover_backup(const struct lookup_address *a, unsigned n, unsigned i)
{
	for (unsigned k = 0; k < n; k++)
		if (a[k].priority < a[i].priority)
			return true;
	return false;
}
