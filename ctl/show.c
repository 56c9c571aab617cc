/*
 * Showing. The screen begins with what is wrong, because that is what it is looked at for: which server,
 * in what state, since when, why. Columns are the same for all pools, so that they can be compared.
 */
#include "ctl/show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/conns.h"
#include "ctl/errors.h"
#include "ctl/screen.h"
#include "ctl/wanted.h"
#include "ipc/text.h"
#include "ipc/view_json.h"

#define SHOW_INTERVAL_NS	UINT64_C(500000000)	/* between the two looks that a rate takes */
#define SHOW_BUSY_NS		UINT64_C(1000000000)	/* a worker busy for longer is told of */
#define SHOW_NAME_MIN		10
#define SHOW_NAME_ROOM		28

const char *const show_sorts[] = {
	[SHOW_CONFIGURED] = "configured",
	[SHOW_NAME] = "name",
	[SHOW_STATE] = "state",
	[SHOW_RATE] = "rate",
	[SHOW_INFLIGHT] = "inflight",
	[SHOW_ERRORS] = "errors",
	[SHOW_P99] = "p99",
	[SHOW_SORTS] = NULL
};

enum show_ink { INK_NONE, INK_BAD, INK_WARN, INK_BOLD };

static void show_ink(FILE *out, const struct show_style *style, enum show_ink ink)
{
	static const char *const code[] = { "\033[0m", "\033[1;31m", "\033[33m", "\033[1m" };

	if (style->color)
		fputs(code[ink], out);
}

/* ---- what is wrong ---- */

static bool show_is_up(const struct view_server *s)
{
	return s->admin == SHM_READY && s->verdict == SHM_UP && !s->eject_reason;
}

static void show_server_trouble(FILE *out, const struct view *v, const struct view_server *s,
				const struct show_style *style)
{
	char full[VIEW_FULL_MAX], why[256], age[TEXT_MAX], when[TEXT_MAX];
	/* Nobody notes when a server was ejected; its verdict is older. */
	uint64_t since = s->verdict == SHM_UP && s->eject_reason ? 0 : view_since_ns(s);

	show_ink(out, style, s->verdict == SHM_DOWN ? INK_BAD : INK_WARN);
	fprintf(out, "! %s is %s", view_full_name(v, s, full),
		s->admin == SHM_DRAIN ? "drained" : s->admin == SHM_MAINT ? "in maintenance" : view_state(s));
	if (since && since <= v->now_ns)
		fprintf(out, " since %s (%s)", text_clock(when, v, since), text_age(age, v->now_ns - since));
	text_why(why, sizeof(why), s);
	fprintf(out, "%s%s\n", why[0] ? ": " : "", why);
	show_ink(out, style, INK_NONE);
}

static void show_trouble(FILE *out, const struct view *v, const struct show_style *style)
{
	char age[TEXT_MAX];

	if (!v->supervisor_state)
		fprintf(out, "! the supervisor (pid %u) is not there any more: these are its last words\n", v->supervisor_pid);
	else if (v->supervisor_state == 'T' || v->supervisor_state == 't')
		fprintf(out, "! the supervisor is stopped (SIGSTOP): nothing new is accepted, nobody is replaced; "
			"kill -CONT %u\n", v->supervisor_pid);
	if (v->supervisor_state && !v->health_pid)
		fprintf(out, "! there is no health process at the moment: verdicts stay as they are\n");
	for (unsigned i = 0; i < v->nworkers; i++) {
		const struct view_worker *w = &v->worker[i];

		if (w->busy_since_ns && w->busy_since_ns < v->now_ns && v->now_ns - w->busy_since_ns > SHOW_BUSY_NS)
			fprintf(out, "! worker %u (pid %u) has not come round for %s\n", w->slot, w->pid,
				text_age(age, v->now_ns - w->busy_since_ns));
	}
	for (unsigned i = 0; i < v->nlisteners; i++)
		if (v->listener[i].limited)
			fprintf(out, "! listener %s holds as many connections as it may (max-connections): who comes waits\n",
				v->listener[i].name);
	for (unsigned i = 0; i < v->npools; i++) {
		const struct view_pool *p = &v->pool[i];
		char when[TEXT_MAX];

		if (!p->leaving && p->unresolved_ns && p->unresolved_ns <= v->now_ns) {
			show_ink(out, style, INK_WARN);
			fprintf(out, "! pool %s: a name has not resolved since %s (%s); the last servers stay\n", p->name,
				text_clock(when, v, p->unresolved_ns), text_age(age, v->now_ns - p->unresolved_ns));
			show_ink(out, style, INK_NONE);
		}
		if (p->leaving || p->up || (!p->n && !p->empty))
			continue;
		show_ink(out, style, INK_BAD);
		fprintf(out, "! pool %s has no server that is up: its clients get errors\n", p->name);
		show_ink(out, style, INK_NONE);
	}
	for (unsigned i = 0; i < v->nservers; i++)
		if (!show_is_up(&v->server[i]) && !v->server[i].leaving)
			show_server_trouble(out, v, &v->server[i], style);
}

/* ---- the screen ---- */

static void show_head(FILE *out, const struct view *v, const struct show_style *style)
{
	char age[TEXT_MAX], n[TEXT_MAX], rate[TEXT_MAX];
	unsigned serving = 0, retiring = 0, starting = 0, up = 0, all = 0;
	uint64_t clients = 0, inflight = 0, requests = 0;

	for (unsigned i = 0; i < v->nworkers; i++) {
		serving += v->worker[i].state == SHM_SLOT_SERVING;
		retiring += v->worker[i].state == SHM_SLOT_RETIRING;
		starting += v->worker[i].state == SHM_SLOT_STARTING;
		clients += v->worker[i].active;
	}
	for (unsigned i = 0; i < v->nservers; i++) {
		up += show_is_up(&v->server[i]) && !v->server[i].leaving;
		all += !v->server[i].leaving;
		inflight += v->server[i].inflight;
		requests += view_requests(&v->server[i].load);
	}
	show_ink(out, style, INK_BOLD);
	fprintf(out, "loadbalancer %s, pid %u, up %s", v->version, v->supervisor_pid,
		text_age(age, v->now_ns > v->started_ns ? v->now_ns - v->started_ns : 0));
	if (v->generation > 1) {
		int64_t ago = (int64_t)time(NULL) - (int64_t)v->reloaded_real_s;

		fprintf(out, "; generation %u since %s", v->generation, text_age(age, (uint64_t)(ago > 0 ? ago : 0) * 1000000000));
	}
	fputc('\n', out);
	show_ink(out, style, INK_NONE);
	fprintf(out, "%u of %u server%s up; %u worker%s", up, all, all == 1 ? "" : "s", serving, serving == 1 ? "" : "s");
	if (starting)
		fprintf(out, ", %u starting", starting);
	if (retiring)
		fprintf(out, ", %u retiring", retiring);
	fprintf(out, "; %" PRIu64 " client%s, %" PRIu64 " in flight; ", clients, clients == 1 ? "" : "s", inflight);
	fprintf(out, "%s requests", text_count(n, (double)requests));
	if (v->compared)
		fprintf(out, ", %s/s", text_rate(rate, v->rate));
	fprintf(out, "; %s connections", text_count(n, (double)v->accepted));
	if (v->compared)
		fprintf(out, ", %s/s", text_rate(rate, v->accept_rate));
	fputc('\n', out);
}

static const struct view_load *show_load(const struct view_server *s, const struct show_style *style)
{
	return style->lately && s->compared ? &s->lately : &s->load;
}

static int show_name_width(const struct view *v)
{
	size_t width = SHOW_NAME_MIN;

	for (unsigned i = 0; i < v->nservers; i++)
		if (strlen(v->server[i].name) > width)
			width = strlen(v->server[i].name);
	return (int)(width > SHOW_NAME_ROOM ? SHOW_NAME_ROOM : width);
}

static const struct view *show_sorted;		/* for the comparison, which gets no argument */
static const struct show_style *show_sorted_by;

static int show_state_rank(const struct view_server *s)
{
	return s->leaving ? 4 : s->verdict == SHM_DOWN ? 0 : s->admin != SHM_READY ? 1 : s->verdict == SHM_UP ? 3 : 2;
}

static double show_key(const struct view_server *s)
{
	switch (show_sorted_by->sort) {
	case SHOW_STATE:
		return -show_state_rank(s);
	case SHOW_RATE:
		return s->rate;
	case SHOW_INFLIGHT:
		return (double)s->inflight;
	case SHOW_ERRORS:
		return view_error_percent(show_load(s, show_sorted_by));
	case SHOW_P99:
		return (double)view_quantile(show_load(s, show_sorted_by)->latency, 0.99);
	default:
		return 0;
	}
}

static int show_order(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	const struct view_server *s = &show_sorted->server[x], *o = &show_sorted->server[y];
	double ks = show_key(s), ko = show_key(o);

	if (show_sorted_by->sort == SHOW_NAME && strcmp(s->name, o->name) != 0)
		return strcmp(s->name, o->name);
	if (ks > ko || ks < ko)
		return ks > ko ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void show_server_line(FILE *out, const struct view *v, const struct view_server *s, int width,
			     const struct show_style *style)
{
	char age[TEXT_MAX] = "-", n[TEXT_MAX], rate[TEXT_MAX] = "-", p50[TEXT_MAX], p99[TEXT_MAX], probe[160], weight[40];
	const struct view_load *l = show_load(s, style);
	const struct view_pool *p = &v->pool[s->pool];
	uint64_t since = view_since_ns(s);
	enum show_ink ink = s->leaving ? INK_NONE : s->verdict == SHM_DOWN ? INK_BAD : show_is_up(s) ? INK_NONE : INK_WARN;

	if (since && since <= v->now_ns)
		text_age(age, v->now_ns - since);
	if (s->compared)
		text_rate(rate, s->rate);
	/* A weight that somebody set by hand stands out. */
	snprintf(weight, sizeof(weight), "%u%s", s->weight, s->weight_set ? "*" : "");
	fprintf(out, "  %-*.*s ", width, width, s->name);
	show_ink(out, style, ink);
	fprintf(out, "%-7s", view_state(s));
	show_ink(out, style, INK_NONE);
	fprintf(out, " %7s %5s%s %6" PRIu64 " %8s %6s %5.1f %7s %7s %6.2f  ", age, weight, s->backup ? "b" : " ", s->inflight,
		text_count(n, (double)view_requests(&s->load)), rate, view_error_percent(l),
		text_latency(p50, view_quantile(l->latency, 0.5)), text_latency(p99, view_quantile(l->latency, 0.99)),
		view_availability(v, s));
	show_ink(out, style, ink);
	fputs(text_probe(probe, sizeof(probe), v, s), out);
	show_ink(out, style, INK_NONE);
	if (text_reports_load(p) && s->probes > s->probes_failed)
		fprintf(out, "; %" PRIu64 " entries, %" PRIu64 " errors", s->entries, s->errors_reported);
	if (p->places && s->address[0])	/* its name says nothing of who it is */
		fprintf(out, "; %s", s->address);
	fputc('\n', out);
}

static void show_pool_lines(FILE *out, const struct view *v, unsigned pool, int width, const struct show_style *style)
{
	const struct view_pool *p = &v->pool[pool];
	unsigned *order = calloc(p->n + 1u, sizeof(*order));
	char n[TEXT_MAX];

	if (!order)
		return;
	fputc('\n', out);
	show_ink(out, style, INK_BOLD);
	fprintf(out, "pool %s", p->name);
	show_ink(out, style, INK_NONE);
	fprintf(out, ": %s, check %s; %u of %u up", text_balance(p), text_check(p), p->up, p->n);
	if (p->places)
		fprintf(out, ", %" PRIu64 " of %" PRIu64 " places empty", p->empty, p->places);
	fprintf(out, "; %" PRIu64 " in flight", p->inflight);
	if (p->waiting)
		fprintf(out, ", %" PRIu64 " waiting", p->waiting);
	if (v->compared)
		fprintf(out, ", %s/s", text_rate(n, p->rate));
	fprintf(out, ", %.1f%% errors%s\n", view_error_percent(style->lately && v->compared ? &p->lately : &p->load),
		p->leaving ? "; not in the configuration any more" : "");
	fprintf(out, "  %-*s %-7s %7s %6s %6s %8s %6s %5s %7s %7s %6s  %s\n", width, "SERVER", "STATE", "SINCE", "WEIGHT ",
		"FLIGHT", "REQUESTS", "RATE/s", "ERR%", "P50", "P99", "AVAIL%", "LAST PROBE");
	for (unsigned i = 0; i < p->n; i++)
		order[i] = p->first + i;
	show_sorted = v;
	show_sorted_by = style;
	qsort(order, p->n, sizeof(*order), show_order);
	for (unsigned i = 0; i < p->n; i++)
		show_server_line(out, v, &v->server[order[i]], width, style);
	free(order);
}

void show_screen(FILE *out, const struct view *v, const struct show_style *style)
{
	int width = show_name_width(v);

	show_head(out, v, style);
	show_trouble(out, v, style);
	for (unsigned i = 0; i < v->npools; i++)
		show_pool_lines(out, v, i, width, style);
}

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
			w->generation, text_slot(w->state),
			text_age(age, v->now_ns > w->started_ns ? v->now_ns - w->started_ns : 0), w->restarts, w->active,
			w->idle_upstreams, text_count(n, (double)w->requests), rate,
			w->handed > w->received ? w->handed - w->received : 0, w->refused, text_latency(lag, w->loop_lag_ns), busy);
	}
}

/* ---- the command ---- */

static const char *const show_what[] = { "servers", "pools", "listeners", "workers", "errors", NULL };	/* and conns */

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
	if (interval_ns)
		view_compare(v, &before);
	view_free(&before);
	return 0;
}

enum lbctl_exit show_command(struct table *t, const struct lbctl_options *o)
{
	struct show_style style = { .color = screen_colors(STDOUT_FILENO) };
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
	if (o->nargs > (pattern && pattern != o->arg[0] ? 2 : 1) || (pattern && strcmp(what, "servers") != 0 && strcmp(what, "errors") != 0)) {
		fprintf(stderr, "lbctl: show takes servers [SERVER], pools, listeners, workers, errors [SERVER | POOL], conns [WORD...] or a server\n");
		return LBCTL_USAGE;
	}
	if (show_look(&v, t, o->interval_set ? o->interval_ns : SHOW_INTERVAL_NS) < 0) {
		fprintf(stderr, "lbctl: not enough memory\n");
		return LBCTL_TABLE;
	}
	if (strcmp(what, "errors") == 0)
		result = errors_show(t, &v, pattern, o);
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
		show_screen(stdout, &v, &style);
	view_free(&v);
	return result;
}
