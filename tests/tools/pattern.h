/*
 * What the test programs agree on: bytes that both ends can compute (all values, no period that a
 * buffer size could hide), and the checksum of POSIX cksum, so that a shell test can check it too.
 */
#ifndef TESTS_TOOLS_PATTERN_H
#define TESTS_TOOLS_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* The eight bytes at offset 8 * k (splitmix64). */
static inline uint64_t pattern_word(uint64_t seed, uint64_t k)
{
	uint64_t x = seed * UINT64_C(0xd1342543de82ef95) + (k + 1) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static inline unsigned char pattern_byte(uint64_t seed, uint64_t at)
{
	return (unsigned char)(pattern_word(seed, at / 8) >> (at % 8 * 8));
}

/* Writes the n bytes that stand at offset `at`. */
static inline void pattern_fill(void *buf, size_t n, uint64_t seed, uint64_t at)
{
	unsigned char *p = buf;
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++, at++) {
		if (i == 0 || at % 8 == 0)
			word = pattern_word(seed, at / 8);
		p[i] = (unsigned char)(word >> (at % 8 * 8));
	}
}

/* How many of the n bytes are as they should be; n: all. */
static inline size_t pattern_match(const void *buf, size_t n, uint64_t seed, uint64_t at)
{
	const unsigned char *p = buf;
	uint64_t word = 0;

	for (size_t i = 0; i < n; i++, at++) {
		if (i == 0 || at % 8 == 0)
			word = pattern_word(seed, at / 8);
		if (p[i] != (unsigned char)(word >> (at % 8 * 8)))
			return i;
	}
	return n;
}

struct cksum { uint32_t crc; uint64_t size; };

static inline void cksum_add(struct cksum *c, const void *buf, size_t n)
{
	static uint32_t table[256];
	const unsigned char *p = buf;

	if (table[1] == 0) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t r = i << 24;
			for (int bit = 0; bit < 8; bit++)
				r = (r & 0x80000000u) ? (r << 1) ^ 0x04c11db7u : r << 1;
			table[i] = r;
		}
	}
	for (size_t i = 0; i < n; i++)
		c->crc = (c->crc << 8) ^ table[(c->crc >> 24) ^ p[i]];
	c->size += n;
}

/* The number that cksum(1) prints first. */
static inline uint32_t cksum_end(const struct cksum *c)
{
	struct cksum e = *c;

	for (uint64_t n = c->size; n > 0; n >>= 8) {
		unsigned char byte = (unsigned char)n;
		cksum_add(&e, &byte, 1);
	}
	return ~e.crc;
}

#endif
