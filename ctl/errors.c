/*
 * Errors: counts from the table, which everybody may see, and then the last ones as workers wrote them down
 * (worker/witness.c), which have clients and requests in them and are for root and the control group.
 */
#include "ctl/errors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/wanted.h"
#include "ipc/seen.h"
#include "ipc/text.h"
#include "ipc/view_json.h"

#define ERRORS_COUNT 20	/* that are shown unless told otherwise */

struct errors {
	struct error { uint32_t slot; struct seen_error e; } *v;
	unsigned n, first;	/* first: of those that are shown */
	uint64_t held;		/* that workers did not write down, because too many came */
	bool may;		/* we may see them */
};

/* ---- counts ---- */

static uint64_t errors_of(const struct view_server *s)
{
	const struct view_load *l = &s->load;

	return view_errors(l) + l->retries + l->client_aborts + s->passive + s->probes_failed;
}

static void errors_counts(FILE *out, const struct view *v, const struct wanted *w)
{
	unsigned clean = 0, shown = 0;
	char full[VIEW_FULL_MAX];

	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *s = &v->server[i];
		const struct view_load *l = &s->load;

		if (!wanted_server(w, v, s))
			continue;
		if (errors_of(s) == 0) {
			clean++;
			continue;
		}
		if (shown++ == 0)
			fprintf(out, "%-24s %7s %7s %6s %6s %7s %7s %7s %7s %8s %7s\n", "SERVER", "CONNECT", "TIMEOUT", "RESET", "CUT",
				"INVALID", "5XX", "RETRIED", "ABORTED", "FINDINGS", "PROBES");
		fprintf(out, "%-24s %7" PRIu64 " %7" PRIu64 " %6" PRIu64 " %6" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64
			" %7" PRIu64 " %8" PRIu64 " %7" PRIu64 "\n", view_full_name(v, s, full), l->connect_failures, l->timeouts,
			l->resets, l->cuts, l->invalid, l->responses[5], l->retries, l->client_aborts, s->passive,
			s->probes_failed);
	}
	if (clean)
		fprintf(out, "%s%u server%s without any error\n", shown ? "and " : "", clean, clean == 1 ? "" : "s");
	for (unsigned i = 0; i < v->npools; i++) {
		const struct view_pool *p = &v->pool[i];

		if (!wanted_pool(w, v, p))
			continue;
		if (p->queue_refused || p->queue_timeouts || p->retries || p->retries_refused)
			fprintf(out, "pool %s: %" PRIu64 " requests refused as the queue was full, %" PRIu64 " waited too long, %" PRIu64
				" retried, %" PRIu64 " not retried for the budget\n", p->name, p->queue_refused,
				p->queue_timeouts, p->retries, p->retries_refused);
	}
	for (unsigned i = 0; i < v->nworkers && !w->pattern; i++) {
		const struct view_worker *k = &v->worker[i];

		if (k->restarts || k->refused || k->log_dropped)
			fprintf(out, "worker %u: restarted %u times, refused %" PRIu64 " requests, dropped %" PRIu64
				" lines of its log\n", k->slot, k->restarts, k->refused, k->log_dropped);
	}
}

/* ---- one by one ---- */

static const struct view_server *errors_server(const struct view *v, const struct seen_error *e)
{
	for (unsigned i = 0; e->server != SEEN_NONE && i < v->nservers; i++)
		if (v->server[i].row == e->server)
			return &v->server[i];
	return NULL;
}

static const struct view_pool *errors_pool(const struct view *v, const struct seen_error *e)
{
	for (unsigned i = 0; e->pool != SEEN_NONE && i < v->npools; i++)
		if (v->pool[i].row == e->pool)
			return &v->pool[i];
	return NULL;
}

static const char *errors_listener(const struct view *v, const struct seen_error *e)
{
	for (unsigned i = 0; i < v->nlisteners; i++)
		if (v->listener[i].row == e->listener)
			return v->listener[i].name;
	return "(gone)";
}

static bool errors_wanted(const struct view *v, const struct seen_error *e, const struct wanted *w)
{
	const struct view_server *s = errors_server(v, e);
	const struct view_pool *p = errors_pool(v, e);

	return !w->pattern || (s && wanted_server(w, v, s)) || (!s && p && wanted_pool(w, v, p));
}

static int errors_by_time(const void *a, const void *b)
{
	const struct error *x = a, *y = b;

	return x->e.at_ns < y->e.at_ns ? -1 : x->e.at_ns > y->e.at_ns;
}

/* 0, or -1: no memory. */
static int errors_take(struct errors *all, struct table *t, const struct view *v, const struct wanted *w, unsigned count)
{
	struct error *more;

	memset(all, 0, sizeof(*all));
	all->may = seen_open(t) == 0 || errno != EACCES;
	for (uint32_t slot = 1; t->seen && slot < t->max_workers; slot++) {
		if (atomic_load_explicit(&t->seen[slot].errors, memory_order_acquire) == 0)
			continue;	/* untouched memory stays untouched */
		all->held += atomic_load_explicit(&t->seen[slot].errors_held, memory_order_relaxed);
		more = realloc(all->v, (all->n + SEEN_ERRORS) * sizeof(*more));
		if (!more)
			return -1;
		all->v = more;
		for (uint32_t i = 0; i < SEEN_ERRORS; i++) {
			struct error *e = &all->v[all->n];

			e->slot = slot;
			all->n += seen_get_error(t, slot, i, &e->e) && errors_wanted(v, &e->e, w);
		}
	}
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), errors_by_time);
	all->first = all->n > count ? all->n - count : 0;
	return 0;
}

/* "connection refused", "bad request: bare CR", "answered 500". */
static char *errors_cause(char *buf, size_t room, const struct seen_error *e)
{
	char why[4 * SEEN_WHY_MAX + 1];

	view_text(why, sizeof(why), e->why, sizeof(e->why));
	if (e->cause == SEEN_STATUS)
		snprintf(buf, room, "answered %u", e->status);
	else
		snprintf(buf, room, "%s%s%s", e->cause == SEEN_NO_SERVER && e->failures ? "no other server could be chosen" :
			 seen_cause_text(e->cause), why[0] ? ": " : "", why);
	return buf;
}

static char *errors_done(char *buf, size_t room, const struct seen_error *e)
{
	switch (e->done) {
	case SEEN_ANSWERED:
		snprintf(buf, room, "client got %u", e->status);
		break;
	case SEEN_RETRIED:
		snprintf(buf, room, "tried again elsewhere");
		break;
	case SEEN_PASSED:
		snprintf(buf, room, "client got it");
		break;
	default:
		snprintf(buf, room, "client's connection closed");
	}
	return buf;
}

/* The request line without its version, printable. */
static char *errors_request(char *buf, size_t room, const struct seen_error *e)
{
	char *cut;

	view_text(buf, room, e->text, e->size);
	cut = strstr(buf, " HTTP/1.");
	if (cut && e->cause != SEEN_BAD_REQUEST)
		*cut = '\0';
	return buf;
}

static void errors_line(FILE *out, const struct view *v, const struct seen_error *e)
{
	char when[TEXT_MAX], cause[512], done[64], client[SEEN_CLIENT_MAX], full[VIEW_FULL_MAX], took[TEXT_MAX];
	char text[4 * SEEN_TEXT_MAX + 1];
	const struct view_server *s = errors_server(v, e);
	const struct view_pool *p = errors_pool(v, e);

	if (s)
		view_full_name(v, s, full);
	else if (p)
		snprintf(full, sizeof(full), "%s", p->name);
	else
		snprintf(full, sizeof(full), "%s", errors_listener(v, e));
	fprintf(out, "%s.%03u %s: %s", text_clock(when, v, e->at_ns), (unsigned)(text_part_ns(v, e->at_ns) / 1000000), full,
		errors_cause(cause, sizeof(cause), e));
	if (e->took_us != UINT32_MAX && e->took_us)
		fprintf(out, " after %s", text_latency(took, (uint64_t)e->took_us * 1000));
	fprintf(out, "; %s", errors_done(done, sizeof(done), e));
	if (e->failures > (e->server != SEEN_NONE))
		fprintf(out, "; %u server%s had failed it", e->failures, e->failures == 1 ? "" : "s");
	fprintf(out, "\n             from %s %s\n", seen_client_text(client, &e->client), errors_request(text, sizeof(text), e));
}

static void errors_list(FILE *out, const struct view *v, const struct errors *all)
{
	if (!all->may) {
		fputs("\nthe errors one by one may see only root, and the user and the group of the control socket\n", out);
		return;
	}
	if (all->n == 0)
		return;
	fputs("\nthe last ones:\n", out);
	for (unsigned i = all->first; i < all->n; i++)
		errors_line(out, v, &all->v[i].e);
	if (all->first)
		fprintf(out, "%u more before these: -n %u\n", all->first, all->n);
	if (all->held)
		fprintf(out, "%" PRIu64 " were not written down, because too many came at a time\n", all->held);
}

/* ---- as JSON ---- */

static void errors_json(struct json *j, const struct view *v, const struct error *x)
{
	static const char *const done[] = {
		[SEEN_ANSWERED] = "answered", [SEEN_RETRIED] = "retried", [SEEN_PASSED] = "passed", [SEEN_CLOSED] = "closed",
	};
	char text[4 * SEEN_TEXT_MAX + 1], client[SEEN_CLIENT_MAX], full[VIEW_FULL_MAX];
	const struct seen_error *e = &x->e;
	const struct view_server *s = errors_server(v, e);
	const struct view_pool *p = errors_pool(v, e);

	json_open(j, NULL, '{');
	json_uint(j, "time_unix_ms", text_unix_ms(v, e->at_ns));
	json_uint(j, "worker", x->slot);
	json_string(j, "listener", errors_listener(v, e));
	if (p)
		json_string(j, "pool", p->name);
	else
		json_null(j, "pool");
	if (s)
		json_string(j, "server", view_full_name(v, s, full));
	else
		json_null(j, "server");
	json_string(j, "cause", seen_cause_text(e->cause));
	json_string(j, "why", view_text(text, sizeof(text), e->why, sizeof(e->why)));
	json_string(j, "done", e->done <= SEEN_CLOSED ? done[e->done] : "?");
	json_uint(j, "status", e->status);
	json_uint(j, "servers_failed", e->failures);
	if (e->took_us != UINT32_MAX)
		json_number(j, "took_seconds", e->took_us / 1e6);
	json_string(j, "client", seen_client_text(client, &e->client));
	json_string(j, "request", view_text(text, sizeof(text), e->text, e->size));
	json_close(j, '}');
}

enum lbctl_exit errors_show(struct table *t, const struct view *v, const char *pattern, const struct lbctl_options *o)
{
	enum lbctl_exit result = LBCTL_OK;
	struct wanted w;
	struct errors all = { 0 };

	if (!wanted_take(&w, v, pattern, true))
		return LBCTL_FAILED;
	if (errors_take(&all, t, v, &w, o->count ? o->count : ERRORS_COUNT) < 0) {
		fputs("lbctl: not enough memory\n", stderr);
		result = LBCTL_TABLE;
	} else if (o->json) {
		struct json j = { .out = stdout };

		json_open(&j, NULL, '{');
		view_json_into(&j, v, "errors", w.is_pool ? NULL : pattern);
		json_open(&j, "last", '[');
		for (unsigned i = all.first; i < all.n; i++)
			errors_json(&j, v, &all.v[i]);
		json_close(&j, ']');
		json_uint(&j, "not_written_down", all.held);
		json_close(&j, '}');
	} else {
		errors_counts(stdout, v, &w);
		errors_list(stdout, v, &all);
	}
	free(all.v);
	return result;
}
