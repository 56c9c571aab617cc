/*
 * balance/eject.c: who is taken out, for how long, how many at most, and when nobody is.
 */
#include "balance/eject.h"
#include "tests/unit/tap.h"

#define N 12
#define SEC UINT64_C(1000000000)
#define LOOKS_S 4	/* looks in a second */

static struct eject_server s[N];
static uint64_t now;

/* So many looks; each server has done in each `good` answers of `ms` and `failed` failures; server 0: as given. */
static bool turn(uint32_t n, unsigned looks, uint64_t good0, uint64_t failed0, uint64_t ms0)
{
	bool changed = false;

	while (looks-- > 0) {
		now += EJECT_LOOK_NS;
		for (uint32_t i = 0; i < n; i++) {
			uint64_t good = i ? 10 : good0, ms = i ? 20 : ms0;

			if (s[i].until_ns)
				continue;
			s[i].good += good;
			s[i].failed += i ? 0 : failed0;
			s[i].timed += good;
			s[i].latency_ns += good * ms * 1000000;
		}
		changed |= eject_look(s, n, now);
	}
	return changed;
}

static void fresh(uint32_t n)
{
	memset(s, 0, sizeof s);
	for (uint32_t i = 0; i < n; i++)
		s[i].up = true;
	now = 1000 * SEC;
	turn(n, 4 * LOOKS_S, 10, 0, 20);
}

static uint32_t out(uint32_t n)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++)
		k += s[i].until_ns != 0;
	return k;
}

static void reasons(void)
{
	fresh(6);
	is_int(out(6), 0, "all in order: nobody is taken out");
	ok(!turn(6, 1, 0, 4, 0), "four failures in a row are not enough");
	ok(turn(6, 1, 0, 1, 0) && s[0].until_ns && s[0].reason == SHM_EJECT_ROW, "the fifth is");
	is_int((long long)((s[0].until_ns - now) / SEC), 10, "for ten seconds");
	fresh(6);
	turn(6, 16, 1, 4, 20);
	ok(s[0].reason != SHM_EJECT_ROW, "good answers in between break the row");
	ok(s[0].until_ns && s[0].reason == SHM_EJECT_RATE, "but the rate tells");
	fresh(6);
	turn(6, 40, 95, 5, 20);
	is_int(out(6), 0, "a twentieth is no outlier");
	fresh(6);
	turn(6, 4, 10, 0, 400);
	ok(turn(6, 40, 10, 0, 400) || s[0].until_ns || s[0].times, "twenty times slower than the others");
	ok(s[0].reason == SHM_EJECT_SLOW, "that is the reason");
	fresh(6);
	turn(6, 80, 10, 0, 100);
	is_int(s[0].times, 0, "five times slower is not");
	fresh(6);
	turn(6, 80, 10, 0, 1);
	is_int(out(6), 0, "and twenty times faster is fine");

	memset(s, 0, sizeof s);
	now = SEC;
	for (unsigned i = 0; i < 3; i++)
		s[i] = (struct eject_server){ .up = true, .failed = 1000000 };
	ok(!eject_look(s, 3, now) && out(3) == 0, "what was before the first look is not judged");
	fresh(3);
	s[0].good = s[0].failed = s[0].timed = s[0].latency_ns = 0;
	ok(!turn(3, 1, 0, 0, 0), "counts that went back, as of a row with a new owner, are not judged");
}

/* All fail alike. */
static void together(void)
{
	fresh(4);
	for (unsigned k = 0; k < 40; k++) {
		now += EJECT_LOOK_NS;
		for (unsigned i = 0; i < 4; i++) {
			s[i].good += 5;
			s[i].timed += 5;
			s[i].failed += 5;
		}
		eject_look(s, 4, now);
	}
	is_int(out(4), 0, "all fail half: nobody is an outlier");
}

static void times(void)
{
	uint64_t want = 10;
	bool right = true, forgotten;

	fresh(6);
	for (unsigned k = 0; k < 8; k++) {
		turn(6, 1, 0, 5, 0);
		right &= s[0].until_ns == now + want * SEC;
		want = want * 2 < 300 ? want * 2 : 300;
		turn(6, 1, 0, 0, 0);
		right &= s[0].until_ns != 0;
		now = s[0].until_ns;
		turn(6, 1, 0, 0, 0);
		right &= s[0].until_ns == 0;
	}
	ok(right, "10, 20, 40 .. 300 seconds, and back each time");
	turn(6, 60 * LOOKS_S + 1, 10, 0, 20);
	turn(6, 1, 0, 5, 0);
	forgotten = s[0].times == 8;
	ok(forgotten, "a minute in order takes one doubling off");
}

static void shares(void)
{
	bool right = true;

	for (uint32_t n = 1; n <= N; n++) {
		uint32_t most = n < 2 ? 0 : n < 6 ? 1 : n / 3;

		fresh(n);
		for (unsigned k = 0; k < 20; k++) {
			now += EJECT_LOOK_NS;
			for (uint32_t i = 0; i < n; i++)
				s[i].failed += 5;
			eject_look(s, n, now);
			right &= out(n) <= most;
		}
		right &= out(n) == most;
	}
	ok(right, "all fail in a row: of 1 none, of 2 to 5 one, of more a third is out");

	fresh(6);
	s[4].up = s[5].up = s[3].up = false;
	turn(6, 4, 0, 5, 0);
	is_int(out(6), 0, "half of them is down: nobody is taken out besides");
	fresh(6);
	turn(6, 1, 0, 5, 0);
	is_int(out(6), 1, "one is out");
	s[3].up = s[4].up = false;
	turn(6, 1, 0, 0, 0);
	is_int(out(6), 1, "two are down: half is left");
	s[5].up = false;
	ok(turn(6, 1, 0, 0, 0) && out(6) == 0, "three are down: panic, all are used");
}

int main(void)
{
	reasons();
	together();
	times();
	shares();
	return done_testing();
}
