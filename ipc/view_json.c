/* What is shown, as JSON. */
#include "ipc/view_json.h"

#include <string.h>

#include "ipc/text.h"

static double view_json_seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* Seconds that have passed since then; null when it never was. */
static void view_json_age(struct json *j, const char *key, const struct view *v, uint64_t mono_ns)
{
	if (mono_ns == 0 || mono_ns > v->now_ns)
		json_null(j, key);
	else
		json_number(j, key, view_json_seconds(v->now_ns - mono_ns));
}

static void view_json_latency(struct json *j, const struct view_load *l)
{
	json_open(j, "latency_seconds", '{');
	json_number(j, "p50", view_json_seconds(view_quantile(l->latency, 0.5)));
	json_number(j, "p90", view_json_seconds(view_quantile(l->latency, 0.9)));
	json_number(j, "p99", view_json_seconds(view_quantile(l->latency, 0.99)));
	json_number(j, "moving_mean", view_json_seconds(l->latency_ewma_ns));
	json_close(j, '}');
}

/* Of the last seconds, where the table's history was looked at and has something of them. */
static void view_json_recent(struct json *j, const struct view_recent *r)
{
	if (!r->seconds)
		return;
	json_open(j, "recent", '{');
	json_uint(j, "seconds", r->seconds);
	json_number(j, "rate", r->rate);
	json_number(j, "error_rate", r->error_rate);
	json_number(j, "p50_seconds", view_json_seconds(r->p50_ns));
	json_number(j, "p90_seconds", view_json_seconds(r->p90_ns));
	json_number(j, "p99_seconds", view_json_seconds(r->p99_ns));
	json_close(j, '}');
}

static void view_json_errors(struct json *j, const struct view_server *s)
{
	const struct view_load *l = &s->load;

	json_open(j, "errors", '{');
	json_uint(j, "connect", l->connect_failures);
	json_uint(j, "timeout", l->timeouts);
	json_uint(j, "reset", l->resets);
	json_uint(j, "cut", l->cuts);
	json_uint(j, "invalid", l->invalid);
	json_uint(j, "status_5xx", l->responses[5]);
	json_uint(j, "retried", l->retries);
	json_uint(j, "client_aborted", l->client_aborts);
	json_uint(j, "worker_findings", s->passive);
	json_uint(j, "failed_probes", s->probes_failed);
	json_close(j, '}');
}

static void view_json_probe(struct json *j, const struct view *v, const struct view_server *s)
{
	char text[160];

	json_open(j, "probe", '{');
	json_string(j, "outcome", text_outcome(text, sizeof(text), s->outcome, s->status));
	json_uint(j, "status", s->status);
	json_number(j, "latency_seconds", view_json_seconds(s->probe_latency_ns));
	view_json_age(j, "age_seconds", v, s->probed_ns);
	json_uint(j, "count", s->probes);
	json_uint(j, "failed", s->probes_failed);
	json_close(j, '}');
}

static void view_json_server(struct json *j, const struct view *v, const struct view_server *s)
{
	static const char *const class[6] = { "tcp", "1xx", "2xx", "3xx", "4xx", "5xx" };
	const struct view_load *l = &s->load;
	uint64_t since = view_since_ns(s);
	char text[256];

	json_open(j, NULL, '{');
	json_string(j, "pool", v->pool[s->pool].name);
	json_string(j, "name", s->name);
	json_string(j, "address", s->address);
	json_string(j, "state", view_state(s));
	json_string(j, "verdict", table_verdict_text(s->verdict));
	json_string(j, "admin", s->admin == SHM_MAINT ? "maint" : s->admin == SHM_DRAIN ? "drain" : "ready");
	json_string(j, "why", text_why(text, sizeof(text), s));
	view_json_age(j, "state_age_seconds", v, since);
	if (since)
		json_uint(j, "since_unix", (uint64_t)((int64_t)(since / 1000000000) + v->real_offset_s));
	else
		json_null(j, "since_unix");
	json_number(j, "availability_percent", view_availability(v, s));
	json_bool(j, "backup", s->backup != 0);
	json_uint(j, "weight", s->weight);
	json_uint(j, "weight_configured", s->weight_conf);
	json_bool(j, "weight_by_hand", s->weight_set != 0);
	json_uint(j, "maxconn", s->maxconn);
	json_uint(j, "in_flight_limit", s->limit);
	json_uint(j, "in_flight", s->inflight);
	json_uint(j, "requests", view_requests(l));
	if (s->compared)
		json_number(j, "rate", s->rate);
	else
		json_null(j, "rate");
	json_number(j, "error_percent", view_error_percent(l));
	view_json_recent(j, &s->recent);
	json_open(j, "responses", '{');
	for (unsigned i = 0; i < 6; i++)
		json_uint(j, class[i], l->responses[i]);
	json_close(j, '}');
	view_json_latency(j, l);
	view_json_errors(j, s);
	json_uint(j, "ejections", s->ejections);
	json_uint(j, "connections_opened", l->connects);
	json_uint(j, "connections_reused", l->reuses);
	json_uint(j, "bytes_sent", l->bytes_to_server);
	json_uint(j, "bytes_received", l->bytes_from_server);
	view_json_probe(j, v, s);
	if (text_reports_load(&v->pool[s->pool])) {
		json_open(j, "reported", '{');
		json_uint(j, "entries", s->entries);
		json_uint(j, "errors", s->errors_reported);
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void view_json_pool(struct json *j, const struct view *v, const struct view_pool *p)
{
	json_open(j, NULL, '{');
	json_string(j, "name", p->name);
	json_string(j, "balance", text_balance(p));
	json_string(j, "check", text_check(p));
	json_bool(j, "leaving", p->leaving);
	json_uint(j, "servers", p->n);
	json_uint(j, "servers_up", p->up);
	json_uint(j, "places", p->places);
	json_uint(j, "places_empty", p->empty);
	view_json_age(j, "unresolved_age_seconds", v, p->unresolved_ns);
	json_uint(j, "in_flight", p->inflight);
	json_open(j, "queue", '{');
	json_uint(j, "waiting", p->waiting);
	json_uint(j, "waited", p->queued);
	json_number(j, "waited_seconds", (double)p->queue_wait_ns / 1e9);
	json_uint(j, "refused", p->queue_refused);
	json_uint(j, "timeouts", p->queue_timeouts);
	json_uint(j, "shed", p->shed);
	json_close(j, '}');
	json_uint(j, "retries", p->retries);
	json_uint(j, "retries_refused", p->retries_refused);
	json_open(j, "hedge", '{');
	json_number(j, "late_seconds", (double)p->late_ns / 1e9);
	json_uint(j, "sent", p->hedges);
	json_uint(j, "won", p->hedges_won);
	json_uint(j, "refused", p->hedges_refused);
	json_close(j, '}');
	json_uint(j, "requests", view_requests(&p->load));
	if (v->compared)
		json_number(j, "rate", p->rate);
	else
		json_null(j, "rate");
	json_number(j, "error_percent", view_error_percent(&p->load));
	view_json_recent(j, &p->recent);
	view_json_latency(j, &p->load);
	json_uint(j, "probe_rounds", p->rounds);
	json_close(j, '}');
}

/* A limit; null: there is none. */
static void view_json_limit(struct json *j, const char *key, uint32_t limit)
{
	if (limit == UINT32_MAX)
		json_null(j, key);
	else
		json_uint(j, key, limit);
}

static void view_json_listener(struct json *j, const struct view *v, const struct view_listener *l)
{
	json_open(j, NULL, '{');
	json_string(j, "name", l->name);
	json_bool(j, "leaving", l->leaving);
	json_uint(j, "clients", l->clients);
	view_json_limit(j, "max_connections", l->max_connections);
	json_bool(j, "at_limit", l->limited != 0);
	json_uint(j, "accepted", l->accepted);
	if (v->compared)
		json_number(j, "rate", l->rate);
	else
		json_null(j, "rate");
	json_close(j, '}');
}

static void view_json_worker(struct json *j, const struct view *v, const struct view_worker *w)
{
	json_open(j, NULL, '{');
	json_uint(j, "slot", w->slot);
	json_uint(j, "pid", w->pid);
	json_uint(j, "generation", w->generation);
	json_string(j, "state", text_slot(w->state));
	view_json_age(j, "age_seconds", v, w->started_ns);
	json_uint(j, "restarts", w->restarts);
	json_uint(j, "clients", w->active);
	json_uint(j, "idle_upstreams", w->idle_upstreams);
	json_uint(j, "in_flight", w->inflight);
	json_uint(j, "requests", w->requests);
	if (v->compared)
		json_number(j, "rate", w->rate);
	else
		json_null(j, "rate");
	json_uint(j, "coming", w->handed > w->received ? w->handed - w->received : 0);
	json_uint(j, "refused", w->refused);
	json_uint(j, "log_lines_dropped", w->log_dropped);
	json_number(j, "loop_lag_seconds", view_json_seconds(w->loop_lag_ns));
	view_json_age(j, "busy_seconds", v, w->busy_since_ns);
	if (w->process_state)
		json_bool(j, "stopped", w->process_state == 'T' || w->process_state == 't');
	json_number(j, "busy_total_seconds", view_json_seconds(w->busy_ns));
	json_number(j, "cpu_seconds", view_json_seconds(w->cpu_ns));
	json_close(j, '}');
}

static void view_json_instance(struct json *j, const struct view *v)
{
	json_open(j, "instance", '{');
	json_string(j, "name", v->instance);
	json_string(j, "version", v->version);
	json_uint(j, "pid", v->supervisor_pid);
	json_bool(j, "alive", v->supervisor_state != 0);
	json_bool(j, "stopped", v->supervisor_state == 'T' || v->supervisor_state == 't');
	json_uint(j, "health_pid", v->health_pid);
	json_uint(j, "generation", v->generation);
	json_number(j, "uptime_seconds", view_json_seconds(v->now_ns > v->started_ns ? v->now_ns - v->started_ns : 0));
	json_uint(j, "started_unix", v->started_real_s);
	json_uint(j, "reloaded_unix", v->reloaded_real_s);
	json_string(j, "control", v->control);
	json_uint(j, "now_unix", (uint64_t)((int64_t)(v->now_ns / 1000000000) + v->real_offset_s));
	json_number(j, "cpu_seconds", view_json_seconds(v->supervisor_cpu_ns));
	json_number(j, "health_cpu_seconds", view_json_seconds(v->health_cpu_ns));
	json_uint(j, "clients", v->clients);
	json_uint(j, "requests", v->requests);
	json_uint(j, "refused", v->refused);
	json_uint(j, "log_lines_dropped", v->log_dropped);
	json_uint(j, "worker_deaths", v->restarts);
	json_uint(j, "accepted", v->accepted);
	view_json_limit(j, "max_connections", v->max_connections);
	json_uint(j, "times_at_limit", v->limited_times);
	json_uint(j, "connections_in_custody", v->copies);
	json_uint(j, "connections_rescued", v->rescued);
	json_uint(j, "connections_cut", v->cut);
	if (v->compared) {
		json_number(j, "accept_rate", v->accept_rate);
		json_number(j, "rate", v->rate);
		json_number(j, "error_rate", v->error_rate);
	}
	json_close(j, '}');
}

static void view_json_item(struct json *j, const struct view *v, struct view_json *at)
{
	const struct view_server *s;

	switch (at->part) {
	case 1:
		view_json_pool(j, v, &v->pool[at->item]);
		break;
	case 2:
		s = &v->server[at->item];
		if (!view_matches(v, s, at->pattern, at->is_name))
			break;
		if (strcmp(at->what, "errors") != 0) {
			view_json_server(j, v, s);
			break;
		}
		json_open(j, NULL, '{');
		json_string(j, "pool", v->pool[s->pool].name);
		json_string(j, "name", s->name);
		view_json_errors(j, s);
		json_close(j, '}');
		break;
	case 3:
		view_json_listener(j, v, &v->listener[at->item]);
		break;
	case 4:
		view_json_worker(j, v, &v->worker[at->item]);
		break;
	}
}

bool view_json_step(FILE *out, const struct view *v, struct view_json *at)
{
	static const char *const name[] = { "instance", "pools", "servers", "listeners", "workers" };
	const unsigned count[] = { 0, v->npools, v->nservers, v->nlisteners, v->nworkers };
	struct json *j = &at->json;

	j->out = out;
	if (at->part == 0) {
		at->is_name = view_is_name(v, at->pattern);
		if (!at->inside)
			json_open(j, NULL, '{');
		view_json_instance(j, v);
		at->part = 1;
		return true;
	}
	while (at->part <= 4 && at->what[0] && strcmp(at->what, name[at->part]) != 0 &&
	    !(strcmp(at->what, "errors") == 0 && (at->part == 2 || at->part == 4)))
		at->part++;
	if (at->part > 4) {
		if (!at->inside)
			json_close(j, '}');
		return false;
	}
	if (at->item == 0)
		json_open(j, name[at->part], '[');
	if (at->item < count[at->part])
		view_json_item(j, v, at);
	if (++at->item >= count[at->part]) {
		json_close(j, ']');
		at->item = 0;
		at->part++;
	}
	return true;
}

void view_json_into(struct json *j, const struct view *v, const char *what, const char *pattern)
{
	struct view_json at = { .what = what, .pattern = pattern, .inside = true, .json = *j };

	while (view_json_step(j->out, v, &at))
		;
	*j = at.json;
}

void view_json(FILE *out, const struct view *v, const char *what, const char *pattern)
{
	struct view_json at = { .what = what, .pattern = pattern };

	while (view_json_step(out, v, &at))
		;
}
