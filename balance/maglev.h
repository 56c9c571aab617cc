/*
 * Consistent choice by a key: a Maglev table (Eisenbud et al., NSDI 2016) with bounded load
 * (Mirrokni, Thorup and Zadimoghaddam 2018).
 *
 * The table has a prime number of places, 128 or more for each server as far as memory allows, and each place
 * names a server; servers hold places in proportion to their weights. It depends on the names and
 * weights of the pool's servers only, not on their order or state, so all balancers with the same
 * pool have the same one, and it need not be built again when a server goes down or comes back: a key
 * whose server is not usable looks at another place, and then at another, each decided by the key.
 * So a lost server's keys spread over all others, and no other key moves at all.
 *
 * Pure but for the allocation.
 */
#ifndef BALANCE_MAGLEV_H
#define BALANCE_MAGLEV_H

#include <stddef.h>
#include <stdint.h>

#define MAGLEV_STEPS 32	/* places looked at before all servers are */
#define MAGLEV_NOBODY UINT16_MAX

struct maglev {
	uint32_t size;		/* places; prime */
	uint32_t n;		/* servers it was built for */
	uint64_t *name;		/* [n] hash of each server's name */
	uint16_t place[];	/* [size] index of the server; MAGLEV_NOBODY: no server has a weight */
};

/*
 * name[i]: hash_bytes(HASH_SERVER, ...) of the server's name; weight[i]: 0 leaves it out. n up to
 * 65534. NULL with errno; free with maglev_free(). Memory: 2 * size + 8 * n bytes, 2.2 MiB at most.
 */
struct maglev *maglev_build(const uint64_t *name, const uint32_t *weight, uint32_t n);
void maglev_free(struct maglev *m);
/* Places for n servers. */
uint32_t maglev_size(uint32_t n);

/* The server at the step'th place on the key's way; step 0 is its own. */
static inline uint32_t maglev_at(const struct maglev *m, uint64_t key, uint32_t step)
{
	/* Each step draws anew: neighbours of a place would all get a lost server's keys in the same order. */
	if (step)
		key = (key ^ (key >> 31) ^ step * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xd6e8feb86659fd93);
	return m->place[(uint32_t)(((unsigned __int128)key * m->size) >> 64)];
}

/*
 * Whether a server has more than its share of what is in flight, so that the key goes on: a quarter more than its
 * fair share of `total` requests and eight on top, lest a few clients be torn apart where nobody is busy.
 */
#define MAGLEV_SLACK 8
static inline int maglev_over(uint64_t inflight, uint32_t weight, uint64_t total, uint64_t weights)
{
	if (inflight < MAGLEV_SLACK || weights == 0)
		return 0;
	return (unsigned __int128)4 * weights * (inflight - MAGLEV_SLACK) >= (unsigned __int128)5 * (total + 1) * weight;
}

#endif
