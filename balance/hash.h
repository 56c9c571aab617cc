/*
 * Hashes that every balancer computes alike, whatever machine it runs on: of keys (an address, a path,
 * a cookie) and of servers' names. Fixed keys, so they are no secret and keep none.
 */
#ifndef BALANCE_HASH_H
#define BALANCE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 of the bytes. `seed` separates purposes: the same bytes hash differently under another one. */
uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t size);

/* One word well mixed; a bijection. */
static inline uint64_t hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xe9846af9b1a615d);
	x ^= x >> 32;
	x *= UINT64_C(0xe9846af9b1a615d);
	x ^= x >> 28;
	return x;
}

enum { HASH_SERVER = 1, HASH_KEY = 2, HASH_COOKIE = 3, HASH_HISTORY = 4 };	/* seeds in use; part of what balancers agree on */

#endif
