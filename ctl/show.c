/* Showing what is there: lists, one thing a line or a paragraph. The screen is picture.c's. */
#include "ctl/show.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/conns.h"
#include "ctl/errors.h"
#include "ctl/events.h"
#include "ctl/picture.h"
#include "ctl/screen.h"
#include "ctl/wanted.h"
#include "ipc/text.h"
#include "ipc/view_json.h"

#define SHOW_INTERVAL_NS	UINT64_C(500000000)	/* between the two looks that a rate takes */

/* ---- lists ---- */

static void show_servers(FILE *out, const struct view *v, const char *pattern)
{
	char full[VIEW_FULL_MAX], why[256], probe[160], age[TEXT_MAX], when[TEXT_MAX], a[TEXT_MAX], b[TEXT_MAX], c[TEXT_MAX];

	bool is_name = view_is_name(v, pattern);

	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *s = &v->server[i];
		const struct view_load *l = &s->load;
		uint64_t since = view_since_ns(s);

		if (!view_matches(v, s, pattern, is_name))
			continue;
		fprintf(out, "%s  %s", view_full_name(v, s, full), s->address[0] ? s->address : "no address yet");
		fprintf(out, "%s%s\n", s->backup ? "  backup" : "", s->leaving ? "  leaving" : "");
		fprintf(out, "  state         %s", view_state(s));
		if (since && since <= v->now_ns)
			fprintf(out, " since %s (%s)", text_clock(when, v, since), text_age(age, v->now_ns - since));
		text_why(why, sizeof(why), s);
		fprintf(out, "%s%s\n", why[0] ? ": " : "", why);
		fprintf(out, "  probes        %s; %" PRIu64 " of %" PRIu64 " failed; %" PRIu64 " findings of workers\n",
			text_probe(probe, sizeof(probe), v, s), s->probes_failed, s->probes, s->passive);
		if (text_reports_load(&v->pool[s->pool]))
			fprintf(out, "  reports       %" PRIu64 " entries, %" PRIu64 " errors\n", s->entries, s->errors_reported);
		fprintf(out, "  available     %.3f%%\n", view_availability(v, s));
		fprintf(out, "  weight        %u", s->weight);
		if (s->weight_set)
			fprintf(out, ", set by hand (configured: %u)", s->weight_conf);
		if (s->maxconn)
			fprintf(out, "; at most %u in flight%s", s->limit, s->maxconn_least ? ", as learned" : "");
		fprintf(out, "\n  in flight     %" PRIu64 "\n", s->inflight);
		fprintf(out, "  requests      %" PRIu64, view_requests(l));
		if (s->compared)
			fprintf(out, ", %s/s", text_rate(a, s->rate));
		fprintf(out, "; %.2f%% errors\n", view_error_percent(l));
		fprintf(out, "  latency       p50 %s, p90 %s, p99 %s\n", text_latency(a, view_quantile(l->latency, 0.5)),
			text_latency(b, view_quantile(l->latency, 0.9)), text_latency(c, view_quantile(l->latency, 0.99)));
		fprintf(out, "  connections   %" PRIu64 " opened, %" PRIu64 " requests on kept ones\n", l->connects, l->reuses);
		fprintf(out, "  bytes         %" PRIu64 " sent, %" PRIu64 " received\n\n", l->bytes_to_server, l->bytes_from_server);
	}
}

static void show_pools(FILE *out, const struct view *v)
{
	char n[TEXT_MAX], rate[TEXT_MAX] = "-", p50[TEXT_MAX], p99[TEXT_MAX];

	fprintf(out, "%-20s %-18s %-6s %9s %7s %8s %9s %7s %6s %8s %8s\n", "POOL", "BALANCE", "CHECK", "UP", "FLIGHT", "WAITING",
		"REQUESTS", "RATE/s", "ERR%", "P50", "P99");
	for (unsigned i = 0; i < v->npools; i++) {
		const struct view_pool *p = &v->pool[i];
		char up[32];

		snprintf(up, sizeof(up), "%u of %u", p->up, p->n);
		if (v->compared)
			text_rate(rate, p->rate);
		fprintf(out, "%-20s %-18s %-6s %9s %7" PRIu64 " %8" PRIu64 " %9s %7s %6.2f %8s %8s%s\n", p->name, text_balance(p),
			text_check(p), up, p->inflight, p->waiting, text_count(n, (double)view_requests(&p->load)), rate,
			view_error_percent(&p->load), text_latency(p50, view_quantile(p->load.latency, 0.5)),
			text_latency(p99, view_quantile(p->load.latency, 0.99)), p->leaving ? "  leaving" : "");
	}
}

static void show_listeners(FILE *out, const struct view *v)
{
	char limit[32], n[TEXT_MAX], rate[TEXT_MAX] = "-";

	fprintf(out, "%-20s %9s %9s %9s %7s\n", "LISTENER", "CLIENTS", "LIMIT", "ACCEPTED", "RATE/s");
	for (unsigned i = 0; i < v->nlisteners; i++) {
		const struct view_listener *l = &v->listener[i];

		snprintf(limit, sizeof(limit), l->max_connections == UINT32_MAX ? "-" : "%u", l->max_connections);
		if (v->compared)
			text_rate(rate, l->rate);
		fprintf(out, "%-20s %9" PRIu64 " %9s %9s %7s%s%s\n", l->name, l->clients, limit, text_count(n, (double)l->accepted),
			rate, l->limited ? "  at its limit" : "", l->leaving ? "  leaving" : "");
	}
}

static void show_workers(FILE *out, const struct view *v)
{
	char age[TEXT_MAX], rate[TEXT_MAX] = "-", n[TEXT_MAX], lag[TEXT_MAX], busy[TEXT_MAX];

	fprintf(out, "%-6s %8s %4s %-9s %8s %8s %8s %7s %9s %7s %6s %8s %8s %8s\n", "WORKER", "PID", "GEN", "STATE", "AGE",
		"RESTARTS", "CLIENTS", "UPSTRM", "REQUESTS", "RATE/s", "COMING", "REFUSED", "LAG", "BUSY");
	for (unsigned i = 0; i < v->nworkers; i++) {
		const struct view_worker *w = &v->worker[i];

		if (v->compared)
			text_rate(rate, w->rate);
		if (w->busy_since_ns && w->busy_since_ns < v->now_ns)
			text_age(busy, v->now_ns - w->busy_since_ns);
		else
			snprintf(busy, sizeof(busy), "-");
		fprintf(out, "%-6u %8u %4u %-9s %8s %8u %8u %7u %9s %7s %6" PRIu64 " %8" PRIu64 " %8s %8s\n", w->slot, w->pid,
			w->generation, w->process_state == 'T' || w->process_state == 't' ? "stopped" : text_slot(w->state),
			text_age(age, v->now_ns > w->started_ns ? v->now_ns - w->started_ns : 0), w->restarts, w->active,
			w->idle_upstreams, text_count(n, (double)w->requests), rate,
			w->handed > w->received ? w->handed - w->received : 0, w->refused, text_latency(lag, w->loop_lag_ns), busy);
	}
}

/* ---- the command ---- */

static const char *const show_what[] = { "servers", "pools", "listeners", "workers", "errors", "events", "conns", NULL };

static int show_look(struct view *v, const struct table *t, uint64_t interval_ns)
{
	struct timespec pause = { .tv_sec = (time_t)(interval_ns / 1000000000), .tv_nsec = (long)(interval_ns % 1000000000) };
	struct view before = { 0 };

	if (interval_ns) {
		if (view_take(&before, t, true) < 0)
			return -1;
		nanosleep(&pause, NULL);
	}
	if (view_take(v, t, true) < 0)
		return -1;
	view_processes(v);
	if (interval_ns)
		view_compare(v, &before);
	view_free(&before);
	return 0;
}

enum lbctl_exit show_command(struct table *t, const struct lbctl_options *o)
{
	struct picture style = { .color = screen_colors(STDOUT_FILENO), .columns = screen_columns(STDOUT_FILENO) };
	const char *what = o->nargs > 0 ? o->arg[0] : "", *pattern = NULL;
	enum lbctl_exit result = LBCTL_OK;
	struct view v = { 0 };
	struct wanted w;
	unsigned i;

	if (strcmp(what, "conns") == 0)
		return conns_show(t, o);
	for (i = 0; show_what[i] && strcmp(show_what[i], what) != 0; i++)
		;
	if (what[0] && !show_what[i]) {	/* `show app1` is what one types */
		pattern = what;
		what = "servers";
	} else if (o->nargs > 1) {
		pattern = o->arg[1];
	}
	if (o->nargs > (pattern && pattern != o->arg[0] ? 2 : 1) || (pattern && strcmp(what, "servers") != 0 && strcmp(what, "errors") != 0 &&
	    strcmp(what, "events") != 0)) {
		fprintf(stderr, "lbctl: show takes servers [SERVER], pools, listeners, workers, errors or events [SERVER | POOL], conns [WORD...] or a server\n");
		return LBCTL_USAGE;
	}
	if (show_look(&v, t, o->interval_set ? o->interval_ns : SHOW_INTERVAL_NS) < 0) {
		fprintf(stderr, "lbctl: not enough memory\n");
		return LBCTL_TABLE;
	}
	const char *meant = pattern && pattern == o->arg[0] ? wanted_word(&v, pattern, show_what) : NULL;

	if (meant) {
		fprintf(stderr, "lbctl: show %s: there is no such server; did you mean show %s?\n", pattern, meant);
		result = LBCTL_FAILED;
	} else if (strcmp(what, "errors") == 0)
		result = errors_show(t, &v, pattern, o);
	else if (strcmp(what, "events") == 0)
		result = events_show(t, &v, pattern, o);
	else if (!wanted_take(&w, &v, pattern, false))
		result = LBCTL_FAILED;
	else if (o->json)
		view_json(stdout, &v, what, pattern);
	else if (strcmp(what, "servers") == 0)
		show_servers(stdout, &v, pattern);
	else if (strcmp(what, "pools") == 0)
		show_pools(stdout, &v);
	else if (strcmp(what, "listeners") == 0)
		show_listeners(stdout, &v);
	else if (strcmp(what, "workers") == 0)
		show_workers(stdout, &v);
	else
		picture_draw(stdout, &v, &style);
	view_free(&v);
	return result;
}
