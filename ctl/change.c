/* Commands that change something. */
#include "ctl/change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/find.h"
#include "ipc/text.h"

#define CHANGE_TIMEOUT_NS	UINT64_C(10000000000)
#define CHANGE_LONG_NS		UINT64_C(120000000000)	/* reload, stop, --wait: what they wait for has bounds of its own */
#define CHANGE_LOOK_NS		20000000		/* between two looks at the table */
#define CHANGE_REQUEST_MAX	4096			/* as the supervisor takes */

static uint64_t change_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void change_pause(void)
{
	struct timespec pause = { .tv_nsec = CHANGE_LOOK_NS };

	nanosleep(&pause, NULL);
}

static uint64_t change_timeout(const struct lbctl_options *o, uint64_t usual_ns)
{
	return o->timeout_set ? o->timeout_ns : usual_ns;
}

static enum lbctl_exit change_ask(const struct table *t, const struct lbctl_options *o, const char *command, uint64_t usual_ns,
				  char **text)
{
	char request[CHANGE_REQUEST_MAX];
	size_t n = 0;

	*text = NULL;
	for (int i = -1; i < o->nargs; i++) {
		const char *word = i < 0 ? command : o->arg[i];

		if (word[0] == '\0' || strpbrk(word, " \t\n")) {
			fprintf(stderr, "lbctl: \"%s\" cannot be the name of anything\n", word);
			return LBCTL_USAGE;
		}
		n += (size_t)snprintf(request + n, sizeof(request) - n, i < 0 ? "%s" : " %s", word);
		if (n + 2 > sizeof(request)) {
			fprintf(stderr, "lbctl: too much for one request\n");
			return LBCTL_USAGE;
		}
	}
	request[n++] = '\n';
	request[n] = '\0';
	return ask_supervisor(t, o, request, -1, change_timeout(o, usual_ns), text);
}

/* The supervisor's words: what was done to stdout, what was refused to stderr. */
static void change_say(enum lbctl_exit result, const char *text)
{
	if (!text)
		return;
	if (result == LBCTL_OK) {
		fputs(text, stdout);
		return;
	}
	fprintf(stderr, "lbctl: %s", text);
}

/* ---- waiting for what follows ---- */

/* Until nothing is in flight at the servers that `text` names, one a line before a colon. */
static enum lbctl_exit change_drained(const struct table *t, const struct lbctl_options *o, const char *text)
{
	uint64_t end_ns = change_clock_ns() + change_timeout(o, CHANGE_LONG_NS);
	char full[VIEW_FULL_MAX];
	struct view v;

	memset(&v, 0, sizeof(v));
	for (;;) {
		uint64_t inflight = 0;
		bool late = change_clock_ns() >= end_ns;

		if (view_take(&v, t, false) < 0)
			return LBCTL_TABLE;
		for (unsigned i = 0; i < v.nservers; i++) {
			const char *at;
			size_t n;

			view_full_name(&v, &v.server[i], full);
			n = strlen(full);
			for (at = strstr(text, full); at; at = strstr(at + 1, full)) {
				if ((at == text || at[-1] == '\n') && strncmp(at + n, ": ", 2) == 0) {
					inflight += v.server[i].inflight;
					if (late && v.server[i].inflight)
						fprintf(stderr, "lbctl: %s still has %" PRIu64 " in flight\n", full,
							v.server[i].inflight);
					break;
				}
			}
		}
		if (inflight == 0 || late || !v.supervisor_state) {
			view_free(&v);
			return inflight ? LBCTL_FAILED : LBCTL_OK;
		}
		change_pause();
	}
}

/* The names that the supervisor gave, one a line: each server's probe that ends after `before` is told. */
static enum lbctl_exit change_probed(const struct table *t, const struct lbctl_options *o, const struct view *before, char *names)
{
	uint64_t end_ns = change_clock_ns() + change_timeout(o, CHANGE_TIMEOUT_NS);
	enum lbctl_exit result = LBCTL_OK;
	char full[VIEW_FULL_MAX], text[160];
	struct view v;

	memset(&v, 0, sizeof(v));
	for (char *name = names, *next; *name; name = next) {
		const struct view_server *s = NULL, *was = NULL;

		next = strchr(name, '\n');
		if (next)
			*next++ = '\0';
		else
			next = name + strlen(name);
		for (unsigned i = 0; i < before->nservers && !was; i++)
			if (strcmp(view_full_name(before, &before->server[i], full), name) == 0)
				was = &before->server[i];
		for (;;) {
			if (view_take(&v, t, false) < 0)
				return LBCTL_TABLE;
			s = NULL;
			for (unsigned i = 0; i < v.nservers && !s; i++)
				if (strcmp(view_full_name(&v, &v.server[i], full), name) == 0)
					s = &v.server[i];
			if (!s || s->probes > (was ? was->probes : 0) || change_clock_ns() >= end_ns || !v.supervisor_state)
				break;
			change_pause();
		}
		if (!s || s->probes <= (was ? was->probes : 0)) {
			fprintf(stderr, "lbctl: %s: no probe has ended in time\n", name);
			result = LBCTL_FAILED;
			continue;
		}
		printf("%s: %s; it is %s\n", name, text_probe(text, sizeof(text), &v, s), view_state(s));
		if (s->outcome != SHM_OUT_OK)
			result = LBCTL_FAILED;
	}
	view_free(&v);
	return result;
}

static enum lbctl_exit change_check(const struct table *t, const struct lbctl_options *o)
{
	enum lbctl_exit result = LBCTL_TABLE;
	struct view before;
	char *text = NULL;

	memset(&before, 0, sizeof(before));
	if (view_take(&before, t, false) == 0) {
		result = change_ask(t, o, "check", CHANGE_TIMEOUT_NS, &text);
		if (result == LBCTL_OK)
			result = change_probed(t, o, &before, text);
		else
			change_say(result, text);
	}
	view_free(&before);
	free(text);
	return result;
}

/* The new program reloads when it has taken over: then another generation serves. */
static enum lbctl_exit change_upgrade(const struct table *t, const struct lbctl_options *o)
{
	uint64_t end_ns = change_clock_ns() + change_timeout(o, CHANGE_LONG_NS);
	uint32_t before = atomic_load_explicit(&t->inst->generation, memory_order_relaxed);
	char *text = NULL;
	enum lbctl_exit result = change_ask(t, o, "upgrade", CHANGE_LONG_NS, &text);

	uint64_t seen_ns = change_clock_ns();	/* the supervisor, last */

	change_say(result, text);
	free(text);
	if (result != LBCTL_OK)
		return result;
	while (atomic_load_explicit(&t->inst->generation, memory_order_relaxed) == before) {
		uint64_t now = change_clock_ns();
		struct table again;

		/* A table of another layout is another object; the one that we see is nobody's any more. */
		if (table_open(&again, t->name) == 0) {
			table_unmap(&again);
		} else if (errno == EPROTO) {
			printf("it serves with a table of another layout: the lbctl of its version shows it\n");
			return LBCTL_OK;
		}
		/* For a moment after its exec it has not got its name yet. */
		if (find_supervisor(t))
			seen_ns = now;
		if (now >= end_ns || (seen_ns != now && find_is_over(t, now - seen_ns))) {
			fprintf(stderr, "lbctl: no new generation serves; the log says why\n");
			return LBCTL_FAILED;
		}
		change_pause();
	}
	printf("generation %u serves\n", atomic_load_explicit(&t->inst->generation, memory_order_relaxed));
	return LBCTL_OK;
}

static enum lbctl_exit change_stop(const struct table *t, const struct lbctl_options *o)
{
	uint64_t end_ns = change_clock_ns() + change_timeout(o, CHANGE_LONG_NS);
	char *text = NULL;
	enum lbctl_exit result = change_ask(t, o, "stop", CHANGE_TIMEOUT_NS, &text);

	change_say(result, text);
	free(text);
	if (result != LBCTL_OK)
		return result;
	/* A zombie, which has no name any more, has ended. */
	while (find_supervisor(t)) {
		if (change_clock_ns() >= end_ns) {
			fprintf(stderr, "lbctl: it has not ended yet\n");
			return LBCTL_FAILED;
		}
		change_pause();
	}
	printf("stopped\n");
	return LBCTL_OK;
}

enum lbctl_exit change_command(const struct table *t, const char *command, const struct lbctl_options *o)
{
	bool drains = strcmp(command, "drain") == 0 || strcmp(command, "maint") == 0;
	enum lbctl_exit result;
	char *text = NULL;

	if (strcmp(command, "check") == 0)
		return change_check(t, o);
	if (strcmp(command, "stop") == 0)
		return change_stop(t, o);
	if (strcmp(command, "upgrade") == 0)
		return change_upgrade(t, o);
	result = change_ask(t, o, command, strcmp(command, "reload") == 0 ? CHANGE_LONG_NS : CHANGE_TIMEOUT_NS, &text);
	change_say(result, text);
	if (result == LBCTL_OK && drains && o->wait)
		result = change_drained(t, o, text);
	free(text);
	return result;
}
