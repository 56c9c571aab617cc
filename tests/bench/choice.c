/*
 * Nanoseconds per choice, by algorithm and size of the pool; no table, no system calls.
 * Compiled with the files of balance/ and -I. from the top.
 */
#include <stdio.h>
#include <time.h>

#include "balance/balance.h"

#define MANY 1000

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(void)
{
	static uint8_t usable[MANY];
	static uint32_t weight[MANY], inflight[MANY];
	static uint64_t entries[MANY], errors[MANY], turns[MANY];
	static const uint32_t sizes[] = { 3, 100, MANY };
	uint64_t rng = 1;

	printf("%-20s %10s %10s %10s\n", "ns per choice among", "3", "100", "1000");
	for (const struct balance_algorithm *const *a = balance_all; *a; a++) {
		printf("%-20s", (*a)->name);
		for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
			struct balance_view v = {
				.n = sizes[s], .usable = usable, .weight = weight, .inflight = inflight,
				.entries = entries, .errors = errors, .turns = turns, .rng = &rng,
			};
			unsigned rounds = 6000000 / (sizes[s] + 20);

			for (uint32_t i = 0; i < MANY; i++) {
				usable[i] = 1;
				weight[i] = 1 + i % 3;
				inflight[i] = (uint32_t)balance_below(&rng, 10);
				entries[i] = turns[i] = 1000 * weight[i] + balance_below(&rng, 10);
			}
			double start = now_ns();

			for (unsigned r = 0; r < rounds; r++) {
				int k = (*a)->pick(&v);

				entries[k]++;
				turns[k]++;
				inflight[k]++;
				inflight[balance_below(&rng, sizes[s])] /= 2;
			}
			printf(" %10.1f", (now_ns() - start) / rounds);
			fflush(stdout);
		}
		putchar('\n');
	}
	return 0;
}
