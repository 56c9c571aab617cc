/* The records: learn.h. Their layout, two numbers in a word where they belong together: shm_stats.h. */
#include "balance/learn.h"

#include <stdbool.h>
#include <string.h>

#define TICK_SHIFT	14	/* ages count in 16.4 us */
#define SUM_MASK	((UINT64_C(1) << LEARN_COUNT_SHIFT) - 1)

struct pair { float a, b; };

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Two numbers that are read together are written together. */
static struct pair get(const _Atomic uint64_t *word)
{
	uint64_t v = load(word);
	struct pair p;

	memcpy(&p, &v, sizeof p);
	return p;
}

static void put(_Atomic uint64_t *word, float a, float b)
{
	struct pair p = { a, b };
	uint64_t v;

	memcpy(&v, &p, sizeof v);
	store(word, v);
}

/* 2^-(age / LEARN_HALF_NS), by a chord for each half: at most 6 % above, and no call of libm. */
static float worn(uint64_t age_ns)
{
	uint64_t halves = age_ns / LEARN_HALF_NS;
	float rest = (float)(age_ns - halves * LEARN_HALF_NS) * (0.5f / (float)LEARN_HALF_NS);
	uint32_t bits = (uint32_t)(127 - halves) << 23;	/* 2^-halves as a float (IEEE 754) */
	float power;

	if (halves >= 60)
		return 0;
	memcpy(&power, &bits, sizeof power);
	return power - power * rest;
}

static float us(uint64_t ns)
{
	return (float)ns * 0.001f;
}

/* ---- by the worker ---- */

void learn_asked(struct shm_learn *l, uint64_t asked_ns)
{
	uint64_t v = load(&l->waiting), sum = (v + (asked_ns >> TICK_SHIFT)) & SUM_MASK;

	store(&l->waiting, ((v >> LEARN_COUNT_SHIFT) + 1) << LEARN_COUNT_SHIFT | sum);
}

void learn_left(struct shm_learn *l, uint64_t asked_ns)
{
	uint64_t v = load(&l->waiting), sum = (v - (asked_ns >> TICK_SHIFT)) & SUM_MASK;

	store(&l->waiting, ((v >> LEARN_COUNT_SHIFT) - 1) << LEARN_COUNT_SHIFT | sum);
}

/* A record brought up to the present, to be changed and written back. */
struct now {
	struct pair latency, errors, trouble;
};

static struct now bring_up(const struct shm_learn *l, uint64_t since_ns, uint64_t now_ns)
{
	uint64_t at = load(&l->at_ns);
	float f = worn(now_ns > at ? now_ns - at : 0), slow = worn(now_ns > at ? (now_ns - at) / 2 : 0);
	struct now n = { get(&l->latency), get(&l->errors), get(&l->trouble) };

	if (at < since_ns)
		return (struct now){ { 0, 0 }, { 0, 0 }, { 0, 0 } };
	n.latency.a *= f;
	n.latency.b *= f;
	n.errors.a *= f;
	n.errors.b *= f;
	n.trouble.a *= f;
	n.trouble.b *= slow;
	return n;
}

static void write_back(struct shm_learn *l, uint64_t now_ns, const struct now *n)
{
	put(&l->latency, n->latency.a, n->latency.b);
	put(&l->errors, n->errors.a, n->errors.b);
	put(&l->trouble, n->trouble.a, n->trouble.b);
	store(&l->at_ns, now_ns);
}

static float mean_of(const struct now *n)
{
	return n->latency.b > 0 ? n->latency.a / n->latency.b : 0;
}

/* Few answers say little of what is usual. */
static bool is_peak(const struct now *n, float took_us)
{
	return n->latency.b >= 2 && took_us > LEARN_PEAK * mean_of(n);
}

/*
 * Takes note of a time out of all proportion. Returns how much of it the mean is to learn: nothing from the first
 * one, nor from requests that were waiting beside it, which a pause of the server delays all at once.
 * When later ones are as slow it is no surprise any more.
 */
static float surprise(struct shm_learn *l, struct now *n, uint64_t now_ns, uint64_t took_ns)
{
	float took = us(took_ns);
	bool first = n->trouble.a * 4 < took, beside = now_ns - took_ns <= load(&l->surprised_ns);

	if (took > n->trouble.a)
		n->trouble.a = took;
	if (beside)
		return 0;
	store(&l->surprised_ns, now_ns);
	return first ? 0 : LEARN_PEAK * mean_of(n);
}

void learn_answer(struct shm_learn *l, uint64_t since_ns, uint64_t now_ns, uint64_t took_ns)
{
	struct now n = bring_up(l, since_ns, now_ns);
	float took = us(took_ns), scale;

	if (is_peak(&n, took))
		took = surprise(l, &n, now_ns, took_ns);
	else
		n.trouble.a /= 4;
	n.trouble.b /= 4;
	if (took > 0) {
		n.latency.a += took;
		n.latency.b += 1;
	}
	if (n.latency.b > LEARN_ANSWERS) {
		scale = LEARN_ANSWERS / n.latency.b;
		n.latency.a *= scale;
		n.latency.b *= scale;
	}
	n.errors.b += 1;
	write_back(l, now_ns, &n);
	store(&l->answered_ns, now_ns);
}

void learn_error(struct shm_learn *l, uint64_t since_ns, uint64_t now_ns, uint64_t took_ns)
{
	struct now n = bring_up(l, since_ns, now_ns);

	if (is_peak(&n, us(took_ns)) && us(took_ns) > n.trouble.a)
		n.trouble.a = us(took_ns);
	n.trouble.b += 1;
	if (n.trouble.b > LEARN_STREAK)
		n.trouble.b = LEARN_STREAK;
	n.errors.a += 1;
	n.errors.b += 1;
	write_back(l, now_ns, &n);
}

/* It would have taken at least so long: adds to the sum without being an answer. */
void learn_gone(struct shm_learn *l, uint64_t since_ns, uint64_t now_ns, uint64_t waited_ns)
{
	struct now n = bring_up(l, since_ns, now_ns);
	float waited = us(waited_ns);

	if (is_peak(&n, waited))
		waited = surprise(l, &n, now_ns, waited_ns);
	n.latency.a += waited;
	write_back(l, now_ns, &n);
}

/* ---- by whoever reads ---- */

/* As bring_up(), but it adds, and is spared what is not there: most servers are in no trouble. */
void learn_add_past(const struct shm_learn *l, uint64_t now_ns, uint64_t since_ns, struct learned *sum)
{
	uint64_t at = load(&l->at_ns), age = now_ns > at ? now_ns - at : 0;
	struct pair latency, errors, trouble;
	float f;

	if (at == 0 || at < since_ns)
		return;
	f = worn(age);
	latency = get(&l->latency);
	errors = get(&l->errors);
	sum->sum_us += latency.a * f;
	sum->answers += latency.b * f;
	sum->errors += errors.a * f;
	sum->ends += errors.b * f;
	if (load(&l->trouble) == 0)
		return;
	trouble = get(&l->trouble);
	sum->streak += trouble.b * worn(age / 2);
	if (trouble.a * f > sum->peak_us)
		sum->peak_us = trouble.a * f;
}

void learn_summed(const struct learn_waiting *w, uint64_t now_ns, struct learned *sum)
{
	uint64_t age = (w->count * (now_ns >> TICK_SHIFT) - w->words) & SUM_MASK;
	float quiet_us;

	sum->waiting = (float)w->count;
	sum->age_us = sum->silent_us = 0;
	/* asked a moment after the reader's clock was read: less than no time */
	if (w->count == 0 || age > SUM_MASK / 2)
		return;
	sum->age_us = (float)age * ((1 << TICK_SHIFT) / 1000.0f);
	quiet_us = now_ns > w->answered_ns ? us(now_ns - w->answered_ns) : 0;
	sum->silent_us = sum->age_us < sum->waiting * quiet_us ? sum->age_us : sum->waiting * quiet_us;
}

void learn_fold(struct shm_learn *to, const struct shm_learn *from)
{
	uint64_t a = load(&to->at_ns), b = load(&from->at_ns), now = a > b ? a : b;
	struct now n = bring_up(to, 0, now), m = bring_up(from, 0, now);

	n.latency.a += m.latency.a;
	n.latency.b += m.latency.b;
	n.errors.a += m.errors.a;
	n.errors.b += m.errors.b;
	if (m.trouble.a > n.trouble.a)
		n.trouble.a = m.trouble.a;
	n.trouble.b = n.trouble.b + m.trouble.b < LEARN_STREAK ? n.trouble.b + m.trouble.b : LEARN_STREAK;
	write_back(to, now, &n);
	if (load(&from->answered_ns) > load(&to->answered_ns))
		store(&to->answered_ns, load(&from->answered_ns));
}
