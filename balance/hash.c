/*
 * Hashing (SipHash, Aumasson and Bernstein 2012, with one round a word and three at the end), and the
 * algorithm `hash`: the key's server by the pool's Maglev table, the next one on its way when that one
 * is not usable or holds more than its share (maglev.h).
 */
#include "balance/hash.h"

#include "balance/balance.h"
#include "balance/maglev.h"

#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))

struct sip { uint64_t a, b, c, d; };

static void sip_round(struct sip *s)
{
	s->a += s->b;
	s->c += s->d;
	s->b = ROTL(s->b, 13) ^ s->a;
	s->d = ROTL(s->d, 16) ^ s->c;
	s->a = ROTL(s->a, 32);
	s->c += s->b;
	s->a += s->d;
	s->b = ROTL(s->b, 17) ^ s->c;
	s->d = ROTL(s->d, 21) ^ s->a;
	s->c = ROTL(s->c, 32);
}

/* Up to eight bytes as one number, the first one lowest: alike on every machine. */
static uint64_t load(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t size)
{
	const unsigned char *p = bytes;
	uint64_t last = (uint64_t)size << 56, k = seed ^ UINT64_C(0x6c6f616462616c61);	/* "loadbala" */
	struct sip s = {
		UINT64_C(0x736f6d6570736575) ^ seed, UINT64_C(0x646f72616e646f6d) ^ k,
		UINT64_C(0x6c7967656e657261) ^ seed, UINT64_C(0x7465646279746573) ^ k,
	};

	for (; size >= 8; size -= 8, p += 8) {
		uint64_t m = load(p, 8);
		s.d ^= m;
		sip_round(&s);
		s.a ^= m;
	}
	last |= load(p, size);
	s.d ^= last;
	sip_round(&s);
	s.a ^= last;
	s.c ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

/* Each key's favourite among the usable ones (rendezvous hashing): for the rare case, looks at all. */
static int favourite(const struct balance_view *v)
{
	uint64_t most = 0;
	int best = -1;

	for (uint32_t i = 0; i < v->n; i++) {
		uint64_t name = v->maglev && i < v->maglev->n ? v->maglev->name[i] : i + 1;
		uint64_t score = hash_mix(v->key ^ hash_mix(name));

		if (balance_usable(v, i) && (best < 0 || score > most)) {
			best = (int)i;
			most = score;
		}
	}
	return best;
}

/* What was compared is the key's way: the figure is the step on it. */
static int told(const struct balance_view *v, int best, uint32_t step)
{
	if (v->told && best >= 0)
		balance_tell(v->told, (uint32_t)best, (float)step, NULL);
	return best;
}

static int pick(const struct balance_view *v)
{
	uint64_t inflight = 0, weights = 0;
	uint32_t from = 0;
	int first = -1;

	for (uint32_t i = 0; i < v->n; i++) {
		if (balance_usable(v, i)) {
			inflight += v->inflight[i];
			weights += v->weight[i];
		}
	}
	for (uint32_t step = 0; v->maglev && step < MAGLEV_STEPS; step++) {
		uint32_t i = maglev_at(v->maglev, v->key, step);

		if (i >= v->n || !balance_usable(v, i))
			continue;
		if (!maglev_over(v->inflight[i], v->weight[i], inflight, weights))
			return told(v, (int)i, step);
		if (first < 0) {
			first = (int)i;
			from = step;
		}
	}
	/* Hardly any server of the table is usable, or the key's are all full of others. */
	return first >= 0 ? told(v, first, from) : told(v, favourite(v), MAGLEV_STEPS);
}

const struct balance_algorithm balance_hash = {
	.name = "hash",
	.needs = BALANCE_INFLIGHT | BALANCE_KEY,
	.rule = SHM_RULE_HASH,
	.pick = pick,
};
