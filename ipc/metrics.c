/*
 * Metrics. Base units (seconds, bytes), counters end in _total, one family after the other with its
 * HELP and TYPE: https://prometheus.io/docs/practices/naming/ . The number of series is bounded by the
 * configuration: no label's value comes from a client.
 *
 * Everything is a row of one table: what it is called, whose it is, and where its value stands.
 */
#include "ipc/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "ipc/text.h"

#define METRICS_PREFIX "loadbalancer_"
/* Every second bucket of the table: 16 us, 64 us, ... 67 s; what is slower is in +Inf. */
#define METRICS_BUCKETS 12

enum metrics_of { METRICS_INSTANCE, METRICS_LISTENER, METRICS_WORKER, METRICS_POOL, METRICS_SERVER };
enum metrics_unit {
	METRICS_COUNT,		/* uint64_t */
	METRICS_COUNT32,
	METRICS_LIMIT,		/* uint32_t, UINT32_MAX means none: there is no series then */
	METRICS_NS,		/* uint64_t, told in seconds */
	METRICS_FLAG,		/* uint32_t, told as 0 or 1 */
	METRICS_OWN,		/* whole lines, by a function */
};

struct metrics_family;
/* Writes the lines of one object. */
typedef void metrics_own(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i);

struct metrics_family {
	const char *name, *type, *help;
	enum metrics_of of;
	enum metrics_unit unit;
	size_t offset;
	metrics_own *own;
};

/* ---- lines ---- */

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

/* Up to the brace that closes the labels, which is the caller's; an instance has none, and no brace. */
static void metrics_name(FILE *out, const struct metrics_family *f, const char *suffix, const struct view *v, unsigned i)
{
	fprintf(out, METRICS_PREFIX "%s%s", f->name, suffix);
	switch (f->of) {
	case METRICS_INSTANCE:
		break;
	case METRICS_LISTENER:
		fputc('{', out);
		metrics_label(out, "listener", v->listener[i].name);
		break;
	case METRICS_WORKER:
		fprintf(out, "{worker=\"%" PRIu32 "\"", v->worker[i].slot);
		break;
	case METRICS_POOL:
		fputc('{', out);
		metrics_label(out, "pool", v->pool[i].name);
		break;
	case METRICS_SERVER:
		fputc('{', out);
		metrics_label(out, "pool", v->pool[v->server[i].pool].name);
		fputc(',', out);
		metrics_label(out, "server", v->server[i].name);
		break;
	}
}

static unsigned metrics_count(const struct view *v, enum metrics_of of)
{
	switch (of) {
	case METRICS_INSTANCE: return 1;
	case METRICS_LISTENER: return v->nlisteners;
	case METRICS_WORKER: return v->nworkers;
	case METRICS_POOL: return v->npools;
	case METRICS_SERVER: return v->nservers;
	}
	return 0;
}

static const void *metrics_object(const struct view *v, enum metrics_of of, unsigned i)
{
	switch (of) {
	case METRICS_INSTANCE: return v;
	case METRICS_LISTENER: return &v->listener[i];
	case METRICS_WORKER: return &v->worker[i];
	case METRICS_POOL: return &v->pool[i];
	case METRICS_SERVER: return &v->server[i];
	}
	return NULL;
}

static void metrics_value(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	const void *at = (const char *)metrics_object(v, f->of, i) + f->offset;

	if (f->unit == METRICS_LIMIT && *(const uint32_t *)at == UINT32_MAX)
		return;
	metrics_name(out, f, "", v, i);
	if (f->of != METRICS_INSTANCE)
		fputc('}', out);
	switch (f->unit) {
	case METRICS_COUNT:
		fprintf(out, " %" PRIu64 "\n", *(const uint64_t *)at);
		break;
	case METRICS_COUNT32:
	case METRICS_LIMIT:
		fprintf(out, " %" PRIu32 "\n", *(const uint32_t *)at);
		break;
	case METRICS_FLAG:
		fprintf(out, " %d\n", *(const uint32_t *)at != 0);
		break;
	case METRICS_NS:
		fprintf(out, " %.9g\n", (double)*(const uint64_t *)at / 1e9);
		break;
	case METRICS_OWN:
		break;
	}
}

/* ---- what takes more than a number ---- */

static void metrics_build(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	metrics_name(out, f, "{", v, i);
	metrics_label(out, "version", v->version);
	fputs("} 1\n", out);
}

static void metrics_supervisor(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	char state = v->supervisor_state;

	metrics_name(out, f, "", v, i);
	fprintf(out, " %d\n", state && state != 'T' && state != 't' && state != 'Z');
}

static void metrics_states(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	unsigned n[4] = { 0 };

	for (unsigned k = 0; k < v->nworkers; k++)
		if (v->worker[k].state < 4)
			n[v->worker[k].state]++;
	for (uint32_t k = SHM_SLOT_STARTING; k <= SHM_SLOT_RETIRING; k++) {
		metrics_name(out, f, "{", v, i);
		fprintf(out, "state=\"%s\"} %u\n", text_slot(k), n[k]);
	}
}

static void metrics_cpu(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	metrics_name(out, f, "{process=\"supervisor\"}", v, i);
	fprintf(out, " %.9g\n", (double)v->supervisor_cpu_ns / 1e9);
	metrics_name(out, f, "{process=\"health\"}", v, i);
	fprintf(out, " %.9g\n", (double)v->health_cpu_ns / 1e9);
	for (unsigned k = 0; k < v->nworkers; k++) {
		metrics_name(out, f, "{process=\"worker\",", v, i);
		fprintf(out, "worker=\"%" PRIu32 "\"} %.9g\n", v->worker[k].slot, (double)v->worker[k].cpu_ns / 1e9);
	}
}

static void metrics_pending(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	const struct view_worker *w = &v->worker[i];

	metrics_name(out, f, "", v, i);
	fprintf(out, "} %" PRIu64 "\n", w->handed > w->received ? w->handed - w->received : 0);
}

static void metrics_up(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	metrics_name(out, f, "", v, i);
	fprintf(out, "} %d\n", v->server[i].verdict == SHM_UP);
}

static void metrics_ejected(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	metrics_name(out, f, "", v, i);
	fprintf(out, "} %d\n", v->server[i].eject_reason != SHM_EJECT_NOT);
}

static void metrics_admin(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	static const char *const admin[] = { "ready", "drain", "maint" };

	for (uint32_t a = 0; a < 3; a++) {
		metrics_name(out, f, "", v, i);
		fprintf(out, ",state=\"%s\"} %d\n", admin[a], v->server[i].admin == a);
	}
}

static void metrics_changed(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	const struct view_server *s = &v->server[i];

	metrics_name(out, f, "", v, i);
	fprintf(out, "} %.3f\n", s->since_ns ? (double)s->since_ns / 1e9 + (double)v->real_offset_s : 0);
}

static void metrics_down(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	const struct view_server *s = &v->server[i];
	uint64_t down = s->down_ns;

	if (s->verdict == SHM_DOWN && v->now_ns > s->since_ns)
		down += v->now_ns - s->since_ns;
	metrics_name(out, f, "", v, i);
	fprintf(out, "} %.3f\n", (double)down / 1e9);
}

static void metrics_responses(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	static const char *const class[6] = { "tcp", "1xx", "2xx", "3xx", "4xx", "5xx" };

	for (unsigned c = 0; c < 6; c++) {
		metrics_name(out, f, "", v, i);
		fprintf(out, ",code=\"%s\"} %" PRIu64 "\n", class[c], v->server[i].load.responses[c]);
	}
}

static void metrics_failures(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	static const char *const reason[] = { "connect", "timeout", "reset", "cut", "invalid" };
	const struct view_load *l = &v->server[i].load;
	const uint64_t n[] = { l->connect_failures, l->timeouts, l->resets, l->cuts, l->invalid };

	for (unsigned r = 0; r < 5; r++) {
		metrics_name(out, f, "", v, i);
		fprintf(out, ",reason=\"%s\"} %" PRIu64 "\n", reason[r], n[r]);
	}
}

static void metrics_latency(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	const struct view_load *l = &v->server[i].load;
	uint64_t sum = 0;
	unsigned b = 0;

	for (unsigned k = 0; k < METRICS_BUCKETS; k++) {
		for (; b <= 2 * k; b++)
			sum += l->latency[b];
		metrics_name(out, f, "_bucket", v, i);
		fprintf(out, ",le=\"%.9g\"} %" PRIu64 "\n", 16e-6 * (double)(UINT64_C(1) << (2 * k)), sum);
	}
	for (; b < SHM_LATENCY_BUCKETS; b++)
		sum += l->latency[b];
	metrics_name(out, f, "_bucket", v, i);
	fprintf(out, ",le=\"+Inf\"} %" PRIu64 "\n", sum);
	metrics_name(out, f, "_sum", v, i);
	fprintf(out, "} %.9g\n", (double)l->latency_sum_ns / 1e9);
	metrics_name(out, f, "_count", v, i);
	fprintf(out, "} %" PRIu64 "\n", sum);
}

/* Only of servers that report: the others' words in the table mean something else. */
static void metrics_entries(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	if (!text_reports_load(&v->pool[v->server[i].pool]))
		return;
	metrics_name(out, f, "", v, i);
	fprintf(out, "} %" PRIu64 "\n", v->server[i].entries);
}

static void metrics_errors(FILE *out, const struct metrics_family *f, const struct view *v, unsigned i)
{
	if (!text_reports_load(&v->pool[v->server[i].pool]))
		return;
	metrics_name(out, f, "", v, i);
	fprintf(out, "} %" PRIu64 "\n", v->server[i].errors_reported);
}

/* ---- the families ---- */

#define INSTANCE(name, type, help, unit, field) { name, type, help, METRICS_INSTANCE, METRICS_##unit, offsetof(struct view, field), NULL }
#define LISTENER(name, type, help, unit, field) \
	{ "listener_" name, type, help, METRICS_LISTENER, METRICS_##unit, offsetof(struct view_listener, field), NULL }
#define WORKER(name, type, help, unit, field) \
	{ "worker_" name, type, help, METRICS_WORKER, METRICS_##unit, offsetof(struct view_worker, field), NULL }
#define POOL(name, type, help, unit, field) \
	{ "pool_" name, type, help, METRICS_POOL, METRICS_##unit, offsetof(struct view_pool, field), NULL }
#define SERVER(name, type, help, unit, field) \
	{ "server_" name, type, help, METRICS_SERVER, METRICS_##unit, offsetof(struct view_server, field), NULL }
#define OWN(name, type, help, of, own) { name, type, help, METRICS_##of, METRICS_OWN, 0, own }

static const struct metrics_family metrics_families[] = {
	OWN("build_info", "gauge", "A constant 1, with the version of the running program.", INSTANCE, metrics_build),
	OWN("supervisor_up", "gauge", "Whether the supervisor's process is there and not stopped.", INSTANCE, metrics_supervisor),
	INSTANCE("health_up", "gauge", "Whether there is a health process.", FLAG, health_pid),
	INSTANCE("start_time_seconds", "gauge", "When the instance was started, in seconds since 1970.", COUNT, started_real_s),
	INSTANCE("last_reload_time_seconds", "gauge", "When the serving configuration took over, in seconds since 1970.", COUNT,
		 reloaded_real_s),
	INSTANCE("generation", "gauge", "Number of the serving configuration; each reload raises it.", COUNT32, generation),
	OWN("cpu_seconds_total", "counter", "Time on a processor, by process.", INSTANCE, metrics_cpu),
	INSTANCE("connections_accepted_total", "counter", "Connections accepted from clients.", COUNT, accepted),
	INSTANCE("connections", "gauge", "Client connections held by all workers.", COUNT, clients),
	INSTANCE("connections_max", "gauge", "Client connections that are allowed (max-connections).", LIMIT, max_connections),
	INSTANCE("accept_paused_total", "counter", "Times that accepting stopped at a limit of connections.", COUNT, limited_times),
	INSTANCE("connections_in_custody", "gauge", "Connections whose descriptor the supervisor holds too (custody).", COUNT32, copies),
	INSTANCE("connections_rescued_total", "counter", "Connections that went on with another worker when theirs died.", COUNT,
		 rescued),
	INSTANCE("connections_cut_total", "counter", "Connections that ended with a worker that died.", COUNT, cut),
	INSTANCE("requests_total", "counter", "Requests read, or connections relayed in mode tcp, by all workers there ever were.",
		 COUNT, requests),
	INSTANCE("refused_total", "counter", "Requests that the balancer itself answered with a status of 400 to 499.", COUNT, refused),
	INSTANCE("log_lines_dropped_total", "counter", "Lines of the access log given up because the disk was slow.", COUNT,
		 log_dropped),
	OWN("workers", "gauge", "Worker processes by state.", INSTANCE, metrics_states),

	LISTENER("connections", "gauge", "Client connections held.", COUNT, clients),
	LISTENER("connections_max", "gauge", "Client connections that are allowed (max-connections).", LIMIT, max_connections),
	LISTENER("accepted_total", "counter", "Connections accepted.", COUNT, accepted),
	LISTENER("limited", "gauge", "1: as many connections as max-connections allows; clients wait.", FLAG, limited),

	WORKER("connections", "gauge", "Client connections that a worker holds.", COUNT32, active),
	OWN("worker_connections_pending", "gauge", "Connections on their way from the supervisor to a worker.", WORKER, metrics_pending),
	WORKER("connections_received_total", "counter", "Connections that a worker was given.", COUNT, received),
	WORKER("idle_upstreams", "gauge", "Kept connections to servers without a request.", COUNT32, idle_upstreams),
	WORKER("requests_total", "counter", "Requests read, or connections relayed in mode tcp.", COUNT, requests),
	WORKER("refused_total", "counter", "Requests that the balancer itself answered with a status of 400 to 499.", COUNT, refused),
	WORKER("restarts_total", "counter", "Times that a worker's place was filled again after a death.", COUNT32, restarts),
	WORKER("busy_seconds_total", "counter", "Time that a worker did not sleep.", NS, busy_ns),
	WORKER("loop_lag_seconds", "gauge", "Longest turn of a worker's event loop in the last second or so.", NS, loop_lag_ns),
	WORKER("log_lines_dropped_total", "counter", "Lines of the access log given up because the disk was slow.", COUNT, log_dropped),

	POOL("servers", "gauge", "Servers of the pool.", COUNT32, n),
	POOL("servers_up", "gauge", "Servers that may be chosen now.", COUNT32, up),
	POOL("in_flight", "gauge", "Requests (connections in mode tcp) that its servers have in hand.", COUNT, inflight),
	POOL("places", "gauge", "Places for servers that are discovered.", COUNT, places),
	POOL("empty_places", "gauge", "Those that no server holds.", COUNT, empty),
	POOL("unresolved_seconds", "gauge", "How long a name of its discoveries could not be looked up; 0: all can.", NS, unresolved_for_ns),
	POOL("queue_requests", "gauge", "Requests that wait for a server with room.", COUNT, waiting),
	POOL("queued_requests_total", "counter", "Requests that had to wait.", COUNT, queued),
	POOL("queue_refused_total", "counter", "Requests refused because the queue was full.", COUNT, queue_refused),
	POOL("queue_timeouts_total", "counter", "Requests refused after waiting too long.", COUNT, queue_timeouts),
	POOL("queue_shed_total", "counter", "Requests refused after waiting too long in a line that stood still (queue-target).",
	     COUNT, shed),
	POOL("queue_wait_seconds_total", "counter", "Time that requests waited until they had a server.", NS, queue_wait_ns),
	POOL("retries_total", "counter", "Requests given to a further server.", COUNT, retries),
	POOL("retries_refused_total", "counter", "Retries left out because the budget was used up.", COUNT, retries_refused),
	POOL("hedges_total", "counter", "Late requests of which a second copy was sent.", COUNT, hedges),
	POOL("hedges_won_total", "counter", "Requests answered by their second copy.", COUNT, hedges_won),
	POOL("hedges_refused_total", "counter", "Late requests of which none was sent: no budget, or no room elsewhere.", COUNT,
	     hedges_refused),
	POOL("late_seconds", "gauge", "What 95 of 100 answers take less than, where requests are hedged; 0: not known.", NS, late_ns),
	POOL("probe_rounds_total", "counter", "Rounds of probes that ended.", COUNT, rounds),

	OWN("server_up", "gauge", "1: the last verdict of probes and of live traffic is that the server works.", SERVER, metrics_up),
	OWN("server_ejected", "gauge", "1: requests found the server wanting, and it is left out for a while.", SERVER, metrics_ejected),
	OWN("server_admin_state", "gauge", "1 for the state that the operator has put the server in.", SERVER, metrics_admin),
	OWN("server_state_change_time_seconds", "gauge", "When the verdict changed last, in seconds since 1970; 0: it never has.",
	    SERVER, metrics_changed),
	OWN("server_down_seconds_total", "counter", "Time that the server was down.", SERVER, metrics_down),
	SERVER("weight", "gauge", "The server's share compared to the others of its pool.", COUNT32, weight),
	SERVER("backup", "gauge", "1: used only while no other server of the pool is up.", FLAG, backup),
	SERVER("in_flight", "gauge", "Requests (connections in mode tcp) that the server has in hand.", COUNT, inflight),
	SERVER("in_flight_limit", "gauge", "The most that it gets at a time, fixed or as learned; 0: no limit.", COUNT32, limit),
	SERVER("dispatched_total", "counter", "Requests (connections in mode tcp) given to the server.", COUNT, dispatched),
	SERVER("connections_opened_total", "counter", "Connections opened to the server.", COUNT, load.connects),
	SERVER("connections_reused_total", "counter", "Requests sent on a kept connection.", COUNT, load.reuses),
	SERVER("retries_total", "counter", "Requests that left this server for another one.", COUNT, load.retries),
	SERVER("client_aborts_total", "counter", "Clients that left before the end of their answer.", COUNT, load.client_aborts),
	SERVER("sent_bytes_total", "counter", "Bytes sent to the server.", COUNT, load.bytes_to_server),
	SERVER("received_bytes_total", "counter", "Bytes received from the server.", COUNT, load.bytes_from_server),
	SERVER("probes_total", "counter", "Probes that ended.", COUNT, probes),
	SERVER("probes_failed_total", "counter", "Probes that failed.", COUNT, probes_failed),
	SERVER("probe_duration_seconds", "gauge", "How long the last probe took.", NS, probe_latency_ns),
	SERVER("findings_total", "counter", "Failures of live traffic that took the server down at once.", COUNT, passive),
	SERVER("ejections_total", "counter", "Times that the server was taken out because of what requests found.", COUNT32, ejections),
	OWN("server_responses_total", "counter",
	    "Answers of the server by class of status; tcp: connections that were relayed and ended in order.", SERVER, metrics_responses),
	OWN("server_failures_total", "counter", "Requests that the server failed: no connection, no answer in time, no answer at all, "
	    "half an answer, an answer that is not HTTP.", SERVER, metrics_failures),
	OWN("server_response_time_seconds", "histogram",
	    "From the request sent to the head of the answer received; in mode tcp the time to connect.", SERVER, metrics_latency),
	OWN("server_reported_entries", "gauge", "Entries that the server reported at the last good probe.", SERVER, metrics_entries),
	OWN("server_reported_errors", "gauge", "Errors that the server reported at the last good probe.", SERVER, metrics_errors),
};

#define METRICS_FAMILIES (sizeof(metrics_families) / sizeof(metrics_families[0]))

bool metrics_step(FILE *out, const struct view *v, struct metrics *at)
{
	const struct metrics_family *f = &metrics_families[at->family];

	if (at->item == 0)
		fprintf(out, "# HELP " METRICS_PREFIX "%s %s\n# TYPE " METRICS_PREFIX "%s %s\n", f->name, f->help, f->name, f->type);
	if (at->item < metrics_count(v, f->of)) {
		if (f->unit == METRICS_OWN)
			f->own(out, f, v, at->item);
		else
			metrics_value(out, f, v, at->item);
	}
	if (++at->item >= metrics_count(v, f->of)) {
		at->item = 0;
		at->family++;
	}
	return at->family < METRICS_FAMILIES;
}

void metrics_write(FILE *out, const struct view *v)
{
	struct metrics at = { 0, 0 };

	while (metrics_step(out, v, &at))
		;
}
