/* Who is taken out, and for how long: eject.h. */
#include "balance/eject.h"

#include <stddef.h>

static double worn(double x, uint64_t age_ns)
{
	for (; age_ns >= EJECT_HALF_NS && x > 0.001; age_ns -= EJECT_HALF_NS)
		x /= 2;
	return age_ns >= EJECT_HALF_NS ? 0 : x * (1 - (double)age_ns / (2 * (double)EJECT_HALF_NS));
}

/* What has happened since the last look. */
static void take_in(struct eject_server *s)
{
	uint64_t good = s->good - s->was_good, failed = s->failed - s->was_failed;

	if (s->seen && s->good >= s->was_good && s->failed >= s->was_failed && s->timed >= s->was_timed) {
		s->requests = worn(s->requests, EJECT_LOOK_NS) + (double)(good + failed);
		s->errors = worn(s->errors, EJECT_LOOK_NS) + (double)failed;
		s->answers = worn(s->answers, EJECT_LOOK_NS) + (double)(s->timed - s->was_timed);
		s->time_ns = worn(s->time_ns, EJECT_LOOK_NS) + (double)(s->latency_ns - s->was_latency_ns);
		s->row = good ? 0 : s->row + (uint32_t)failed;
	}
	s->seen = true;
	s->was_good = s->good;
	s->was_failed = s->failed;
	s->was_latency_ns = s->latency_ns;
	s->was_timed = s->timed;
}

static double mean_of(const struct eject_server *s)
{
	return s->answers >= EJECT_ENOUGH ? s->time_ns / s->answers : 0;
}

/* Slower than EJECT_SLOW times more than half of those of the others that are known. */
static bool too_slow(const struct eject_server *s, uint32_t n, uint32_t who)
{
	double mine = mean_of(&s[who]);
	uint32_t known = 0, slower = 0;

	if (mine <= 0)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (i == who || !s[i].up || s[i].until_ns || mean_of(&s[i]) <= 0)
			continue;
		known++;
		slower += mine > EJECT_SLOW * mean_of(&s[i]);
	}
	return known && 2 * slower > known;
}

static enum shm_eject reason_for(const struct eject_server *s, uint32_t n, uint32_t who)
{
	const struct eject_server *me = &s[who];
	double requests = 0, errors = 0;

	if (me->row >= EJECT_ROW)
		return SHM_EJECT_ROW;
	for (uint32_t i = 0; i < n; i++) {
		if (i != who && s[i].up && s[i].until_ns == 0) {
			requests += s[i].requests;
			errors += s[i].errors;
		}
	}
	if (me->requests >= EJECT_ENOUGH && requests >= EJECT_ENOUGH && me->errors >= EJECT_RATE * me->requests &&
	    me->errors * requests > 3 * errors * me->requests)
		return SHM_EJECT_RATE;
	return too_slow(s, n, who) ? SHM_EJECT_SLOW : SHM_EJECT_NOT;
}

static void take_out(struct eject_server *s, enum shm_eject reason, uint64_t now_ns)
{
	uint64_t time = EJECT_TIME_NS;

	for (uint32_t i = 0; i < s->times && time < EJECT_TIME_MOST_NS; i++)
		time *= 2;
	s->until_ns = now_ns + (time < EJECT_TIME_MOST_NS ? time : EJECT_TIME_MOST_NS);
	s->reason = reason;
	s->times++;
}

/* Judged from now on by what it does from now on. */
static void take_back(struct eject_server *s, uint64_t now_ns)
{
	s->until_ns = 0;
	s->since_ns = now_ns;
	s->row = 0;
	s->requests = s->errors = s->answers = s->time_ns = 0;
}

bool eject_look(struct eject_server *s, uint32_t n, uint64_t now_ns)
{
	uint32_t left = 0, out = 0, most = n < 2 ? 0 : n < 6 ? 1 : n / 3;
	bool changed = false;

	for (uint32_t i = 0; i < n; i++) {
		take_in(&s[i]);
		if (s[i].until_ns && s[i].until_ns <= now_ns) {
			take_back(&s[i], now_ns);
			changed = true;
		}
		if (s[i].until_ns == 0 && s[i].times && now_ns - s[i].since_ns >= EJECT_FORGET_NS) {
			s[i].times--;
			s[i].since_ns = now_ns;
		}
		out += s[i].until_ns != 0;
		left += s[i].up && s[i].until_ns == 0;
	}
	if (2 * left < n) {
		for (uint32_t i = 0; i < n; i++) {
			if (s[i].until_ns) {
				take_back(&s[i], now_ns);
				changed = true;
			}
		}
		return changed;
	}
	for (uint32_t i = 0; i < n && out < most && 2 * (left - 1) >= n; i++) {
		enum shm_eject reason = s[i].up && s[i].until_ns == 0 ? reason_for(s, n, i) : SHM_EJECT_NOT;

		if (reason == SHM_EJECT_NOT)
			continue;
		take_out(&s[i], reason, now_ns);
		out++;
		left--;
		changed = true;
	}
	return changed;
}
