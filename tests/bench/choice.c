/*
 * Nanoseconds (of processor time) per choice, by algorithm and size of the pool; no system calls. Where a worker looks
 * at some servers only, it reads the records of eight workers, as worker/choose.c and worker/learning.c do; else the
 * columns are summed already.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "balance/hash.h"
#include "balance/lots.h"
#include "balance/maglev.h"
#include "balance/strides.h"

#define MANY 1000
#define WORKERS 8
#define FRESH_NS 10000000	/* as in worker/learning.c */

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* A table of eight workers, and what a worker keeps of it. */
static struct shm_learn *record[WORKERS];
static uint32_t *count[WORKERS];
static struct learned known[MANY];
static uint64_t known_ns[MANY], clock_ns = 1000000000;

static bool look(void *arg, uint32_t i, struct balance_look *k)
{
	struct learn_waiting waiting = { 0 };

	(void)arg;
	k->weight = 1 + i % 3;
	k->ramp = 1;
	k->inflight = 0;
	if (clock_ns - known_ns[i] >= FRESH_NS) {
		known[i] = (struct learned){ 0 };
		for (unsigned w = 0; w < WORKERS; w++)
			learn_add_past(&record[w][i], clock_ns, 0, &known[i]);
		known_ns[i] = clock_ns;
	}
	k->learned = known[i];
	for (unsigned w = 0; w < WORKERS; w++) {
		learn_add_waiting(&record[w][i], &waiting);
		k->inflight += count[w][i];
	}
	learn_summed(&waiting, clock_ns, &k->learned);
	return true;
}

/* A worker's look where nothing is learned. */
static uint64_t *sent[WORKERS];
static unsigned plain_needs;

static bool plain_look(void *arg, uint32_t i, struct balance_look *k)
{
	(void)arg;
	k->weight = 1 + i % 3;
	k->inflight = 0;
	k->entries = k->errors = 0;
	for (unsigned w = 0; w < WORKERS; w++) {
		if (plain_needs & BALANCE_INFLIGHT)
			k->inflight += count[w][i];
		if (plain_needs & BALANCE_ENTRIES)
			k->entries += sent[w][i];
	}
	return true;
}

/* All workers take and give back by turns; a tenth of the servers are busy. */
static double some(const struct balance_algorithm *a, uint32_t n, uint64_t *rng)
{
	static uint32_t weight[MANY];
	static uint32_t held[MANY / 10];
	unsigned rounds = 2000000;
	struct lots *lots;
	struct strides *strides;
	struct maglev *maglev;
	static uint64_t name[MANY];
	double start, took;

	plain_needs = a->needs;
	for (uint32_t i = 0; i < n; i++)
		weight[i] = 1 + i % 3;
	lots = lots_build(weight, n);
	strides = strides_build(weight, n, rng);
	for (uint32_t i = 0; i < n; i++)
		name[i] = hash_bytes(HASH_SERVER, (const char *)&i, sizeof i);
	maglev = maglev_build(name, weight, n);
	for (unsigned w = 0; w < WORKERS; w++) {
		free(count[w]);
		free(sent[w]);
		count[w] = calloc(MANY, sizeof *count[w]);
		sent[w] = calloc(MANY, sizeof *sent[w]);
		if (!count[w] || !sent[w] || !lots || !strides || !maglev)
			exit(1);
	}
	struct balance_view v = { .n = n, .rng = rng, .look = plain_look, .lots = lots };
	for (unsigned i = 0; i < n / 10; i++)
		count[i % WORKERS][held[i] = (uint32_t)balance_below(rng, n)]++;
	start = now_ns();
	for (unsigned r = 0; r < rounds; r++) {
		uint32_t k;
		if (a->needs & BALANCE_TURNS) {
			k = strides_first(strides);
			strides_step(strides, weight[k]);
		} else if (a->needs & BALANCE_KEY) {	/* as by_hash() in worker/choose.c: the next on the key's way that has room */
			uint64_t key = balance_draw(rng), held_there;
			uint32_t step = 0;
			do {
				k = maglev_at(maglev, key, step++);
				held_there = 0;
				for (unsigned w = 0; w < WORKERS; w++)
					held_there += count[w][k];
			} while (maglev_over(held_there, weight[k], n / 10, 2 * n) && step < MAGLEV_STEPS);
		} else
			k = (uint32_t)a->pick(&v);
		unsigned at = r % (n / 10), w = at % WORKERS;
		count[w][held[at]]--;
		count[w][held[at] = k]++;
		sent[w][k]++;
	}
	took = now_ns() - start;
	lots_free(lots);
	strides_free(strides);
	maglev_free(maglev);
	return took / rounds;
}

/* 50,000 choices a second by this worker, all workers' answers as many each. */
static double adaptive(uint32_t n, uint64_t *rng)
{
	struct balance_view v = { .n = n, .rng = rng, .look = look };
	unsigned rounds = 400000;
	double start, took[2];

	for (unsigned w = 0; w < WORKERS; w++) {
		free(record[w]);
		free(count[w]);
		record[w] = aligned_alloc(SHM_LINE, MANY * sizeof *record[w]);
		count[w] = calloc(MANY, sizeof *count[w]);
		if (!record[w] || !count[w])
			exit(1);
		for (unsigned i = 0; i < MANY; i++) {
			record[w][i] = (struct shm_learn){ 0 };
			learn_answer(&record[w][i], 0, clock_ns, 10000000 + balance_below(rng, 20000000));
			if (balance_below(rng, 2)) {
				learn_asked(&record[w][i], clock_ns - balance_below(rng, 20000000));
				count[w][i]++;
			}
		}
	}
	/* once with a choice and once with a lot in its place: what is not the choice is in both */
	for (int pass = 0; pass < 2; pass++) {
		start = now_ns();
		for (unsigned r = 0; r < rounds; r++) {
			uint64_t asked = clock_ns;
			uint32_t k = pass ? (uint32_t)balance_below(rng, n) : (uint32_t)balance_adaptive.pick(&v);
			unsigned w = r % WORKERS;

			clock_ns += 20000;
			learn_asked(&record[w][k], asked);
			learn_left(&record[w][k], asked);
			learn_answer(&record[w][k], 0, clock_ns, 20000000);
		}
		took[pass] = now_ns() - start;
	}
	return (took[0] - took[1]) / rounds;
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
			if (*a == &balance_adaptive) {
				printf(" %10.1f", adaptive(sizes[s], &rng));
				continue;
			}
			if (sizes[s] > 32 && (*a)->needs & (BALANCE_SOME | BALANCE_TURNS | BALANCE_KEY)) {
				printf(" %10.1f", some(*a, sizes[s], &rng));
				continue;
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
