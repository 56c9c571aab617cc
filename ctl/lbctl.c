/*
 * lbctl: what an operator asks and says.
 *
 * What is only looked at comes from the shared table, mapped read-only: it is there while the
 * supervisor hangs, is stopped, or is just reloading. What changes something goes to the supervisor by
 * its control socket, because each word of the table has one writer.
 */
#include "ctl/lbctl.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/near.h"
#include "conf/value.h"
#include "ctl/change.h"
#include "ctl/find.h"
#include "ctl/show.h"
#include "ctl/top.h"
#include "ctl/watch.h"
#include "ctl/why.h"
#include "ipc/metrics.h"

enum lbctl_kind { LBCTL_SHOW, LBCTL_TOP, LBCTL_WATCH, LBCTL_METRICS, LBCTL_WHY, LBCTL_CHANGE };

static const struct lbctl_word {
	const char *name;
	enum lbctl_kind kind;
	int min, max;		/* arguments */
	const char *arguments, *help;
} lbctl_words[] = {
	{ "show", LBCTL_SHOW, 0, 16, "[SERVER]", "what is there, what is wrong; all that is known of a server" },
	{ "show", LBCTL_SHOW, 0, 16, "servers [SERVER] | pools | listeners | workers", "lists" },
	{ "show", LBCTL_SHOW, 0, 16, "errors [SERVER | POOL]", "what went wrong, for whom" },
	{ "show", LBCTL_SHOW, 0, 16, "events [SERVER | POOL]", "what has happened, when, and why" },
	{ "show", LBCTL_SHOW, 0, 16, "conns [busy | STATE | SERVER | POOL | from NET | ...]", "connections as they are now" },
	{ "top", LBCTL_TOP, 0, 0, "", "the same, live" },
	{ "watch", LBCTL_WATCH, 0, 0, "", "changes, as they happen" },
	{ "why", LBCTL_WHY, 0, 1, "[POOL | SERVER]", "why requests went where they did" },
	{ "metrics", LBCTL_METRICS, 0, 0, "", "for Prometheus" },
	{ "drain", LBCTL_CHANGE, 1, 64, "SERVER...", "nothing new; what is there goes on" },
	{ "maint", LBCTL_CHANGE, 1, 64, "SERVER...", "nothing new, and no probes" },
	{ "ready", LBCTL_CHANGE, 1, 64, "SERVER...", "back to work" },
	{ "weight", LBCTL_CHANGE, 2, 2, "SERVER 0..256 | default", "share of what comes" },
	{ "check", LBCTL_CHANGE, 1, 64, "SERVER...", "probe now; status 1 when a probe fails" },
	{ "reload", LBCTL_CHANGE, 0, 0, "", "read the configuration again; waits for the verdict" },
	{ "upgrade", LBCTL_CHANGE, 0, 0, "", "go over to the program that is installed now" },
	{ "config", LBCTL_CHANGE, 0, 0, "", "the configuration that serves, every default filled in" },
	{ "log", LBCTL_CHANGE, 1, 2, "level [error | warn | info | debug | default]", "how much is logged" },
	{ "stop", LBCTL_CHANGE, 0, 1, "[now]", "stop the instance; waits for its end" },
};

#define LBCTL_WORDS (sizeof(lbctl_words) / sizeof(lbctl_words[0]))

static void lbctl_usage(FILE *out)
{
	fputs("usage: lbctl [OPTION...] COMMAND [ARGUMENT...]\n\n", out);
	for (size_t i = 0; i < LBCTL_WORDS; i++)
		fprintf(out, "  %-8s%-54s %s\n", lbctl_words[i].name, lbctl_words[i].arguments, lbctl_words[i].help);
	fputs("\n"
	      "  -i, --instance PID   which instance, when several run here\n"
	      "  -j, --json           show, why, watch: for programs\n"
	      "      --interval TIME  between two looks: 500ms, 2s\n"
	      "  -n, --count NUMBER   show errors, events, conns, why: so many; top, watch: end after so many\n"
	      "      --sort KEY       top: configured, name, state, rate, inflight, errors, p99;\n"
	      "                       show conns: time, age, bytes, requests, client\n"
	      "      --wait           drain, maint: until nothing is in flight\n"
	      "      --timeout TIME   how long an answer is waited for\n"
	      "      --socket PATH    another control socket than the instance names\n"
	      "  -h, --help           this;  -v, --version\n"
	      "\n"
	      "SERVER is a name, pool/name, or a pattern such as 'app/*'. Statuses: 0 done, 1 refused or failed,\n"
	      "2 wrong usage, 3 no such instance, 4 table unreadable, 5 control socket unusable. See lbctl(8).\n", out);
}

static const struct lbctl_word *lbctl_find(const char *name)
{
	struct near near;

	near_start(&near, name);
	for (size_t i = 0; i < LBCTL_WORDS; i++) {
		if (strcmp(lbctl_words[i].name, name) == 0)
			return &lbctl_words[i];
		near_try(&near, lbctl_words[i].name);
	}
	fprintf(stderr, "lbctl: there is no command %s; ", name);
	if (near.best)
		fprintf(stderr, "did you mean %s?\n", near.best);
	else
		fprintf(stderr, "lbctl --help lists them\n");
	return NULL;
}

static int lbctl_time(const char *option, const char *text, uint64_t *ns, bool *set)
{
	*set = true;
	if (value_time(text, ns) == 0 && *ns <= UINT64_C(86400) * 1000000000)
		return 0;
	fprintf(stderr, "lbctl: %s %s: expected a time as 500ms, 2s or 1m, at most 24h\n", option, text);
	return -1;
}

enum { LBCTL_INTERVAL = 256, LBCTL_SORT, LBCTL_WAIT, LBCTL_TIMEOUT, LBCTL_SOCKET };

/* 0 to go on, 1: all is said, -1: wrong. */
static int lbctl_options(struct lbctl_options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "instance", required_argument, NULL, 'i' },
		{ "json", no_argument, NULL, 'j' },
		{ "interval", required_argument, NULL, LBCTL_INTERVAL },
		{ "count", required_argument, NULL, 'n' },
		{ "sort", required_argument, NULL, LBCTL_SORT },
		{ "wait", no_argument, NULL, LBCTL_WAIT },
		{ "timeout", required_argument, NULL, LBCTL_TIMEOUT },
		{ "socket", required_argument, NULL, LBCTL_SOCKET },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t n;
	int c;

	while ((c = getopt_long(argc, argv, "i:jn:hv", longs, NULL)) != -1) {
		switch (c) {
		case 'i':
			o->instance = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case LBCTL_INTERVAL:
			if (lbctl_time("--interval", optarg, &o->interval_ns, &o->interval_set) < 0)
				return -1;
			break;
		case 'n':
			if (value_number(optarg, &n) < 0 || n == 0 || n > 1000000000) {
				fprintf(stderr, "lbctl: --count %s: expected a number from 1 on\n", optarg);
				return -1;
			}
			o->count = (unsigned)n;
			break;
		case LBCTL_SORT:
			o->sort = optarg;
			break;
		case LBCTL_WAIT:
			o->wait = true;
			break;
		case LBCTL_TIMEOUT:
			if (lbctl_time("--timeout", optarg, &o->timeout_ns, &o->timeout_set) < 0)
				return -1;
			break;
		case LBCTL_SOCKET:
			o->socket = optarg;
			break;
		case 'h':
			lbctl_usage(stdout);
			return 1;
		case 'v':
			printf("lbctl %s\n", VERSION);
			return 1;
		default:
			fprintf(stderr, "lbctl --help tells more\n");
			return -1;
		}
	}
	o->arg = argv + optind;
	o->nargs = argc - optind;
	return 0;
}

static enum lbctl_exit lbctl_metrics(const struct table *t)
{
	struct view v;

	memset(&v, 0, sizeof(v));
	if (view_take(&v, t, true) < 0) {
		fprintf(stderr, "lbctl: not enough memory\n");
		return LBCTL_TABLE;
	}
	metrics_write(stdout, &v);
	view_free(&v);
	return LBCTL_OK;
}

/* A table whose owner cuts it short while we read. */
static void lbctl_cut_short(int signal_number)
{
	static const char text[] = "lbctl: the table became shorter while it was read\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal_number;
	(void)n;
	_exit(LBCTL_TABLE);
}

static enum lbctl_exit lbctl_run(const struct lbctl_word *word, const struct lbctl_options *o)
{
	enum lbctl_exit result;
	struct table t;

	memset(&t, 0, sizeof(t));
	result = find_table(&t, o->instance, stderr);
	if (result != LBCTL_OK)
		return result;
	switch (word->kind) {
	case LBCTL_SHOW:
		result = show_command(&t, o);
		break;
	case LBCTL_TOP:
		result = top_command(&t, o);
		break;
	case LBCTL_WATCH:
		result = watch_command(&t, o);
		break;
	case LBCTL_WHY:
		result = why_command(&t, o);
		break;
	case LBCTL_METRICS:
		result = lbctl_metrics(&t);
		break;
	case LBCTL_CHANGE:
		result = change_command(&t, word->name, o);
		break;
	}
	table_unmap(&t);
	return result;
}

int main(int argc, char **argv)
{
	struct sigaction cut_short = { .sa_handler = lbctl_cut_short };
	struct lbctl_options o = { 0 };
	const struct lbctl_word *word;
	enum lbctl_exit result;
	int said;

	sigaction(SIGBUS, &cut_short, NULL);
	said = lbctl_options(&o, argc, argv);
	if (said)
		return said < 0 ? LBCTL_USAGE : fflush(stdout) == EOF ? LBCTL_FAILED : LBCTL_OK;
	if (o.nargs == 0) {
		lbctl_usage(stderr);
		return LBCTL_USAGE;
	}
	word = lbctl_find(o.arg[0]);
	if (!word)
		return LBCTL_USAGE;
	o.arg++;
	o.nargs--;
	if (o.nargs < word->min || o.nargs > word->max) {
		fprintf(stderr, "lbctl: usage: lbctl %s %s\n", word->name, word->arguments);
		return LBCTL_USAGE;
	}
	result = lbctl_run(word, &o);
	if (result == LBCTL_OK && (ferror(stdout) || fflush(stdout) == EOF)) {
		perror("lbctl: stdout");
		return LBCTL_FAILED;
	}
	return (int)result;
}
