/* Limits of concurrency, learned: limit.h. */
#include "balance/limit.h"


#define BUSY	0.75	/* of the limit in use: it is what holds requests back */
#define FEW	8	/* answers that say nothing */

static double clamped(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

/* 1 / sqrt(n), for n of 1 and more: Newton's way, for libm is not wanted. */
static double noise_of(double n)
{
	double x = n > 1 ? 0.1 : 1;

	while (x * x * n > 1)	/* below the root it converges from any place */
		x /= 2;
	for (int i = 0; i < 8; i++)
		x *= 1.5 - 0.5 * n * x * x;
	return x;
}

static bool publish(struct limit_server *s)
{
	uint32_t was = s->limit;

	s->exact = clamped(s->exact, s->least, s->most);
	s->limit = (uint32_t)s->exact;
	return s->limit != was;
}

void limit_start(struct limit_server *s, uint32_t from)
{
	s->exact = from ? from : LIMIT_START;
	s->seen = s->checking = false;
	s->base_ns = 0;
	s->gap_ns = LIMIT_CHECK_NS;
	publish(s);
}

static void open_window(struct limit_server *s, uint64_t now_ns)
{
	s->was_answers = s->answers;
	s->was_failed = s->failed;
	s->was_latency_ns = s->latency_ns;
	s->since_ns = now_ns;
}

/* What a window's mean says of the time of a server with room. */
static void learn_base(struct limit_server *s, double time, double noise, bool busy)
{
	if (s->base_ns <= 0)
		s->base_ns = time;
	else if (time < s->base_ns * (1 - 2 * noise))
		s->base_ns += (time - s->base_ns) / 4;
	else if (!busy)
		s->base_ns += (time - s->base_ns) / 10;
}

static void adjust(struct limit_server *s, double time, double noise)
{
	double factor = clamped((LIMIT_TOLERANCE + noise) * s->base_ns / time, 0.5, 1);
	double more = factor < 1 || s->exact < 8 ? 1 : s->exact / 8;

	s->exact += (s->exact * factor + more - s->exact) / 2;
}

static void check(struct limit_server *s, uint64_t now_ns)
{
	if (now_ns < s->check_ns || s->limit <= s->least)
		return;
	s->checking = true;
	s->before = s->exact;
	s->exact /= 2;
}

static void checked(struct limit_server *s, double time, bool usable, uint64_t now_ns)
{
	s->checking = false;
	s->exact = s->before;
	if (usable)
		s->base_ns = time;
	s->gap_ns = s->gap_ns < LIMIT_CHECK_MOST_NS / 2 ? 2 * s->gap_ns : LIMIT_CHECK_MOST_NS;
	s->check_ns = now_ns + s->gap_ns;
}

bool limit_look(struct limit_server *s, uint64_t now_ns)
{
	double answers = (double)(s->answers - s->was_answers), failed = (double)(s->failed - s->was_failed);
	double passed = (double)(now_ns - s->since_ns), spent = (double)(s->latency_ns - s->was_latency_ns);
	bool errors, busy;

	if (!s->seen || s->answers < s->was_answers || s->failed < s->was_failed || s->latency_ns < s->was_latency_ns) {
		if (!s->seen)
			s->check_ns = now_ns + s->gap_ns;
		s->seen = true;
		open_window(s, now_ns);
		return publish(s);	/* the range may be another one now */
	}
	if (now_ns - s->since_ns < LIMIT_LOOK_NS || (answers + failed < LIMIT_ENOUGH && now_ns - s->since_ns < LIMIT_WINDOW_NS))
		return false;
	/* The sum of times by the time passed is what was in flight on average: Little's law. */
	busy = spent >= BUSY * (double)s->limit * passed;
	errors = failed > 1 && failed * 10 >= answers + failed;
	if (s->checking) {
		checked(s, answers > 0 ? spent / answers : 0, answers >= FEW && !errors, now_ns);
	} else if (errors) {
		s->exact *= 0.9;
	} else if (answers >= FEW) {
		learn_base(s, spent / answers, noise_of(answers), busy);
		if (busy) {
			adjust(s, spent / answers, noise_of(answers));
			check(s, now_ns);
		}
	}
	open_window(s, now_ns);
	return publish(s);
}
