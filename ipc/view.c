/* A look at the table. */
#include "ipc/view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc/history.h"
#include "ipc/match.h"

static uint32_t view_get32(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint64_t view_get(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

char *view_text(char *out, size_t room, const char *in, size_t size)
{
	static const char digit[16] = "0123456789abcdef";
	size_t n = 0, i;

	for (i = 0; i < size && in[i] && n + 5 <= room; i++) {
		unsigned char c = (unsigned char)in[i];

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = digit[c >> 4];
		out[n++] = digit[c & 15];
	}
	out[n] = '\0';
	return out;
}

static int view_room(void *array, unsigned *room, unsigned wanted, size_t element)
{
	void **at = array, *bigger;
	unsigned size = *room ? *room : 16;

	if (wanted <= *room)
		return 0;
	while (size < wanted)
		size *= 2;
	bigger = realloc(*at, size * element);
	if (!bigger)
		return -1;
	*at = bigger;
	*room = size;
	return 0;
}

/* The letter of a process's state, 0 when there is none of that pid. */
static char view_process_state(uint32_t pid)
{
	char path[64], buf[512], *end;
	ssize_t n;
	int fd;

	if (pid == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	end = strrchr(buf, ')');	/* the name before it may hold anything */
	return end && end[1] == ' ' ? end[2] : 0;
}

/* Time that a process has spent on a processor; 0: not known. */
static uint64_t view_cpu_ns(uint32_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (pid == 0 || pid > INT32_MAX || clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static bool view_lives(uint32_t pid)
{
	return pid > 0 && pid <= INT32_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static void view_take_instance(struct view *v, const struct table *t)
{
	struct shm_instance *h = t->inst;
	struct timespec mono, real;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	v->now_ns = (uint64_t)mono.tv_sec * UINT64_C(1000000000) + (uint64_t)mono.tv_nsec;
	v->real_offset_s = (int64_t)real.tv_sec - (int64_t)mono.tv_sec;
	v->real_offset_ns = v->real_offset_s * 1000000000 + real.tv_nsec - mono.tv_nsec;
	view_text(v->version, sizeof(v->version), h->version, sizeof(h->version));
	view_text(v->instance, sizeof(v->instance), h->instance, sizeof(h->instance));
	view_text(v->control, sizeof(v->control), h->control, sizeof(h->control));
	v->generation = view_get32(&h->generation);
	v->supervisor_pid = view_get32(&h->supervisor_pid);
	if (v->inside)
		v->supervisor_state = view_lives(v->supervisor_pid) ? 'S' : 0;
	else
		v->supervisor_state = view_process_state(v->supervisor_pid);
	v->health_pid = view_get32(&h->health_pid);
	v->supervisor_cpu_ns = view_cpu_ns(v->supervisor_pid);
	v->health_cpu_ns = view_cpu_ns(v->health_pid);
	v->started_ns = view_get(&h->started_ns);
	v->started_real_s = view_get(&h->started_real_s);
	v->reloaded_real_s = view_get(&h->reloaded_real_s);
	v->accepted = view_get(&h->accepted);
	v->limited_times = view_get(&h->limited_times);
	v->copies = view_get32(&h->copies);
	v->rescued = view_get(&h->rescued);
	v->cut = view_get(&h->cut);
	v->max_connections = view_get32(&h->max_connections);
	v->compared = false;
}

/* ---- the last seconds, from the history ---- */

#define VIEW_RECENT_S 5		/* whole steps that are looked at */

static void view_recall_row(struct view_recent *r, const struct table *t, const struct shm_past *past, uint64_t now)
{
	double p50 = 0, p90 = 0, p99 = 0;

	memset(r, 0, sizeof(*r));
	for (uint64_t n = now - VIEW_RECENT_S; past && n < now; n++) {
		struct history_point p;

		if (!history_has(t, HISTORY_MINUTES, n) || !history_read_flow(past, HISTORY_MINUTES, n, &p) ||
		    !history_has(t, HISTORY_MINUTES, n))
			continue;
		r->seconds++;
		r->rate += p.requests;
		r->error_rate += p.errors;
		p50 += p.requests * (double)p.p50_ns;
		p90 += p.requests * (double)p.p90_ns;
		p99 += p.requests * (double)p.p99_ns;
	}
	if (r->rate > 0) {
		r->p50_ns = (uint64_t)(p50 / r->rate);
		r->p90_ns = (uint64_t)(p90 / r->rate);
		r->p99_ns = (uint64_t)(p99 / r->rate);
	}
	if (r->seconds) {
		r->rate /= r->seconds;
		r->error_rate /= r->seconds;
	}
}

static int view_take_listeners(struct view *v, const struct table *t)
{
	v->nlisteners = 0;
	for (uint32_t row = 0; row < t->max_listeners; row++) {
		struct shm_listener *from = &t->listener[row];
		uint32_t used = atomic_load_explicit(&from->used, memory_order_acquire);
		struct view_listener *l;

		if (!used)
			continue;
		if (view_room(&v->listener, &v->room_listeners, v->nlisteners + 1, sizeof(*v->listener)) < 0)
			return -1;
		l = &v->listener[v->nlisteners++];
		memset(l, 0, sizeof(*l));
		view_text(l->name, sizeof(l->name), from->name, sizeof(from->name));
		l->row = row;
		l->leaving = used < v->generation;
		l->max_connections = view_get32(&from->max_connections);
		l->limited = view_get32(&from->limited);
		l->accepted = view_get(&from->accepted);
		l->clients = table_sum_clients(t, row);
	}
	return 0;
}

static int view_take_pools(struct view *v, const struct table *t)
{
	uint32_t n = atomic_load_explicit(&t->inst->pools, memory_order_acquire), row;

	v->npools = 0;
	for (row = 0; row < n && row < t->max_pools; row++) {
		struct shm_pool *from = &t->pool[row];
		struct shm_queue queue;
		uint32_t used = atomic_load_explicit(&from->used, memory_order_acquire);
		struct view_pool *p;

		if (!used)
			continue;
		if (view_room(&v->pool, &v->room_pools, v->npools + 1, sizeof(*v->pool)) < 0)
			return -1;
		p = &v->pool[v->npools++];
		memset(p, 0, sizeof(*p));
		view_text(p->name, sizeof(p->name), from->name, sizeof(from->name));
		p->row = row;
		p->leaving = used < v->generation;
		p->check = view_get32(&from->check);
		p->balance = view_get32(&from->balance);
		p->rounds = view_get(&from->rounds);
		p->unresolved_ns = view_get(&from->unresolved_ns);
		p->unresolved_for_ns = p->unresolved_ns && p->unresolved_ns < v->now_ns ? v->now_ns - p->unresolved_ns : 0;
		p->places = view_get32(&from->places);
		table_sum_queue(t, row, &queue);
		p->waiting = view_get32(&queue.waiting);
		p->queued = view_get(&queue.queued);
		p->queue_refused = view_get(&queue.refused);
		p->queue_timeouts = view_get(&queue.timeouts);
		p->queue_wait_ns = view_get(&queue.wait_ns);
		p->retries = view_get(&queue.retries);
		p->retries_refused = view_get(&queue.retries_refused);
		p->shed = view_get(&queue.shed);
		p->late_ns = view_get(&queue.late_ns);
		p->hedges = view_get(&queue.hedges);
		p->hedges_won = view_get(&queue.hedges_won);
		p->hedges_refused = view_get(&queue.hedges_refused);
		if (v->recall)
			view_recall_row(&p->recent, t, history_of_pool(t, row), history_step(HISTORY_MINUTES, v->now_ns));
	}
	return 0;
}

static void view_add_load(struct view_load *to, const struct view_load *from)
{
	uint64_t *a = (uint64_t *)to;
	const uint64_t *b = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*a); i++)
		a[i] += b[i];
}

static void view_take_load(struct view_server *s, const struct table *t)
{
	struct shm_load sum;

	_Static_assert(offsetof(struct view_load, latency) == offsetof(struct shm_load, latency), "the same order");
	memset((void *)&sum, 0, sizeof(sum));
	table_sum_cell(t, s->row, &sum);
	memcpy(&s->load, (const void *)&sum, sizeof(s->load));
	s->dispatched = table_sum_dispatched(t, s->row);
	s->passive = table_sum_passive(t, s->row);
}

static void view_take_health(struct view_server *s, const struct table *t)
{
	const struct shm_health *h = &t->health[s->row];
	struct sockaddr_storage ss;
	socklen_t size;

	s->verdict = view_get32(&h->verdict);
	s->eject_reason = view_get(&h->ejected_until_ns) ? view_get32(&h->eject_reason) : SHM_EJECT_NOT;
	s->ejections = view_get32(&h->ejections);
	s->ejected_ns = s->eject_reason ? view_get32(&h->ejected_s) * UINT64_C(1000000000) : 0;
	s->ejected_until_ns = view_get(&h->ejected_until_ns);
	s->outcome = view_get32(&h->outcome);
	s->status = view_get32(&h->status);
	s->in_a_row = view_get32(&h->in_a_row);
	s->down_outcome = view_get32(&h->down_outcome);
	s->since_ns = view_get(&h->since_ns);
	s->probed_ns = view_get(&h->probed_ns);
	s->probe_latency_ns = view_get(&h->probe_latency_ns);
	s->probes = view_get(&h->probes);
	s->probes_failed = view_get(&h->probes_failed);
	s->down_ns = view_get(&h->down_ns);
	s->entries = view_get(&h->entries);
	s->errors_reported = view_get(&h->errors);
	memset(&ss, 0, sizeof(ss));
	size = table_address(t, s->row, &ss);
	if (size) {
		char text[SOCK_TEXT_MAX];

		sock_text((const struct sockaddr *)&ss, size, text, sizeof(text));
		view_text(s->address, sizeof(s->address), text, sizeof(text));
	}
}

static int view_by_pool(const void *a, const void *b)
{
	const struct view_server *x = a, *y = b;

	if (x->pool != y->pool)
		return x->pool < y->pool ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* An empty place is a server as long as its last one has something in hand; its figures stay its pool's. */
static bool view_leaves_place(struct view *v, struct view_server *s)
{
	struct view_pool *p = &v->pool[s->pool];

	p->empty++;
	s->leaving = true;
	if (s->inflight)
		return true;
	view_add_load(&p->load, &s->load);
	return false;
}

/* A row of the table. 0 also when nobody has it. */
static int view_take_server(struct view *v, const struct table *t, uint32_t row, bool load)
{
	struct shm_server *from = &t->server[row];
	uint32_t used = atomic_load_explicit(&from->used, memory_order_acquire);
	struct view_server *s;
	struct view_pool *p;
	unsigned pool;

	if (!used)
		return 0;
	for (pool = 0; pool < v->npools && v->pool[pool].row != from->pool; pool++)
		;
	if (pool == v->npools)	/* its pool came after we had looked */
		return 0;
	if (view_room(&v->server, &v->room_servers, v->nservers + 1, sizeof(*v->server)) < 0)
		return -1;
	s = &v->server[v->nservers++];
	memset(s, 0, sizeof(*s));
	view_text(s->name, sizeof(s->name), from->name, sizeof(from->name));
	s->row = row;
	s->pool = pool;
	s->leaving = used < v->generation;
	s->weight = view_get32(&from->weight);
	s->weight_conf = view_get32(&from->weight_conf);
	s->weight_set = view_get32(&from->weight_set);
	s->admin = view_get32(&from->admin);
	s->maxconn = view_get32(&from->maxconn);
	s->maxconn_least = view_get32(&from->maxconn_least);
	s->limit = s->maxconn_least ? view_get32(&t->health[row].limit) : s->maxconn;
	s->backup = view_get32(&from->backup);
	s->added_ns = view_get(&from->added_ns);
	s->admin_ns = view_get(&from->admin_ns);
	view_take_health(s, t);
	s->inflight = table_sum_inflight(t, row);
	if (load)
		view_take_load(s, t);
	if (v->recall)
		view_recall_row(&s->recent, t, history_of_server(t, row), history_step(HISTORY_MINUTES, v->now_ns));
	if (s->verdict == SHM_EMPTY && !view_leaves_place(v, s)) {
		v->nservers--;
		return 0;
	}
	p = &v->pool[pool];
	p->up += strcmp(view_state(s), "up") == 0 && s->weight > 0;
	p->inflight += s->inflight;
	view_add_load(&p->load, &s->load);
	return 0;
}

/* All are there: in order. */
static void view_gather(struct view *v)
{
	bool in_order = true;

	for (unsigned i = 1; i < v->nservers && in_order; i++)
		in_order = view_by_pool(&v->server[i - 1], &v->server[i]) < 0;
	if (!in_order)
		qsort(v->server, v->nservers, sizeof(*v->server), view_by_pool);
	for (unsigned i = 0; i < v->nservers; i++) {
		struct view_pool *p = &v->pool[v->server[i].pool];

		if (p->n++ == 0)
			p->first = i;
	}
}

/* Requests that a worker has with servers. */
static uint64_t view_inflight(const struct table *t, uint32_t slot)
{
	uint32_t n = atomic_load_explicit(&t->inst->servers, memory_order_acquire);
	uint64_t sum = 0;

	for (uint32_t row = 0; row < n && row < t->max_servers; row++)
		sum += view_get32(&table_inflight(t, slot)[row]);
	return sum;
}

static int view_take_workers(struct view *v, const struct table *t)
{
	const struct shm_worker *gone = &t->worker[0];	/* what those that are gone had counted */

	v->nworkers = 0;
	v->requests = view_get(&gone->requests);
	v->refused = view_get(&gone->refused);
	v->log_dropped = view_get(&gone->log_dropped);
	v->restarts = view_get32(&gone->restarts);
	v->clients = 0;
	for (uint32_t slot = 1; slot < t->max_workers; slot++) {
		struct shm_worker *from = &t->worker[slot];
		uint32_t state = view_get32(&from->slot);
		struct view_worker *w;

		if (state == SHM_SLOT_FREE && !view_get32(&from->pid))
			continue;
		if (view_room(&v->worker, &v->room_workers, v->nworkers + 1, sizeof(*v->worker)) < 0)
			return -1;
		w = &v->worker[v->nworkers++];
		*w = (struct view_worker){
			.slot = slot,
			.pid = view_get32(&from->pid),
			.generation = view_get32(&from->generation),
			.state = state,
			.restarts = view_get32(&from->restarts),
			.started_ns = view_get(&from->started_ns),
			.handed = view_get(&from->handed),
			.busy_since_ns = view_get(&from->busy_since_ns),
			.received = view_get(&from->received),
			.active = view_get32(&from->active),
			.idle_upstreams = view_get32(&from->idle_upstreams),
			.requests = view_get(&from->requests),
			.refused = view_get(&from->refused),
			.loop_lag_ns = view_get(&from->loop_lag_ns),
			.log_dropped = view_get(&from->log_dropped),
			.busy_ns = view_get(&from->busy_ns),
			.cpu_ns = view_cpu_ns(view_get32(&from->pid)),
			.inflight = view_inflight(t, slot),
		};
		v->requests += w->requests;
		v->refused += w->refused;
		v->log_dropped += w->log_dropped;
		v->restarts += w->restarts;
		v->clients += w->active;
	}
	return 0;
}

int view_begin(struct view *v, const struct table *t)
{
	view_take_instance(v, t);
	v->nservers = 0;
	v->next_row = 0;
	return view_take_pools(v, t) < 0 || view_take_workers(v, t) < 0 || view_take_listeners(v, t) < 0 ? -1 : 0;
}

int view_more(struct view *v, const struct table *t, bool load, unsigned rows)
{
	uint32_t n = atomic_load_explicit(&t->inst->servers, memory_order_acquire);

	if (n > t->max_servers)
		n = t->max_servers;
	for (; rows > 0 && v->next_row < n; rows--)
		if (view_take_server(v, t, v->next_row++, load) < 0)
			return -1;
	if (v->next_row < n)
		return 1;
	view_gather(v);
	return 0;
}

int view_take(struct view *v, const struct table *t, bool load)
{
	return view_begin(v, t) < 0 || view_more(v, t, load, UINT_MAX) < 0 ? -1 : 0;
}

void view_processes(struct view *v)
{
	for (unsigned i = 0; i < v->nworkers; i++)
		v->worker[i].process_state = view_process_state(v->worker[i].pid);
}

void view_free(struct view *v)
{
	free(v->server);
	free(v->pool);
	free(v->worker);
	free(v->listener);
	memset(v, 0, sizeof(*v));
}

/* A counter that has become smaller began anew in between. */
static void view_differ(struct view_load *to, const struct view_load *now, const struct view_load *before)
{
	uint64_t *d = (uint64_t *)to;
	const uint64_t *a = (const uint64_t *)now, *b = (const uint64_t *)before;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*d); i++)
		d[i] = a[i] >= b[i] ? a[i] - b[i] : 0;
}

static const struct view_server *view_same(const struct view *v, const struct view_server *s, const char *pool)
{
	for (unsigned i = 0; i < v->nservers; i++) {
		const struct view_server *o = &v->server[i];

		if (o->row == s->row)
			return strcmp(o->name, s->name) == 0 && strcmp(v->pool[o->pool].name, pool) == 0 ? o : NULL;
	}
	return NULL;
}

void view_compare(struct view *now, const struct view *before)
{
	double s = (double)(now->now_ns - before->now_ns) / 1e9;
	unsigned hint = 0;

	if (now->now_ns <= before->now_ns)
		return;
	now->compared = true;
	now->accept_rate = now->accepted >= before->accepted ? (double)(now->accepted - before->accepted) / s : 0;
	now->rate = now->error_rate = 0;
	for (unsigned i = 0; i < now->nservers; i++) {
		struct view_server *v = &now->server[i];
		struct view_pool *p = &now->pool[v->pool];
		const struct view_server *o = NULL;

		/* As a rule both looks have the same rows in the same order. */
		if (hint < before->nservers && before->server[hint].row == v->row &&
		    strcmp(before->server[hint].name, v->name) == 0)
			o = &before->server[hint];
		else
			o = view_same(before, v, p->name);
		if (!o)
			continue;
		hint = (unsigned)(o - before->server) + 1;
		v->compared = true;
		view_differ(&v->lately, &v->load, &o->load);
		v->rate = (double)view_requests(&v->lately) / s;
		v->error_rate = (double)view_errors(&v->lately) / s;
		view_add_load(&p->lately, &v->lately);
		p->rate += v->rate;
		p->error_rate += v->error_rate;
		now->rate += v->rate;
		now->error_rate += v->error_rate;
	}
	for (unsigned i = 0; i < now->nlisteners; i++) {
		struct view_listener *l = &now->listener[i];

		for (unsigned k = 0; k < before->nlisteners; k++) {
			const struct view_listener *o = &before->listener[k];

			if (o->row == l->row && strcmp(o->name, l->name) == 0 && l->accepted >= o->accepted)
				l->rate = (double)(l->accepted - o->accepted) / s;
		}
	}
	for (unsigned i = 0; i < now->nworkers; i++) {
		struct view_worker *w = &now->worker[i];

		for (unsigned k = 0; k < before->nworkers; k++) {
			const struct view_worker *o = &before->worker[k];

			if (o->slot == w->slot && o->pid == w->pid && w->requests >= o->requests)
				w->rate = (double)(w->requests - o->requests) / s;
		}
	}
}

uint64_t view_requests(const struct view_load *l)
{
	/* Those of class 1 come before the answer that ends the request. */
	return l->responses[0] + l->responses[2] + l->responses[3] + l->responses[4] + l->responses[5] +
	    l->connect_failures + l->timeouts + l->resets;
}

uint64_t view_errors(const struct view_load *l)
{
	return l->responses[5] + l->connect_failures + l->timeouts + l->resets + l->cuts + l->invalid;
}

double view_error_percent(const struct view_load *l)
{
	uint64_t n = view_requests(l), bad = view_errors(l);

	if (bad == 0)
		return 0;
	return bad >= n ? 100 : 100.0 * (double)bad / (double)n;
}

uint64_t view_quantile(const uint64_t latency[static SHM_LATENCY_BUCKETS], double q)
{
	uint64_t total = 0, below = 0;
	double want;
	unsigned b;

	for (b = 0; b < SHM_LATENCY_BUCKETS; b++)
		total += latency[b];
	if (total == 0)
		return 0;
	want = q * (double)total;
	for (b = 0; b < SHM_LATENCY_BUCKETS - 1 && (double)(below + latency[b]) < want; b++)
		below += latency[b];
	/* Inside its bucket they are taken to be spread evenly. */
	double low = b ? 16000.0 * (double)(UINT64_C(1) << (b - 1)) : 0, high = 16000.0 * (double)(UINT64_C(1) << b);
	double part = latency[b] ? (want - (double)below) / (double)latency[b] : 1;

	if (part < 0)
		part = 0;
	return (uint64_t)(low + (high - low) * (part > 1 ? 1 : part));
}

double view_availability(const struct view *v, const struct view_server *s)
{
	uint64_t from = s->added_ns ? s->added_ns : v->started_ns, down = s->down_ns, life;

	if (s->verdict == SHM_DOWN && v->now_ns > s->since_ns)
		down += v->now_ns - s->since_ns;
	if (v->now_ns <= from)
		return s->verdict == SHM_DOWN ? 0 : 100;
	life = v->now_ns - from;
	return down >= life ? 0 : 100.0 * (double)(life - down) / (double)life;
}

const char *view_state(const struct view_server *s)
{
	if (s->leaving)
		return "leaving";
	if (s->admin == SHM_MAINT)
		return "maint";
	if (s->admin == SHM_DRAIN)
		return "drain";
	if (s->verdict == SHM_UP && s->eject_reason)
		return "ejected";
	return table_verdict_text(s->verdict);
}

uint64_t view_since_ns(const struct view_server *s)
{
	if (s->admin == SHM_READY && !s->leaving && s->verdict == SHM_UP && s->ejected_ns)
		return s->ejected_ns;
	return s->admin == SHM_READY || s->leaving ? s->since_ns : s->admin_ns;
}

char *view_full_name(const struct view *v, const struct view_server *s, char buf[static VIEW_FULL_MAX])
{
	snprintf(buf, VIEW_FULL_MAX, "%s/%s", v->pool[s->pool].name, s->name);
	return buf;
}

bool view_is_name(const struct view *v, const char *pattern)
{
	for (unsigned i = 0; pattern && i < v->nservers; i++)
		if (match_server(pattern, v->pool[v->server[i].pool].name, v->server[i].name) == MATCH_NAME)
			return true;
	return false;
}

bool view_matches(const struct view *v, const struct view_server *s, const char *pattern, bool is_name)
{
	enum match is;

	if (!pattern)
		return true;
	is = match_server(pattern, v->pool[s->pool].name, s->name);
	return is == MATCH_NAME || (is == MATCH_PATTERN && !is_name);
}
