/* The records: learn.h. Their layout, two numbers in a word where they belong together: shm_stats.h. */
#include "balance/learn.h"

#include <stdbool.h>
#include <string.h>

#define TICK_SHIFT	14	/* ages count in 16.4 us */
#define COUNT_SHIFT	44	/* so many bits for the sum of start times, the rest for how many there are */
#define SUM_MASK	((UINT64_C(1) << COUNT_SHIFT) - 1)

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
	float rest = (float)(age_ns % LEARN_HALF_NS) / (float)LEARN_HALF_NS;

	return halves >= 60 ? 0 : (1.0f - rest / 2) / (float)(UINT64_C(1) << halves);
}

static float us(uint64_t ns)
{
	return (float)ns / 1000.0f;
}

/* ---- by the worker ---- */

void learn_asked(struct shm_learn *l, uint64_t asked_ns)
{
	uint64_t v = load(&l->waiting), sum = (v + (asked_ns >> TICK_SHIFT)) & SUM_MASK;

	store(&l->waiting, ((v >> COUNT_SHIFT) + 1) << COUNT_SHIFT | sum);
}

void learn_left(struct shm_learn *l, uint64_t asked_ns)
{
	uint64_t v = load(&l->waiting), sum = (v - (asked_ns >> TICK_SHIFT)) & SUM_MASK;

	store(&l->waiting, ((v >> COUNT_SHIFT) - 1) << COUNT_SHIFT | sum);
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

void learn_answer(struct shm_learn *l, uint64_t since_ns, uint64_t now_ns, uint64_t took_ns)
{
	struct now n = bring_up(l, since_ns, now_ns);
	float took = us(took_ns), scale;

	if (is_peak(&n, took)) {
		if (took > n.trouble.a)
			n.trouble.a = took;
		took = LEARN_PEAK * mean_of(&n);
	} else
		n.trouble.a /= 4;
	n.trouble.b /= 4;
	n.latency.a += took;
	n.latency.b += 1;
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

	if (is_peak(&n, waited)) {
		if (waited > n.trouble.a)
			n.trouble.a = waited;
		waited = LEARN_PEAK * mean_of(&n);
	}
	if (n.latency.b > 0)
		n.latency.a += waited;
	write_back(l, now_ns, &n);
}

/* ---- by whoever reads ---- */

void learn_add_waiting(const struct shm_learn *l, uint64_t now_ns, struct learned *sum)
{
	uint64_t v = load(&l->waiting), count = v >> COUNT_SHIFT, answered = load(&l->answered_ns);

	if (answered > sum->answered_ns)
		sum->answered_ns = answered;
	if (count == 0)
		return;

	uint64_t age = (count * (now_ns >> TICK_SHIFT) - v) & SUM_MASK;

	/* asked a moment after the reader's clock was read: less than no time */
	if (age <= SUM_MASK / 2)
		sum->age_us += (float)(age << TICK_SHIFT) / 1000.0f;
	sum->waiting += (float)count;
}

void learn_add_past(const struct shm_learn *l, uint64_t now_ns, uint64_t since_ns, struct learned *sum)
{
	uint64_t at = load(&l->at_ns);

	if (at == 0)
		return;

	struct now n = bring_up(l, since_ns, now_ns);

	sum->sum_us += n.latency.a;
	sum->answers += n.latency.b;
	sum->errors += n.errors.a;
	sum->ends += n.errors.b;
	sum->streak += n.trouble.b;
	if (n.trouble.a > sum->peak_us)
		sum->peak_us = n.trouble.a;
}

void learn_add(const struct shm_learn *l, uint64_t now_ns, uint64_t since_ns, struct learned *sum)
{
	learn_add_waiting(l, now_ns, sum);
	learn_add_past(l, now_ns, since_ns, sum);
}

void learn_summed(uint64_t now_ns, struct learned *sum)
{
	float quiet_us = now_ns > sum->answered_ns ? us(now_ns - sum->answered_ns) : 0;

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
