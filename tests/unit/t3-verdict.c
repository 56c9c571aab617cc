/*
 * Rise and fall, the token bucket, and where a server joins: pure functions of health/.
 */
#include "health/bucket.h"
#include "health/join.h"
#include "health/verdict.h"
#include "tests/unit/tap.h"

/*
 * Plays a script: g a good probe, b a bad one, l trouble on this side, f a worker's finding.
 * Returns the verdicts after each as letters: U D ?.
 */
static const char *play(unsigned rise, unsigned fall, uint32_t from, const char *script)
{
	static char got[64];
	struct conf_check check = { .rise = rise, .fall = fall, .down_interval_ns = 500 * CONF_MS };
	struct verdict v = { .now = from };
	size_t i;

	for (i = 0; script[i]; i++) {
		uint32_t before = v.now;
		bool changed;

		switch (script[i]) {
		case 'g': changed = verdict_probe(&v, &check, SHM_OUT_OK); break;
		case 'b': changed = verdict_probe(&v, &check, SHM_OUT_REFUSED); break;
		case 'l': changed = verdict_probe(&v, &check, SHM_OUT_LOCAL); break;
		default: changed = verdict_finding(&v); break;
		}
		got[i] = "?UD"[v.now];
		if (changed != (before != v.now) || (changed && v.in_a_row))
			got[i] = '!';
	}
	got[i] = '\0';
	return got;
}

static void rise_and_fall(void)
{
	is_str(play(1, 1, SHM_UNKNOWN, "gbgb"), "UDUD", "rise 1 fall 1: each probe decides");
	is_str(play(2, 3, SHM_UNKNOWN, "g"), "U", "the first probe decides, whatever rise says");
	is_str(play(2, 3, SHM_UNKNOWN, "b"), "D", "the first probe decides, whatever fall says");
	is_str(play(2, 3, SHM_UP, "bbgbbgbbb"), "UUUUUUUUD", "fall 3: only three bad ones in a row");
	is_str(play(3, 1, SHM_DOWN, "ggbgggb"), "DDDDDUD", "rise 3: only three good ones in a row");
	is_str(play(2, 3, SHM_UP, "fgg"), "DDU", "a finding needs no fall, but rise counts after it");
	is_str(play(1, 3, SHM_UP, "bfbg"), "UDDU", "a finding on top of a bad probe");
	is_str(play(1, 1, SHM_UNKNOWN, "ffg"), "DDU", "a finding of what nobody has probed");
	is_str(play(1, 1, SHM_UP, "llb"), "UUD", "trouble on this side says nothing of a server that is up");
	is_str(play(1, 1, SHM_DOWN, "lg"), "DU", "nor of one that is down");
	is_str(play(1, 1, SHM_UNKNOWN, "l"), "D", "what is not known and cannot be probed is not used");
	is_str(play(1, 2, SHM_UP, "blb"), "UUD", "nor does it interrupt a row");
}

static void waits(void)
{
	struct conf_check check = { .rise = 3, .fall = 1, .down_interval_ns = 500 * CONF_MS };
	struct verdict v = { .now = SHM_UP };

	ok(verdict_wait_ns(&v, &check) == UINT64_MAX, "up: rounds are enough");
	verdict_probe(&v, &check, SHM_OUT_REFUSED);
	ok(verdict_wait_ns(&v, &check) == 500 * CONF_MS, "down: its own interval");
	verdict_probe(&v, &check, SHM_OUT_OK);
	ok(verdict_wait_ns(&v, &check) == 500 * CONF_MS, "on its way up: the same");
	v = (struct verdict){ .now = SHM_UP };
	verdict_finding(&v);
	verdict_probe(&v, &check, SHM_OUT_OK);
	ok(verdict_wait_ns(&v, &check) == VERDICT_HURRY_NS, "after a finding good probes follow quickly");
	verdict_probe(&v, &check, SHM_OUT_REFUSED);
	ok(verdict_wait_ns(&v, &check) == 500 * CONF_MS, "a bad one ends the hurry");
	verdict_probe(&v, &check, SHM_OUT_OK);
	ok(verdict_wait_ns(&v, &check) == 500 * CONF_MS, "for good");
	check.down_interval_ns = 20 * CONF_MS;
	v = (struct verdict){ .now = SHM_UP };
	verdict_finding(&v);
	verdict_probe(&v, &check, SHM_OUT_OK);
	ok(verdict_wait_ns(&v, &check) == 20 * CONF_MS, "never slower than its own interval");
}

static void buckets(void)
{
	struct bucket b;
	uint64_t t = 1000 * CONF_SECOND;
	unsigned n;

	bucket_init(&b, 20, 100 * CONF_MS);
	ok(bucket_ready_ns(&b) <= t, "bucket: starts full");
	for (n = 0; bucket_take(&b, t); n++)
		;
	is_int(n, 20, "bucket: a burst of 20");
	is_int(bucket_ready_ns(&b) - t, 100 * CONF_MS, "bucket: then one after a period");
	ok(!bucket_take(&b, t + 100 * CONF_MS - 1), "bucket: not a nanosecond earlier");
	ok(bucket_take(&b, t + 100 * CONF_MS), "bucket: there it is");
	ok(!bucket_take(&b, t + 100 * CONF_MS), "bucket: only one");
	for (n = 0, t += 100 * CONF_MS; t < 1010 * CONF_SECOND; t += CONF_MS)
		n += bucket_take(&b, t);
	ok(n >= 98 && n <= 100, "bucket: ten a second (%u in 9.9 s)", n);
	t += 3600 * CONF_SECOND;
	for (n = 0; bucket_take(&b, t); n++)
		;
	is_int(n, 20, "bucket: rest does not save up more than the burst");
	bucket_init(&b, 1, 50);
	ok(bucket_take(&b, 10) && !bucket_take(&b, 59) && bucket_take(&b, 60), "bucket: of one, at small times");
	bucket_init(&b, 0, 50);
	ok(bucket_take(&b, 0), "bucket: never of none");
}

static void joins(void)
{
	struct join_server s[4] = { { 100, 1, 1 }, { 200, 2, 1 }, { 330, 3, 1 }, { 0, 2, 0 } };

	is_int(join_highest(s, 4, 9), 2, "join: the highest level, by weight");
	is_int(join_highest(s, 4, 2), 0, "join: of the others");
	is_int(join_turns(s, 4, 3), 220, "join: who comes late comes at the highest level");
	s[3].turns = 500;
	is_int(join_turns(s, 4, 3), 500, "join: nobody loses turns");
	s[3].turns = 9999;
	is_int(join_turns(s, 4, 0), 110, "join: who is not up sets no level");
	s[0].counts = s[1].counts = s[2].counts = 0;
	is_int(join_turns(s, 4, 1), 200, "join: alone it stays where it is");
	is_int(join_highest(s, 4, 9), -1, "join: nobody");
	s[0] = (struct join_server){ UINT64_MAX, 1, 1 };
	ok(join_turns(s, 4, 1) == UINT64_MAX, "join: stops at the top");
	s[0] = (struct join_server){ JOIN_START * 256, 256, 1 };
	ok(join_turns(s, 4, 1) == JOIN_START * 2, "join: exact at the level where all start");
}

int main(void)
{
	rise_and_fall();
	waits();
	buckets();
	joins();
	return done_testing();
}
