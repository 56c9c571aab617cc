/*
 * Balancing in virtual time: sim [-s SEED] [-o DIRECTORY] [-l] [SCENARIO...]
 *
 * Prints a table for each scenario, of all policies; -o: and writes a plot DIRECTORY/SCENARIO.svg. All scenarios
 * unless some are named; -l lists them. The same seed gives the same figures, to the last digit.
 */
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLICIES 12

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = optind; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return optind == argc;
}

static void run(const struct sim_scenario *c, uint64_t seed, const char *directory, const char *only)
{
	const struct sim_policy *policy[POLICIES];
	struct sim_result result[POLICIES];
	char file[4096];
	unsigned n = 0;

	printf("%s: %s; %.0f requests/s\n", c->name, c->title, c->per_second);
	printf("  %-20s %8s %8s %8s %8s %8s %8s %9s %7s %6s %8s\n", "", "p50 ms", "p90", "p99", "p99.9", "max", "> 1 s %", "failed %",
	    "even", "most", "good/s");
	for (const struct sim_policy *p = sim_policies; p->name; p++) {
		struct sim_result *r = &result[n];

		if ((only && strcmp(only, p->name) != 0) || (c->large && p->all) || (p->overload && !c->overload))
			continue;
		sim_run(c, p, seed, r);
		printf("  %-20s %8.1f %8.1f %8.1f %8.1f %8.0f %8.4f %9.4f %7.3f %6.2f %8.1f\n", p->name, r->p50, r->p90, r->p99, r->p999,
		    r->max, 100 * r->slow, 100 * r->failed, r->fairness, r->peak_share, r->good);
		fflush(stdout);
		policy[n++] = p;
	}
	putchar('\n');
	if (directory) {
		snprintf(file, sizeof file, "%s/%s.svg", directory, c->name);
		if (svg_write(file, c, policy, result, n) < 0) {
			fprintf(stderr, "sim: %s: %s\n", file, strerror(errno));
			exit(1);
		}
	}
	for (unsigned i = 0; i < n; i++)
		free(result[i].p99_by_slice);
}

int main(int argc, char **argv)
{
	const char *directory = NULL, *only = NULL;
	uint64_t seed = 1;
	unsigned ran = 0;

	for (int o; (o = getopt(argc, argv, "s:o:p:l")) != -1;) {
		switch (o) {
		case 's':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'o':
			directory = optarg;
			break;
		case 'p':
			only = optarg;
			break;
		case 'l':
			for (const struct sim_scenario *c = sim_scenarios; c->name; c++)
				printf("%-14s %s\n", c->name, c->title);
			return 0;
		default:
			fprintf(stderr, "usage: sim [-s SEED] [-o DIRECTORY] [-p POLICY] [-l] [SCENARIO...]\n");
			return 2;
		}
	}
	for (const struct sim_scenario *c = sim_scenarios; c->name; c++) {
		if (!wanted(c->name, argc, argv))
			continue;
		run(c, seed, directory, only);
		ran++;
	}
	if (!ran)
		fprintf(stderr, "sim: no such scenario; -l lists them\n");
	return ran ? 0 : 2;
}
