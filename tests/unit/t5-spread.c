/* How a round of connections is shared among workers. */
#include <stdint.h>
#include <stdlib.h>

#include "supervisor/spread.h"
#include "tests/unit/tap.h"

#define MOST 64

static uint64_t load[MOST];
static uint32_t give[MOST];

static uint64_t sum(uint32_t k)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < k; i++)
		n += give[i];
	return n;
}

static void set(uint32_t k, uint64_t value)
{
	for (uint32_t i = 0; i < k; i++)
		load[i] = value;
}

static uint64_t difference(uint32_t k)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (uint32_t i = 0; i < k; i++) {
		low = load[i] < low ? load[i] : low;
		high = load[i] > high ? load[i] : high;
	}
	return high - low;
}

int main(void)
{
	uint32_t k, slack, round;
	bool all = true, even = true;

	set(4, 7);
	spread_round(4, load, 8, 8, 0, give);
	is_int(give[0], 8, "a small round goes whole to one");
	is_int(load[0], 15, "whose load is raised");
	spread_round(4, load, 8, 8, 0, give);
	is_int(give[1], 8, "the next one to the next");

	set(4, 0);
	spread_round(4, load, 4, 0, 0, give);
	ok(give[0] == 1 && give[1] == 1 && give[2] == 1 && give[3] == 1, "without slack: one each");
	set(4, 0);
	spread_round(4, load, 1, 0, 2, give);
	is_int(give[2], 1, "among equals it is the turn that decides");
	spread_round(4, load, 1, 0, 2, give);
	is_int(give[3], 1, "but among equals only");

	load[0] = 100, load[1] = 0, load[2] = 50;
	spread_round(3, load, 20, 8, 0, give);
	is_int(give[1], 20, "the least loaded gets all while it stays the least");
	load[0] = 100, load[1] = 0, load[2] = 50;
	spread_round(3, load, 253, 0, 0, give);
	ok(sum(3) == 253 && difference(3) <= 1, "a large round levels them");

	set(1, 5);
	spread_round(1, load, 253, 8, 9, give);
	is_int(give[0], 253, "one worker gets everything");
	spread_round(0, load, 5, 8, 0, give);
	load[0] = UINT64_MAX - 1000, load[1] = 0;
	spread_round(2, load, 253, 8, 0, give);
	is_int(give[1], 253, "a load out of all proportion does not overflow");

	srandom(1);
	for (k = 1; k <= MOST; k++) {
		for (slack = 0; slack < 20; slack += 4) {
			set(k, 0);
			for (round = 0; round < 50; round++) {
				uint32_t n = 1 + (uint32_t)random() % 253;

				spread_round(k, load, n, slack, round, give);
				all = all && sum(k) == n;
			}
			even = even && difference(k) <= slack + 1;
		}
	}
	ok(all, "every connection goes somewhere, once");
	ok(even, "a flood of connections that stay is spread within slack + 1");
	return done_testing();
}
