/*
 * Metrics. Base units (seconds, bytes), counters end in _total, one family after the other with its
 * HELP and TYPE: https://prometheus.io/docs/practices/naming/ . The number of series is bounded by the
 * configuration: no label's value comes from a client.
 */
#include "ipc/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "ipc/text.h"

#define METRICS_PREFIX "loadbalancer_"
/* Every second bucket of the table: 16 us, 64 us, ... 67 s; what is slower is in +Inf. */
#define METRICS_BUCKETS 12

static void metrics_family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP " METRICS_PREFIX "%s %s\n# TYPE " METRICS_PREFIX "%s %s\n", name, help, name, type);
}

/* A label's value; backslash, quotation mark and newline are escaped. Names hold none of them, but may be wrong. */
static void metrics_label(FILE *out, const char *key, const char *value)
{
	fprintf(out, "%s=\"", key);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		fputc(*value, out);
	}
	fputc('"', out);
}

static void metrics_server(FILE *out, const struct view *v, const struct view_server *s, const char *name)
{
	fprintf(out, METRICS_PREFIX "%s{", name);
	metrics_label(out, "pool", v->pool[s->pool].name);
	fputc(',', out);
	metrics_label(out, "server", s->name);
}

static void metrics_uint(FILE *out, const char *name, uint64_t n)
{
	fprintf(out, METRICS_PREFIX "%s %" PRIu64 "\n", name, n);
}

/* ---- the instance ---- */

static void metrics_instance(FILE *out, const struct view *v)
{
	unsigned n[4] = { 0 };

	metrics_family(out, "build_info", "gauge", "A constant 1, with the version of the running program.");
	fputs(METRICS_PREFIX "build_info{", out);
	metrics_label(out, "version", v->version);
	fputs("} 1\n", out);
	metrics_family(out, "supervisor_up", "gauge", "Whether the supervisor's process is there and not stopped.");
	metrics_uint(out, "supervisor_up", v->supervisor_state && v->supervisor_state != 'T' && v->supervisor_state != 't' &&
		     v->supervisor_state != 'Z');
	metrics_family(out, "health_up", "gauge", "Whether there is a health process.");
	metrics_uint(out, "health_up", v->health_pid != 0);
	metrics_family(out, "start_time_seconds", "gauge", "When the instance was started, in seconds since 1970.");
	metrics_uint(out, "start_time_seconds", v->started_real_s);
	metrics_family(out, "last_reload_time_seconds", "gauge",
		       "When the serving configuration took over, in seconds since 1970.");
	metrics_uint(out, "last_reload_time_seconds", v->reloaded_real_s);
	metrics_family(out, "generation", "gauge", "Number of the serving configuration; each reload raises it.");
	metrics_uint(out, "generation", v->generation);
	metrics_family(out, "connections_accepted_total", "counter", "Connections accepted from clients.");
	metrics_uint(out, "connections_accepted_total", v->accepted);

	for (unsigned i = 0; i < v->nworkers; i++)
		if (v->worker[i].state < 4)
			n[v->worker[i].state]++;
	metrics_family(out, "workers", "gauge", "Worker processes by state.");
	for (uint32_t i = SHM_SLOT_STARTING; i <= SHM_SLOT_RETIRING; i++)
		fprintf(out, METRICS_PREFIX "workers{state=\"%s\"} %u\n", text_slot(i), n[i]);
}

/* ---- listeners ---- */

static void metrics_listener(FILE *out, const struct view_listener *l, const char *name)
{
	fprintf(out, METRICS_PREFIX "%s{", name);
	metrics_label(out, "listener", l->name);
}

static void metrics_listeners(FILE *out, const struct view *v)
{
	metrics_family(out, "accept_paused_total", "counter", "Times that accepting stopped at a limit of connections.");
	metrics_uint(out, "accept_paused_total", v->limited_times);
	metrics_family(out, "listener_connections", "gauge", "Client connections held.");
	for (unsigned i = 0; i < v->nlisteners; i++) {
		metrics_listener(out, &v->listener[i], "listener_connections");
		fprintf(out, "} %" PRIu64 "\n", v->listener[i].clients);
	}
	metrics_family(out, "listener_accepted_total", "counter", "Connections accepted.");
	for (unsigned i = 0; i < v->nlisteners; i++) {
		metrics_listener(out, &v->listener[i], "listener_accepted_total");
		fprintf(out, "} %" PRIu64 "\n", v->listener[i].accepted);
	}
	metrics_family(out, "listener_limited", "gauge", "1: as many connections as max-connections allows; clients wait.");
	for (unsigned i = 0; i < v->nlisteners; i++) {
		metrics_listener(out, &v->listener[i], "listener_limited");
		fprintf(out, "} %u\n", v->listener[i].limited != 0);
	}
}

/* ---- workers ---- */

enum metrics_unit { METRICS_COUNT, METRICS_COUNT32, METRICS_NS };

struct metrics_field {
	const char *name, *type, *help;
	enum metrics_unit unit;
	size_t offset;
};

#define WORKER(name, type, help, unit, field) { name, type, help, unit, offsetof(struct view_worker, field) }
static const struct metrics_field metrics_worker_fields[] = {
	WORKER("worker_connections", "gauge", "Client connections that a worker holds.", METRICS_COUNT32, active),
	WORKER("worker_idle_upstreams", "gauge", "Kept connections to servers without a request.", METRICS_COUNT32,
	       idle_upstreams),
	WORKER("worker_requests_total", "counter", "Requests read, or connections relayed in mode tcp.", METRICS_COUNT, requests),
	WORKER("worker_refused_total", "counter", "Requests that the balancer itself answered with a status of 400 to 499.",
	       METRICS_COUNT, refused),
	WORKER("worker_restarts_total", "counter", "Times that a worker's place was filled again after a death.", METRICS_COUNT32,
	       restarts),
	WORKER("worker_loop_lag_seconds", "gauge", "Longest turn of a worker's event loop in the last second or so.",
	       METRICS_NS, loop_lag_ns),
	WORKER("worker_log_lines_dropped_total", "counter", "Lines of the access log given up because the disk was slow.",
	       METRICS_COUNT, log_dropped),
};

static void metrics_value(FILE *out, const void *object, const struct metrics_field *f)
{
	const char *at = (const char *)object + f->offset;

	if (f->unit == METRICS_COUNT32)
		fprintf(out, "} %" PRIu32 "\n", *(const uint32_t *)(const void *)at);
	else if (f->unit == METRICS_COUNT)
		fprintf(out, "} %" PRIu64 "\n", *(const uint64_t *)(const void *)at);
	else
		fprintf(out, "} %.9g\n", (double)*(const uint64_t *)(const void *)at / 1e9);
}

static void metrics_workers(FILE *out, const struct view *v)
{
	for (size_t f = 0; f < sizeof(metrics_worker_fields) / sizeof(metrics_worker_fields[0]); f++) {
		const struct metrics_field *field = &metrics_worker_fields[f];

		metrics_family(out, field->name, field->type, field->help);
		for (unsigned i = 0; i < v->nworkers; i++) {
			fprintf(out, METRICS_PREFIX "%s{worker=\"%u\"", field->name, v->worker[i].slot);
			metrics_value(out, &v->worker[i], field);
		}
	}
}

/* ---- servers ---- */

#define SERVER(name, type, help, unit, field) { name, type, help, unit, offsetof(struct view_server, field) }
static const struct metrics_field metrics_server_fields[] = {
	SERVER("server_weight", "gauge", "The server's share compared to the others of its pool.", METRICS_COUNT32, weight),
	SERVER("server_backup", "gauge", "1: used only while no other server of the pool is up.", METRICS_COUNT32, backup),
	SERVER("server_in_flight", "gauge", "Requests (connections in mode tcp) that the server has in hand.", METRICS_COUNT,
	       inflight),
	SERVER("server_in_flight_limit", "gauge", "The most that it gets at a time, fixed or as learned; 0: no limit.",
	    METRICS_COUNT32, limit),
	SERVER("server_connections_opened_total", "counter", "Connections opened to the server.", METRICS_COUNT, load.connects),
	SERVER("server_connections_reused_total", "counter", "Requests sent on a kept connection.", METRICS_COUNT, load.reuses),
	SERVER("server_retries_total", "counter", "Requests that left this server for another one.", METRICS_COUNT, load.retries),
	SERVER("server_client_aborts_total", "counter", "Clients that left before the end of their answer.", METRICS_COUNT,
	       load.client_aborts),
	SERVER("server_sent_bytes_total", "counter", "Bytes sent to the server.", METRICS_COUNT, load.bytes_to_server),
	SERVER("server_received_bytes_total", "counter", "Bytes received from the server.", METRICS_COUNT, load.bytes_from_server),
	SERVER("server_probes_total", "counter", "Probes that ended.", METRICS_COUNT, probes),
	SERVER("server_probes_failed_total", "counter", "Probes that failed.", METRICS_COUNT, probes_failed),
	SERVER("server_probe_duration_seconds", "gauge", "How long the last probe took.", METRICS_NS, probe_latency_ns),
	SERVER("server_findings_total", "counter", "Failures of live traffic that took the server down at once.", METRICS_COUNT,
	       passive),
};

static void metrics_server_states(FILE *out, const struct view *v)
{
	static const char *const admin[] = { "ready", "drain", "maint" };

	metrics_family(out, "server_up", "gauge", "1: the last verdict of probes and of live traffic is that the server works.");
	for (unsigned i = 0; i < v->nservers; i++) {
		metrics_server(out, v, &v->server[i], "server_up");
		fprintf(out, "} %d\n", v->server[i].verdict == SHM_UP);
	}
	metrics_family(out, "server_admin_state", "gauge", "1 for the state that the operator has put the server in.");
	for (unsigned i = 0; i < v->nservers; i++) {
		for (uint32_t a = 0; a < 3; a++) {
			metrics_server(out, v, &v->server[i], "server_admin_state");
			fprintf(out, ",state=\"%s\"} %d\n", admin[a], v->server[i].admin == a);
		}
	}
	metrics_family(out, "server_state_change_time_seconds", "gauge",
		       "When the verdict changed last, in seconds since 1970; 0: it never has.");
	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *s = &v->server[i];

		metrics_server(out, v, s, "server_state_change_time_seconds");
		fprintf(out, "} %.3f\n", s->since_ns ? (double)s->since_ns / 1e9 + (double)v->real_offset_s : 0);
	}
	metrics_family(out, "server_down_seconds_total", "counter", "Time that the server was down.");
	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *s = &v->server[i];
		uint64_t down = s->down_ns;

		if (s->verdict == SHM_DOWN && v->now_ns > s->since_ns)
			down += v->now_ns - s->since_ns;
		metrics_server(out, v, s, "server_down_seconds_total");
		fprintf(out, "} %.3f\n", (double)down / 1e9);
	}
}

static void metrics_server_traffic(FILE *out, const struct view *v)
{
	static const char *const class[6] = { "tcp", "1xx", "2xx", "3xx", "4xx", "5xx" };
	static const char *const reason[] = { "connect", "timeout", "reset", "cut", "invalid" };

	metrics_family(out, "server_responses_total", "counter",
		       "Answers of the server by class of status; tcp: connections that were relayed and ended in order.");
	for (unsigned i = 0; i < v->nservers; i++) {
		for (unsigned c = 0; c < 6; c++) {
			metrics_server(out, v, &v->server[i], "server_responses_total");
			fprintf(out, ",code=\"%s\"} %" PRIu64 "\n", class[c], v->server[i].load.responses[c]);
		}
	}
	metrics_family(out, "server_failures_total", "counter",
		       "Requests that the server failed: no connection, no answer in time, no answer at all, half an answer, "
		       "an answer that is not HTTP.");
	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_load *l = &v->server[i].load;
		const uint64_t n[] = { l->connect_failures, l->timeouts, l->resets, l->cuts, l->invalid };

		for (unsigned r = 0; r < 5; r++) {
			metrics_server(out, v, &v->server[i], "server_failures_total");
			fprintf(out, ",reason=\"%s\"} %" PRIu64 "\n", reason[r], n[r]);
		}
	}
}

static void metrics_server_latency(FILE *out, const struct view *v)
{
	static const char name[] = "server_response_time_seconds";

	metrics_family(out, name, "histogram",
		       "From the request sent to the head of the answer received; in mode tcp the time to connect.");
	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *s = &v->server[i];
		uint64_t sum = 0;
		unsigned b = 0;

		for (unsigned k = 0; k < METRICS_BUCKETS; k++) {
			for (; b <= 2 * k; b++)
				sum += s->load.latency[b];
			metrics_server(out, v, s, "server_response_time_seconds_bucket");
			fprintf(out, ",le=\"%.9g\"} %" PRIu64 "\n", 16e-6 * (double)(UINT64_C(1) << (2 * k)), sum);
		}
		for (; b < SHM_LATENCY_BUCKETS; b++)
			sum += s->load.latency[b];
		metrics_server(out, v, s, "server_response_time_seconds_bucket");
		fprintf(out, ",le=\"+Inf\"} %" PRIu64 "\n", sum);
		metrics_server(out, v, s, "server_response_time_seconds_sum");
		fprintf(out, "} %.9g\n", (double)s->load.latency_sum_ns / 1e9);
		metrics_server(out, v, s, "server_response_time_seconds_count");
		fprintf(out, "} %" PRIu64 "\n", sum);
	}
}

#define POOL(name, type, help, as, field) { name, type, help, as, offsetof(struct view_pool, field) }

static const struct metrics_field metrics_pool_fields[] = {
	POOL("pool_empty_places", "gauge", "Places of discoveries that no server holds.", METRICS_COUNT, empty),
	POOL("pool_queue_requests", "gauge", "Requests that wait for a server with room.", METRICS_COUNT, waiting),
	POOL("pool_queued_requests_total", "counter", "Requests that had to wait.", METRICS_COUNT, queued),
	POOL("pool_queue_refused_total", "counter", "Requests refused because the queue was full.", METRICS_COUNT, queue_refused),
	POOL("pool_queue_timeouts_total", "counter", "Requests refused after waiting too long.", METRICS_COUNT, queue_timeouts),
	POOL("pool_queue_shed_total", "counter", "Requests refused after waiting too long in a line that stood still (queue-target).",
	    METRICS_COUNT, shed),
	POOL("pool_queue_wait_seconds_total", "counter", "Time that requests waited until they had a server.", METRICS_NS, queue_wait_ns),
	POOL("pool_retries_total", "counter", "Requests given to a further server.", METRICS_COUNT, retries),
	POOL("pool_retries_refused_total", "counter", "Retries left out because the budget was used up.", METRICS_COUNT, retries_refused),
	POOL("pool_hedges_total", "counter", "Late requests of which a second copy was sent.", METRICS_COUNT, hedges),
	POOL("pool_hedges_won_total", "counter", "Requests answered by their second copy.", METRICS_COUNT, hedges_won),
	POOL("pool_hedges_refused_total", "counter", "Late requests of which none was sent: no budget, or no room elsewhere.",
	    METRICS_COUNT, hedges_refused),
	POOL("pool_late_seconds", "gauge", "What 95 of 100 answers take less than, where requests are hedged; 0: not known.",
	    METRICS_NS, late_ns),
};

static void metrics_pools(FILE *out, const struct view *v)
{
	for (size_t f = 0; f < sizeof(metrics_pool_fields) / sizeof(metrics_pool_fields[0]); f++) {
		const struct metrics_field *field = &metrics_pool_fields[f];

		metrics_family(out, field->name, field->type, field->help);
		for (unsigned i = 0; i < v->npools; i++) {
			fprintf(out, METRICS_PREFIX "%s{", field->name);
			metrics_label(out, "pool", v->pool[i].name);
			metrics_value(out, &v->pool[i], field);
		}
	}
}

/* Only of servers that report: the others' words in the table mean something else. */
static void metrics_server_reports(FILE *out, const struct view *v)
{
	bool any = false;

	for (unsigned i = 0; i < v->npools; i++)
		any = any || text_reports_load(&v->pool[i]);
	if (!any)
		return;
	metrics_family(out, "server_reported_entries", "gauge", "Entries that the server reported at the last good probe.");
	for (unsigned i = 0; i < v->nservers; i++) {
		if (!text_reports_load(&v->pool[v->server[i].pool]))
			continue;
		metrics_server(out, v, &v->server[i], "server_reported_entries");
		fprintf(out, "} %" PRIu64 "\n", v->server[i].entries);
	}
	metrics_family(out, "server_reported_errors", "gauge", "Errors that the server reported at the last good probe.");
	for (unsigned i = 0; i < v->nservers; i++) {
		if (!text_reports_load(&v->pool[v->server[i].pool]))
			continue;
		metrics_server(out, v, &v->server[i], "server_reported_errors");
		fprintf(out, "} %" PRIu64 "\n", v->server[i].errors_reported);
	}
}

void metrics_write(FILE *out, const struct view *v)
{
	metrics_instance(out, v);
	metrics_listeners(out, v);
	metrics_workers(out, v);
	metrics_pools(out, v);
	metrics_server_states(out, v);
	for (size_t f = 0; f < sizeof(metrics_server_fields) / sizeof(metrics_server_fields[0]); f++) {
		const struct metrics_field *field = &metrics_server_fields[f];

		metrics_family(out, field->name, field->type, field->help);
		for (unsigned i = 0; i < v->nservers; i++) {
			metrics_server(out, v, &v->server[i], field->name);
			metrics_value(out, &v->server[i], field);
		}
	}
	metrics_server_traffic(out, v);
	metrics_server_latency(out, v);
	metrics_server_reports(out, v);
}
