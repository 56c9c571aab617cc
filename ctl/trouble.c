/*
 * What is wrong. Each line says what, since when, why, and what follows from it. Where many servers of a pool
 * have the same trouble they share a line: at three in the morning a screen of them hides the other one.
 */
#include "ctl/trouble.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipc/text.h"

#define TROUBLE_BUSY_NS		UINT64_C(1000000000)	/* a worker busy for longer is told of */
#define TROUBLE_FRESH_NS	UINT64_C(60000000000)	/* so long it is told of that a worker was replaced */
#define TROUBLE_ENOUGH		10			/* requests, before their share of errors says something */
#define TROUBLE_TOGETHER	4			/* servers in the same trouble share a line */
#define TROUBLE_NAMES		3			/* of these that are named */

static void trouble_instance(FILE *out, const struct view *v)
{
	if (!v->supervisor_state)
		fprintf(out, "! the supervisor (pid %u) is not there any more: these are its last words\n", v->supervisor_pid);
	else if (v->supervisor_state == 'T' || v->supervisor_state == 't')
		fprintf(out, "! the supervisor is stopped (SIGSTOP): nothing new is accepted, nobody is replaced; "
			"kill -CONT %u\n", v->supervisor_pid);
	if (v->supervisor_state && !v->health_pid)
		fprintf(out, "! there is no health process at the moment: verdicts stay as they are\n");
}

static void trouble_workers(FILE *out, const struct view *v)
{
	char age[TEXT_MAX];

	for (unsigned i = 0; i < v->nworkers; i++) {
		const struct view_worker *w = &v->worker[i];

		if (w->process_state == 'T' || w->process_state == 't')
			fprintf(out, "! worker %u (pid %u) is stopped (SIGSTOP): its %u client%s wait%s; kill -CONT %u\n", w->slot, w->pid,
				w->active, w->active == 1 ? "" : "s", w->active == 1 ? "s" : "", w->pid);
		else if (w->busy_since_ns && w->busy_since_ns < v->now_ns && v->now_ns - w->busy_since_ns > TROUBLE_BUSY_NS)
			fprintf(out, "! worker %u (pid %u) has not come round for %s: its %u clients wait\n", w->slot, w->pid,
				text_age(age, v->now_ns - w->busy_since_ns), w->active);
		if (w->restarts && w->started_ns < v->now_ns && v->now_ns - w->started_ns < TROUBLE_FRESH_NS)
			fprintf(out, "! worker %u died and was replaced %s ago (%u time%s so far); the log says why\n", w->slot,
				text_age(age, v->now_ns - w->started_ns), w->restarts, w->restarts == 1 ? "" : "s");
	}
}

static void trouble_pool(FILE *out, const struct view *v, const struct view_pool *p, const struct picture *how)
{
	char when[TEXT_MAX], age[TEXT_MAX];

	if (p->leaving)
		return;
	if (p->unresolved_ns && p->unresolved_ns <= v->now_ns) {
		screen_ink(out, how->color, INK_WARN);
		fprintf(out, "! pool %s: a name has not resolved since %s (%s); the last servers stay\n", p->name,
			text_clock(when, v, p->unresolved_ns), text_age(age, v->now_ns - p->unresolved_ns));
		screen_ink(out, how->color, INK_NONE);
	}
	if (p->waiting) {
		screen_ink(out, how->color, INK_WARN);
		fprintf(out, "! pool %s: %" PRIu64 " request%s wait%s in the queue: all servers have their maxconn\n", p->name,
			p->waiting, p->waiting == 1 ? "" : "s", p->waiting == 1 ? "s" : "");
		screen_ink(out, how->color, INK_NONE);
	}
	if (p->up || (!p->n && !p->empty))
		return;
	screen_ink(out, how->color, INK_BAD);
	fprintf(out, "! pool %s has no server that is up: its clients get errors\n", p->name);
	screen_ink(out, how->color, INK_NONE);
}

/* Servers that are up, and fail all the same. */
static void trouble_failing(FILE *out, const struct view *v, const struct picture *how)
{
	char full[VIEW_FULL_MAX];

	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *s = &v->server[i];

		if (!picture_is_up(s) || s->leaving || !s->compared || view_requests(&s->lately) < TROUBLE_ENOUGH ||
		    view_error_percent(&s->lately) < TROUBLE_ERRORS)
			continue;
		screen_ink(out, how->color, INK_WARN);
		fprintf(out, "! %s is up, but %.0f%% of its requests fail now: lbctl show errors %s\n", view_full_name(v, s, full),
			view_error_percent(&s->lately), full);
		screen_ink(out, how->color, INK_NONE);
	}
}

static bool trouble_of(const struct view_server *s)
{
	return !picture_is_up(s) && !s->leaving;
}

static bool trouble_same(const struct view_server *a, const struct view_server *b)
{
	return trouble_of(b) && a->pool == b->pool && a->admin == b->admin && a->verdict == b->verdict &&
	    a->eject_reason == b->eject_reason && (a->verdict != SHM_DOWN || a->down_outcome == b->down_outcome);
}

static const char *trouble_word(const struct view_server *s)
{
	return s->admin == SHM_DRAIN ? "drained" : s->admin == SHM_MAINT ? "in maintenance" : view_state(s);
}

static void trouble_since(FILE *out, const struct view *v, uint64_t since, const char *before)
{
	char when[TEXT_MAX], age[TEXT_MAX];

	if (since && since <= v->now_ns)
		fprintf(out, "%s since %s (%s)", before, text_clock(when, v, since), text_age(age, v->now_ns - since));
}

static void trouble_server(FILE *out, const struct view *v, const struct view_server *s, const struct picture *how)
{
	char full[VIEW_FULL_MAX], why[256], age[TEXT_MAX];

	screen_ink(out, how->color, s->verdict == SHM_DOWN && s->admin == SHM_READY ? INK_BAD : INK_WARN);
	fprintf(out, "! %s is %s", view_full_name(v, s, full), trouble_word(s));
	trouble_since(out, v, view_since_ns(s), "");
	text_why(why, sizeof(why), s);
	fprintf(out, "%s%s", why[0] ? ": " : "", why);
	if (s->admin == SHM_READY && s->eject_reason && s->ejected_until_ns > v->now_ns)
		fprintf(out, "; back in %s", text_age(age, s->ejected_until_ns - v->now_ns));
	fputc('\n', out);
	screen_ink(out, how->color, INK_NONE);
}

/* n servers that are like s, from `first` on. */
static void trouble_together(FILE *out, const struct view *v, unsigned first, unsigned n, const struct picture *how)
{
	const struct view_server *s = &v->server[first];
	const struct view_pool *p = &v->pool[s->pool];
	uint64_t oldest = view_since_ns(s);
	unsigned named = 0;
	char why[256];

	for (unsigned i = first; i < p->first + p->n; i++)
		if (trouble_same(s, &v->server[i]) && view_since_ns(&v->server[i]) < oldest)
			oldest = view_since_ns(&v->server[i]);
	screen_ink(out, how->color, s->verdict == SHM_DOWN && s->admin == SHM_READY ? INK_BAD : INK_WARN);
	fprintf(out, "! pool %s: %u of %u servers are %s", p->name, n, p->n, trouble_word(s));
	trouble_since(out, v, oldest, ", the first");
	text_why(why, sizeof(why), s);
	fprintf(out, "%s%s (", why[0] ? ": " : "", why);
	for (unsigned i = first; i < p->first + p->n && named < TROUBLE_NAMES; i++)
		if (trouble_same(s, &v->server[i]))
			fprintf(out, "%s%s", named++ ? ", " : "", v->server[i].name);
	fprintf(out, " and %u more)\n", n - named);
	screen_ink(out, how->color, INK_NONE);
}

static void trouble_servers(FILE *out, const struct view *v, const struct picture *how)
{
	bool *told = calloc(v->nservers + 1u, sizeof(*told));

	for (unsigned i = 0; told && i < v->nservers; i++) {
		const struct view_server *s = &v->server[i];
		const struct view_pool *p = &v->pool[s->pool];
		unsigned same = 0;

		if (told[i] || !trouble_of(s))
			continue;
		for (unsigned k = i; k < p->first + p->n; k++)
			same += trouble_same(s, &v->server[k]);
		if (same < TROUBLE_TOGETHER) {
			trouble_server(out, v, s, how);
			continue;
		}
		for (unsigned k = i; k < p->first + p->n; k++)
			told[k] |= trouble_same(s, &v->server[k]);
		trouble_together(out, v, i, same, how);
	}
	free(told);
}

void trouble_tell(FILE *out, const struct view *v, const struct picture *how)
{
	trouble_instance(out, v);
	trouble_workers(out, v);
	for (unsigned i = 0; i < v->nlisteners; i++)
		if (v->listener[i].limited)
			fprintf(out, "! listener %s holds as many connections as it may (max-connections): who comes waits\n",
				v->listener[i].name);
	for (unsigned i = 0; i < v->npools; i++)
		trouble_pool(out, v, &v->pool[i], how);
	trouble_servers(out, v, how);
	trouble_failing(out, v, how);
}
