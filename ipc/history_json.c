/* The table's history as JSON. */
#include "ipc/history_json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "ipc/text.h"

#define POINTS_MAX 600		/* of the longest span */

enum { HEAD, INSTANCE, POOLS, WORKERS, SERVERS, EVENTS, END };

struct series {
	const char *name;
	double (*value)(const struct history_point *p);
};

static double requests(const struct history_point *p) { return p->requests; }
static double errors(const struct history_point *p) { return p->errors; }
static double inflight(const struct history_point *p) { return p->inflight; }
static double waiting(const struct history_point *p) { return p->waiting; }
static double up(const struct history_point *p) { return p->up; }
static double p50(const struct history_point *p) { return (double)p->p50_ns / 1e9; }
static double p90(const struct history_point *p) { return (double)p->p90_ns / 1e9; }
static double p99(const struct history_point *p) { return (double)p->p99_ns / 1e9; }
static double clients(const struct history_point *p) { return p->clients; }
static double busy(const struct history_point *p) { return p->busy; }
static double lag(const struct history_point *p) { return p->lag_ns / 1e9; }
static double idle(const struct history_point *p) { return p->idle; }

static const struct series instance_series[] = {
	{ "connections", requests }, { "clients", clients }, { "in_flight", inflight }, { NULL, NULL },
};
static const struct series pool_series[] = {
	{ "requests", requests }, { "errors", errors }, { "in_flight", inflight }, { "waiting", waiting }, { "servers_up", up },
	{ "p50", p50 }, { "p90", p90 }, { "p99", p99 }, { NULL, NULL },
};
static const struct series worker_series[] = {
	{ "requests", requests }, { "refused", errors }, { "in_flight", inflight }, { "clients", clients },
	{ "idle_upstreams", idle }, { "busy", busy }, { "loop_lag", lag }, { NULL, NULL },
};
static const struct series server_series[] = {
	{ "requests", requests }, { "errors", errors }, { "in_flight", inflight }, { "p50", p50 }, { "p90", p90 }, { "p99", p99 },
	{ NULL, NULL },
};

static bool point(const struct history_json *at, const struct table *t, uint64_t n, bool flow, struct history_point *p)
{
	return at->past && history_has(t, at->span, n) &&
	    (flow ? history_read_flow : history_read_worker)(at->past, at->span, n, p) && history_has(t, at->span, n);
}

/* One series, a line. */
static void write_series(struct history_json *at, const struct table *t, const struct series *s, bool flow)
{
	double v[POINTS_MAX];
	size_t count = 0;
	struct history_point p;

	for (uint64_t n = at->first; n < at->end && count < POINTS_MAX; n++)
		v[count++] = point(at, t, n, flow, &p) ? s->value(&p) : NAN;
	json_numbers(&at->json, s->name, v, count);
}

/* [["up", 120], ["down", 3]]: a state, and for how many steps; null where there is nothing. */
static void write_states(struct history_json *at, const struct table *t)
{
	enum history_state last = HISTORY_GONE;
	unsigned run = 0;
	bool any = false;

	json_key(&at->json, "states");
	fputc('[', at->json.out);
	for (uint64_t n = at->first; n <= at->end; n++) {
		struct history_point p = { .state = HISTORY_GONE };

		if (n < at->end && !point(at, t, n, true, &p))
			p.state = HISTORY_GONE;
		if (run && (n == at->end || p.state != last)) {
			if (last == HISTORY_GONE)
				fprintf(at->json.out, "%s[null,%u]", any ? "," : "", run);
			else
				fprintf(at->json.out, "%s[\"%s\",%u]", any ? "," : "", history_state_text(last), run);
			any = true;
			run = 0;
		}
		last = p.state;
		run++;
	}
	fputc(']', at->json.out);
}

static void write_name(struct json *j, const char *key, const char *from)
{
	char name[SHM_NAME_MAX];

	memcpy(name, from, SHM_NAME_MAX);	/* a reader believes nothing: it may have no end */
	name[SHM_NAME_MAX - 1] = '\0';
	json_string(j, key, name);
}

static int64_t now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Which steps there are. */
static void begin(struct history_json *at, const struct table *t)
{
	const struct history_span *span = &history_spans[at->span];
	int64_t mono_ms = now_ms(CLOCK_MONOTONIC);
	uint64_t oldest;

	at->real_offset_ms = now_ms(CLOCK_REALTIME) - mono_ms;
	at->end = history_step(at->span, (uint64_t)mono_ms * 1000000);
	if (at->end > 0 && !history_has(t, at->span, at->end - 1))	/* it ended just now, or health is away */
		at->end--;
	oldest = at->end > span->points ? at->end - span->points : 0;
	at->first = at->since + 1 > oldest ? at->since + 1 : oldest;
	if (at->first > at->end)
		at->first = at->end;
	at->next_event = atomic_load_explicit(&t->history->events, memory_order_acquire);
	if (at->next_event < at->event)		/* of another table */
		at->event = 0;
	at->next_event = at->next_event >= at->event + SHM_HISTORY_EVENTS ? at->next_event - SHM_HISTORY_EVENTS + 1 : at->event + 1;
}

static void write_head(struct history_json *at, const struct table *t)
{
	struct json *j = &at->json;
	const struct history_span *span = &history_spans[at->span];

	json_open(j, NULL, '{');
	json_string(j, "span", span->name);
	json_uint(j, "step_seconds", span->step_ns / 1000000000);
	json_uint(j, "points", span->points);
	json_uint(j, "first", at->first);
	json_uint(j, "end", at->end);
	json_uint(j, "first_unix_ms", (uint64_t)((int64_t)(at->first * (span->step_ns / 1000000)) + at->real_offset_ms));
	json_uint(j, "now_unix_ms", (uint64_t)now_ms(CLOCK_REALTIME));
	json_uint(j, "started_unix", atomic_load_explicit(&t->inst->started_real_s, memory_order_relaxed));
}

/* ---- rows ---- */

/* The next row of the part that is in use, from at->item on. False: none. */
static bool find_row(struct history_json *at, const struct table *t)
{
	uint32_t n = at->part == POOLS ? atomic_load_explicit(&t->inst->pools, memory_order_acquire) :
	    at->part == SERVERS ? atomic_load_explicit(&t->inst->servers, memory_order_acquire) : t->max_workers;
	uint32_t most = at->part == POOLS ? t->max_pools : at->part == SERVERS ? t->max_servers : t->max_workers;

	if (at->part == WORKERS && at->item == 0)	/* slot 0 is the instance */
		at->item = 1;
	for (; at->item < n && at->item < most; at->item++) {
		if (at->part == POOLS ? atomic_load_explicit(&t->pool[at->item].used, memory_order_acquire) != 0 :
		    at->part == SERVERS ? atomic_load_explicit(&t->server[at->item].used, memory_order_acquire) != 0 &&
		    t->server[at->item].pool < t->max_pools &&
		    atomic_load_explicit(&t->health[at->item].verdict, memory_order_relaxed) != SHM_EMPTY :
		    atomic_load_explicit(&t->worker[at->item].pid, memory_order_relaxed) != 0)
			return true;
	}
	return false;
}

static void open_row(struct history_json *at, const struct table *t)
{
	struct json *j = &at->json;

	json_open(j, NULL, '{');
	at->detail = true;
	if (at->part == POOLS) {
		at->past = history_of_pool(t, at->item);
		write_name(j, "name", t->pool[at->item].name);
	} else if (at->part == WORKERS) {
		at->past = &t->past_worker[at->item];
		json_uint(j, "slot", at->item);
		json_uint(j, "pid", atomic_load_explicit(&t->worker[at->item].pid, memory_order_relaxed));
	} else {
		const char *pool = t->pool[t->server[at->item].pool % t->max_pools].name;

		at->past = history_of_server(t, at->item);
		at->detail = strcmp(at->pool, "*") == 0 || (at->pool[0] && strncmp(at->pool, pool, SHM_NAME_MAX) == 0);
		write_name(j, "pool", pool);
		write_name(j, "name", t->server[at->item].name);
		write_states(at, t);
	}
}

/* A bit of a row; true: of the part there is more. */
static bool write_row(struct history_json *at, const struct table *t, const struct series *series, bool flow)
{
	if (at->series == 0) {
		if (!find_row(at, t))
			return false;
		open_row(at, t);
		at->series = 1;
		return true;
	}
	if (at->detail && series[at->series - 1].name) {
		write_series(at, t, &series[at->series - 1], flow);
		at->series++;
		return true;
	}
	json_close(&at->json, '}');
	at->series = 0;
	at->item++;
	return true;
}

/* ---- events ---- */

static void write_event(struct history_json *at, const struct table *t, const struct history_event *e)
{
	struct json *j = &at->json;
	char why[160];

	json_open(j, NULL, '{');
	json_uint(j, "number", e->number);
	json_uint(j, "unix_ms", (uint64_t)((int64_t)(e->at_ns / 1000000) + at->real_offset_ms));
	json_string(j, "kind", e->kind == HISTORY_SERVER ? "server" : e->kind == HISTORY_RELOAD ? "generation" : "worker");
	if (e->kind == HISTORY_RELOAD) {
		json_uint(j, "generation", e->value);
	} else if (e->kind == HISTORY_WORKER) {
		json_uint(j, "slot", e->row);
	} else {
		if (e->row < t->max_servers && history_identity_server(t, e->row) == e->identity) {
			write_name(j, "pool", t->pool[t->server[e->row].pool % t->max_pools].name);
			write_name(j, "name", t->server[e->row].name);
		}
		json_string(j, "from", history_state_text(e->from));
		json_string(j, "to", history_state_text(e->to));
		if (e->to == HISTORY_DOWN)
			json_string(j, "why", text_outcome(why, sizeof why, e->why & 0xff, e->why >> 8));
		else if (e->to == HISTORY_EJECTED)
			json_string(j, "why", table_eject_text(e->why));
	}
	json_close(j, '}');
}

static bool write_events(struct history_json *at, const struct table *t)
{
	uint64_t last = atomic_load_explicit(&t->history->events, memory_order_acquire);
	struct history_event e;

	while (at->next_event <= last) {
		if (!history_read_event(t, at->next_event++, &e))
			continue;
		write_event(at, t, &e);
		return true;
	}
	return false;
}

/* ---- */

bool history_json_step(FILE *out, const struct table *t, struct history_json *at)
{
	static const char *const name[] = { [POOLS] = "pools", [WORKERS] = "workers", [SERVERS] = "servers", [EVENTS] = "events" };
	struct json *j = &at->json;
	bool more = false;

	j->out = out;
	switch (at->part) {
	case HEAD:
		begin(at, t);
		write_head(at, t);
		at->part = INSTANCE;
		return true;
	case INSTANCE:
		at->past = &t->past_worker[0];
		if (at->series == 0)
			json_open(j, "instance", '{');
		more = instance_series[at->series].name != NULL;
		if (more)
			write_series(at, t, &instance_series[at->series++], false);
		else
			json_close(j, '}');
		break;
	case POOLS:
	case WORKERS:
	case SERVERS:
	case EVENTS:
		if (at->item == 0 && at->series == 0)
			json_open(j, name[at->part], '[');
		more = at->part == EVENTS ? write_events(at, t) : at->part == POOLS ? write_row(at, t, pool_series, true) :
		    at->part == WORKERS ? write_row(at, t, worker_series, false) : write_row(at, t, server_series, true);
		if (at->part == EVENTS)
			at->item = 1;
		if (!more)
			json_close(j, ']');
		break;
	default:
		json_close(j, '}');
		return false;
	}
	if (!more) {
		at->part++;
		at->item = at->series = 0;
	}
	return true;
}
