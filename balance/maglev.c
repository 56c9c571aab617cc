/* Maglev tables. What they are for: maglev.h. */
#include "balance/maglev.h"

#include <stdlib.h>

#include "balance/hash.h"

#define PLACES_EACH 128

/* Primes, each about twice the one before; the largest bounds the memory. */
static const uint32_t primes[] = {
	251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071, 262139, 524287, 1048573,
};

uint32_t maglev_size(uint32_t n)
{
	unsigned i = 0;

	while (i + 1 < sizeof primes / sizeof primes[0] && primes[i] < (uint64_t)n * PLACES_EACH)
		i++;
	return primes[i];
}

/* A server while the table is filled. */
struct filler {
	uint64_t name;
	uint32_t weight, index;
	uint32_t at, skip;	/* the next place on its list, and how far the one after is */
	uint64_t credit;	/* it takes a place when this reaches the largest weight */
};

static int by_name(const void *a, const void *b)
{
	const struct filler *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Each in turn takes the first free place of its own list, which is a permutation of all. */
static void fill(struct maglev *m, struct filler *f, uint32_t n, uint32_t heaviest)
{
	uint32_t filled = 0;

	for (;;) {
		for (uint32_t i = 0; i < n; i++) {
			f[i].credit += f[i].weight;
			if (f[i].credit < heaviest)
				continue;
			f[i].credit -= heaviest;
			while (m->place[f[i].at] != MAGLEV_NOBODY)
				f[i].at = (uint32_t)(((uint64_t)f[i].at + f[i].skip) % m->size);
			m->place[f[i].at] = (uint16_t)f[i].index;
			if (++filled == m->size)
				return;
		}
	}
}

struct maglev *maglev_build(const uint64_t *name, const uint32_t *weight, uint32_t n)
{
	uint32_t size = maglev_size(n), heaviest = 0, used = 0;
	struct maglev *m = NULL;
	struct filler *f = NULL;

	if (size < 3)	/* it never is; so that who divides by size - 1 need not wonder */
		return NULL;
	m = malloc(sizeof *m + size * sizeof m->place[0]);
	f = calloc(n ? n : 1, sizeof *f);
	if (m == NULL || f == NULL || (m->name = malloc((n ? n : 1) * sizeof *m->name)) == NULL) {
		free(m);
		free(f);
		return NULL;
	}
	m->size = size;
	m->n = n;
	for (uint32_t i = 0; i < size; i++)
		m->place[i] = MAGLEV_NOBODY;
	for (uint32_t i = 0; i < n; i++) {
		m->name[i] = name[i];
		if (weight[i] == 0)
			continue;
		if (weight[i] > heaviest)
			heaviest = weight[i];
		f[used++] = (struct filler){
			.name = name[i], .weight = weight[i], .index = i,
			.at = (uint32_t)(hash_mix(name[i]) % size),
			.skip = (uint32_t)(hash_mix(name[i] ^ UINT64_C(0x736b6970)) % (size - 1)) + 1,
		};
	}
	/* Who takes first matters, so the order must not be the file's. */
	qsort(f, used, sizeof *f, by_name);
	if (used)
		fill(m, f, used, heaviest);
	free(f);
	return m;
}

void maglev_free(struct maglev *m)
{
	if (m)
		free(m->name);
	free(m);
}
