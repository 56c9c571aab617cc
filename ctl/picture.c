/*
 * The screen begins with what is wrong, because that is what it is looked at for: which server, in what
 * state, since when, why. Columns are the same for all pools, so that they can be compared.
 */
#include "ctl/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/trouble.h"
#include "ipc/seen.h"
#include "ipc/text.h"

#define PICTURE_NAME_MIN	10
#define PICTURE_NAME_ROOM	28
#define PICTURE_NAME_NARROW	14

const char *const picture_sorts[] = {
	[PICTURE_CONFIGURED] = "configured",
	[PICTURE_NAME] = "name",
	[PICTURE_STATE] = "state",
	[PICTURE_RATE] = "rate",
	[PICTURE_INFLIGHT] = "inflight",
	[PICTURE_ERRORS] = "errors",
	[PICTURE_P99] = "p99",
	[PICTURE_SORTS] = NULL
};

bool picture_is_up(const struct view_server *s)
{
	return s->admin == SHM_READY && s->verdict == SHM_UP && !s->eject_reason;
}

static bool picture_narrow(const struct picture *how)
{
	return how->columns && how->columns < PICTURE_WIDE;
}

/* ---- the head ---- */

static void picture_head(FILE *out, const struct view *v, const struct picture *how)
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
		up += picture_is_up(&v->server[i]) && !v->server[i].leaving;
		all += !v->server[i].leaving;
		inflight += v->server[i].inflight;
		requests += view_requests(&v->server[i].load);
	}
	screen_ink(out, how->color, INK_BOLD);
	fprintf(out, "loadbalancer %s, pid %u, up %s", v->version, v->supervisor_pid,
		text_age(age, v->now_ns > v->started_ns ? v->now_ns - v->started_ns : 0));
	if (v->generation > 1) {
		int64_t ago = (int64_t)time(NULL) - (int64_t)v->reloaded_real_s;

		fprintf(out, "; generation %u since %s", v->generation, text_age(age, (uint64_t)(ago > 0 ? ago : 0) * 1000000000));
	}
	fputc('\n', out);
	screen_ink(out, how->color, INK_NONE);
	fprintf(out, "%u of %u server%s up; %u worker%s", up, all, all == 1 ? "" : "s", serving, serving == 1 ? "" : "s");
	if (starting)
		fprintf(out, ", %u starting", starting);
	if (retiring)
		fprintf(out, ", %u retiring", retiring);
	fprintf(out, "; %" PRIu64 " client%s, %" PRIu64 " in flight%s", clients, clients == 1 ? "" : "s", inflight,
		picture_narrow(how) ? "\n" : "; ");
	fprintf(out, "%s requests", text_count(n, (double)requests));
	if (v->compared)
		fprintf(out, ", %s/s", text_rate(rate, v->rate));
	fprintf(out, "; %s connections", text_count(n, (double)v->accepted));
	if (v->compared)
		fprintf(out, ", %s/s", text_rate(rate, v->accept_rate));
	fputc('\n', out);
}

/* ---- servers in order ---- */

static const struct view_load *picture_load(const struct view_server *s, const struct picture *how)
{
	return how->lately && s->compared ? &s->lately : &s->load;
}

static const struct view *picture_sorted;	/* for the comparison, which gets no argument */
static const struct picture *picture_sorted_by;

static int picture_rank(const struct view_server *s)
{
	return s->leaving ? 5 : s->admin != SHM_READY ? 2 : s->verdict == SHM_DOWN ? 0 : s->verdict != SHM_UP ? 3 : s->eject_reason ? 1 : 4;
}

static double picture_key(const struct view_server *s)
{
	switch (picture_sorted_by->sort) {
	case PICTURE_STATE:
		return -picture_rank(s);
	case PICTURE_RATE:
		return s->rate;
	case PICTURE_INFLIGHT:
		return (double)s->inflight;
	case PICTURE_ERRORS:
		return view_error_percent(picture_load(s, picture_sorted_by));
	case PICTURE_P99:
		return (double)view_quantile(picture_load(s, picture_sorted_by)->latency, 0.99);
	default:
		return 0;
	}
}

static int picture_order(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	const struct view_server *s = &picture_sorted->server[x], *o = &picture_sorted->server[y];
	double ks = picture_key(s), ko = picture_key(o);

	if (picture_sorted_by->sort == PICTURE_NAME && strcmp(s->name, o->name) != 0)
		return strcmp(s->name, o->name);
	if (ks > ko || ks < ko)
		return ks > ko ? -1 : 1;
	return x < y ? -1 : x > y;
}

static bool picture_shows(const struct view *v, const struct view_server *s, const struct picture *how)
{
	return (!how->wanted || wanted_server(how->wanted, v, s)) && (!how->trouble || (!picture_is_up(s) && !s->leaving));
}

/* ---- lines ---- */

static int picture_name_width(const struct view *v, const struct picture *how)
{
	size_t width = PICTURE_NAME_MIN, most = picture_narrow(how) ? PICTURE_NAME_NARROW : PICTURE_NAME_ROOM;

	for (unsigned i = 0; i < v->nservers; i++)
		if (strlen(v->server[i].name) > width)
			width = strlen(v->server[i].name);
	return (int)(width > most ? most : width);
}

/* A name that does not fit keeps its end, where names differ. */
static void picture_name(FILE *out, const char *name, int width)
{
	int n = (int)strlen(name);

	if (n <= width)
		fprintf(out, "  %-*s ", width, name);
	else
		fprintf(out, "  ~%s ", name + (n - width + 1));
}

/* What a line of few columns ends with: why it does not serve, or how it does. In few words: it is cut at the edge. */
static void picture_note(char *buf, size_t room, const struct view *v, const struct view_server *s)
{
	char why[256], latency[TEXT_MAX];

	if (s->admin == SHM_READY && s->verdict == SHM_DOWN)
		snprintf(why, sizeof(why), "%s%s", seen_cause_text(s->down_outcome), s->in_a_row ? "; probes good again" : "");
	else
		text_why(why, sizeof(why), s);
	if (!why[0] && s->outcome == SHM_OUT_OK && s->probes)
		snprintf(why, sizeof(why), "probe %s", text_latency(latency, s->probe_latency_ns));
	/* The name of a place says nothing of who holds it. */
	snprintf(buf, room, "%s%s%s%s%s", v->pool[s->pool].places ? s->address : "", v->pool[s->pool].places && s->address[0] ? "; " : "", why,
		 s->backup ? " (backup)" : "", s->weight_set ? " (weight by hand)" : "");
}

static void picture_server(FILE *out, const struct view *v, const struct view_server *s, int width, const struct picture *how)
{
	char age[TEXT_MAX] = "-", n[TEXT_MAX], rate[TEXT_MAX] = "-", p50[TEXT_MAX], p99[TEXT_MAX], probe[512], weight[40];
	const struct view_load *l = picture_load(s, how);
	uint64_t since = view_since_ns(s);
	enum screen_ink ink = s->leaving ? INK_NONE : s->verdict == SHM_DOWN ? INK_BAD : picture_is_up(s) ? INK_NONE : INK_WARN;
	double errors = view_error_percent(l);

	if (since && since <= v->now_ns)
		text_age(age, v->now_ns - since);
	if (s->compared)
		text_rate(rate, s->rate);
	text_latency(p99, view_quantile(l->latency, 0.99));
	picture_name(out, s->name, width);
	screen_ink(out, how->color, ink);
	fprintf(out, "%-7s", view_state(s));
	screen_ink(out, how->color, INK_NONE);
	if (picture_narrow(how)) {
		int used = width + 46;

		fprintf(out, " %7s %6" PRIu64 " %6s ", age, s->inflight, rate);
		screen_ink(out, how->color, errors >= TROUBLE_ERRORS ? INK_BAD : INK_NONE);
		fprintf(out, "%5.1f", errors);
		screen_ink(out, how->color, INK_NONE);
		fprintf(out, " %7s  ", p99);
		picture_note(probe, sizeof(probe), v, s);
		screen_ink(out, how->color, ink);
		fprintf(out, "%.*s\n", (int)how->columns > used ? (int)how->columns - used : 0, probe);
		screen_ink(out, how->color, INK_NONE);
		return;
	}
	/* A weight that somebody set by hand stands out. */
	snprintf(weight, sizeof(weight), "%u%s", s->weight, s->weight_set ? "*" : "");
	fprintf(out, " %7s %5s%s %6" PRIu64 " %8s %6s ", age, weight, s->backup ? "b" : " ", s->inflight,
		text_count(n, (double)view_requests(&s->load)), rate);
	screen_ink(out, how->color, errors >= TROUBLE_ERRORS ? INK_BAD : INK_NONE);
	fprintf(out, "%5.1f", errors);
	screen_ink(out, how->color, INK_NONE);
	fprintf(out, " %7s %7s %6.2f  ", text_latency(p50, view_quantile(l->latency, 0.5)), p99, view_availability(v, s));
	screen_ink(out, how->color, ink);
	fputs(text_probe(probe, sizeof(probe), v, s), out);
	screen_ink(out, how->color, INK_NONE);
	if (text_reports_load(&v->pool[s->pool]) && s->probes > s->probes_failed)
		fprintf(out, "; %" PRIu64 " entries, %" PRIu64 " errors", s->entries, s->errors_reported);
	if (v->pool[s->pool].places && s->address[0])	/* its name says nothing of who it is */
		fprintf(out, "; %s", s->address);
	fputc('\n', out);
}

static void picture_pool(FILE *out, const struct view *v, unsigned pool, int width, const struct picture *how)
{
	const struct view_pool *p = &v->pool[pool];
	unsigned *order = calloc(p->n + 1u, sizeof(*order)), shown = 0;
	char n[TEXT_MAX];

	if (!order)
		return;
	for (unsigned i = 0; i < p->n; i++)
		if (picture_shows(v, &v->server[p->first + i], how))
			order[shown++] = p->first + i;
	if ((how->wanted || how->trouble) && shown == 0) {
		free(order);
		return;
	}
	fputc('\n', out);
	screen_ink(out, how->color, INK_BOLD);
	fprintf(out, "pool %s", p->name);
	screen_ink(out, how->color, INK_NONE);
	fprintf(out, ": %s", text_balance(p));
	if (!picture_narrow(how))
		fprintf(out, ", check %s", text_check(p));
	fprintf(out, "; %u of %u up", p->up, p->n);
	if (p->places)
		fprintf(out, ", %" PRIu64 " of %" PRIu64 " places empty", p->empty, p->places);
	fprintf(out, "; %" PRIu64 " in flight", p->inflight);
	if (p->waiting)
		fprintf(out, ", %" PRIu64 " waiting", p->waiting);
	if (v->compared)
		fprintf(out, ", %s/s", text_rate(n, p->rate));
	fprintf(out, ", %.1f%% errors%s\n", view_error_percent(how->lately && v->compared ? &p->lately : &p->load),
		p->leaving ? "; not in the configuration any more" : "");
	if (picture_narrow(how))
		fprintf(out, "  %-*s %-7s %7s %6s %6s %5s %7s  %s\n", width, "SERVER", "STATE", "SINCE", "FLIGHT", "RATE/s", "ERR%",
			"P99", "WHY, OR LAST PROBE");
	else
		fprintf(out, "  %-*s %-7s %7s %6s %6s %8s %6s %5s %7s %7s %6s  %s\n", width, "SERVER", "STATE", "SINCE", "WEIGHT ",
			"FLIGHT", "REQUESTS", "RATE/s", "ERR%", "P50", "P99", "AVAIL%", "LAST PROBE");
	picture_sorted = v;
	picture_sorted_by = how;
	qsort(order, shown, sizeof(*order), picture_order);
	for (unsigned i = 0; i < shown; i++)
		picture_server(out, v, &v->server[order[i]], width, how);
	if (shown < p->n)
		fprintf(out, "  and %u more\n", p->n - shown);
	free(order);
}

/* The lines of trouble: what does not fit goes on below, it is what the screen is for. */
static void picture_trouble(FILE *out, const struct view *v, const struct picture *how)
{
	char *text = NULL;
	size_t size = 0;
	FILE *lines = how->columns ? open_memstream(&text, &size) : NULL;

	trouble_tell(lines ? lines : out, v, how);
	if (!lines)
		return;
	if (fclose(lines) == 0)
		screen_wrap(out, text, how->columns);
	free(text);
}

void picture_draw(FILE *out, const struct view *v, const struct picture *how)
{
	int width = picture_name_width(v, how);

	picture_head(out, v, how);
	picture_trouble(out, v, how);
	for (unsigned i = 0; i < v->npools; i++)
		picture_pool(out, v, i, width, how);
}
