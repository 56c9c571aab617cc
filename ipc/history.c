/* What was. Health writes, workers and lbctl read. */
#include "ipc/history.h"

#include <stdio.h>
#include <string.h>

#include "balance/hash.h"

#define SECOND_NS UINT64_C(1000000000)

const struct history_span history_spans[HISTORY_SPANS] = {
	[HISTORY_MINUTES] = { "10m", SECOND_NS, 600, 0 },
	[HISTORY_HOUR] = { "1h", 15 * SECOND_NS, 240, 600 },
	[HISTORY_DAY] = { "24h", 300 * SECOND_NS, 288, 840 },
};

_Static_assert(600 + 240 + 288 == SHM_HISTORY_POINTS, "the table has room for all points");

static uint64_t load(const _Atomic uint64_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint32_t load32(const _Atomic uint32_t *w)
{
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void store(_Atomic uint64_t *w, uint64_t v)
{
	atomic_store_explicit(w, v, memory_order_relaxed);
}

/* ---- numbers ---- */

/* Five bits of exponent, eleven of mantissa: m below 2048 as it is, above it (1024 + m / 2 ...) doubled e times. */
uint16_t history_pack(double v)
{
	unsigned e = 0;

	if (!(v > 0))
		return 0;
	while (v >= 2047.5 && e < 31) {
		v /= 2;
		e++;
	}
	if (v > 2047)
		v = 2047;
	return (uint16_t)(e << 11 | (unsigned)(v + 0.5));
}

double history_unpack(uint16_t code)
{
	return (double)(code & 2047) * (double)(UINT64_C(1) << (code >> 11));
}

static uint64_t pack4(double a, double b, double c, double d)
{
	return (uint64_t)history_pack(a) | (uint64_t)history_pack(b) << 16 | (uint64_t)history_pack(c) << 32 |
	    (uint64_t)history_pack(d) << 48;
}

static double part(uint64_t word, unsigned i)
{
	return history_unpack((uint16_t)(word >> 16 * i));
}

/* Rates are kept in hundredths, times in microseconds, parts of a whole in thousandths. */
#define RATE	100.0
#define US	1000.0
#define PART	1000.0

static uint64_t ns(double us)
{
	return (uint64_t)(us * US);
}

/* ---- identities and states ---- */

static uint64_t identity(const char *text, size_t size)
{
	uint64_t h = hash_bytes(HASH_HISTORY, text, size);

	return h ? h : 1;
}

/* A row that changes hands while it is being read gives a hash of nobody: no harm. */
static size_t name(char *to, const char *from)
{
	size_t n = strnlen(from, SHM_NAME_MAX - 1);

	memcpy(to, from, n);
	return n;
}

uint64_t history_identity_pool(const struct table *t, uint32_t row)
{
	char text[SHM_NAME_MAX];

	return identity(text, name(text, t->pool[row].name));
}

uint64_t history_identity_server(const struct table *t, uint32_t row)
{
	char text[2 * SHM_NAME_MAX];
	uint32_t pool = t->server[row].pool;
	size_t n;

	if (pool >= t->max_pools)
		return 0;
	n = name(text, t->pool[pool].name);
	text[n++] = '/';
	n += name(text + n, t->server[row].name);
	return identity(text, n);
}

enum history_state history_state_of(const struct table *t, uint32_t row)
{
	uint32_t admin = load32(&t->server[row].admin), verdict = load32(&t->health[row].verdict);

	if (verdict == SHM_EMPTY)
		return HISTORY_GONE;
	if (admin == SHM_MAINT)
		return HISTORY_MAINT;
	if (admin == SHM_DRAIN)
		return HISTORY_DRAIN;
	if (verdict == SHM_UP && load(&t->health[row].ejected_until_ns))
		return HISTORY_EJECTED;
	return verdict == SHM_UP ? HISTORY_UP : verdict == SHM_DOWN ? HISTORY_DOWN : HISTORY_UNKNOWN;
}

const char *history_state_text(enum history_state s)
{
	static const char *const text[HISTORY_STATES] = {
		[HISTORY_GONE] = "gone", [HISTORY_UP] = "up", [HISTORY_DRAIN] = "drain", [HISTORY_MAINT] = "maint",
		[HISTORY_UNKNOWN] = "unknown", [HISTORY_EJECTED] = "ejected", [HISTORY_DOWN] = "down",
	};

	return s < HISTORY_STATES ? text[s] : "?";
}

/* ---- points ---- */

uint64_t history_step(unsigned span, uint64_t now_ns)
{
	return now_ns / history_spans[span].step_ns;
}

/* Never 0, which is no stamp. */
static uint32_t stamp_of(uint64_t n)
{
	return (uint32_t)n + 1 ? (uint32_t)n + 1 : 1;
}

bool history_has(const struct table *t, unsigned span, uint64_t n)
{
	uint32_t stamp = atomic_load_explicit(&t->history->stamp[history_place(span, n)], memory_order_acquire);

	/* What was read before this is not newer than it. */
	atomic_thread_fence(memory_order_acquire);
	return stamp == stamp_of(n);
}

void history_begin(struct table *t, unsigned span, uint64_t n)
{
	atomic_store_explicit(&t->history->stamp[history_place(span, n)], 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void history_end(struct table *t, unsigned span, uint64_t n)
{
	atomic_store_explicit(&t->history->stamp[history_place(span, n)], stamp_of(n), memory_order_release);
}

/* The low bits of the step stand in the point, so that a row that was not written in a step shows it: 1..255. */
static uint64_t tag(uint64_t n)
{
	return n % 255 + 1;
}

/*
 * Flow: [0] requests, errors, in flight, then 8 bits state or, of pools, servers up to 255, then 8 bits tag.
 * [1] p50, p90, p99, waiting.
 */
void history_write_flow(struct shm_past *p, unsigned span, uint64_t n, const struct history_point *v)
{
	_Atomic uint64_t *w = p->point[history_place(span, n)];
	uint64_t small = v->state ? (uint64_t)v->state : v->up > 255 ? 255 : (uint64_t)v->up;

	store(&w[0], (pack4(v->requests * RATE, v->errors * RATE, v->inflight, 0)) | small << 48 | tag(n) << 56);
	store(&w[1], pack4((double)v->p50_ns / US, (double)v->p90_ns / US, (double)v->p99_ns / US, v->waiting));
}

bool history_read_flow(const struct shm_past *p, unsigned span, uint64_t n, struct history_point *out)
{
	const _Atomic uint64_t *w = p->point[history_place(span, n)];
	uint64_t a = load(&w[0]), b = load(&w[1]);
	unsigned small = (unsigned)(a >> 48 & 0xff);

	if (a >> 56 != tag(n))
		return false;
	*out = (struct history_point){
		.requests = part(a, 0) / RATE, .errors = part(a, 1) / RATE, .inflight = part(a, 2),
		.state = small < HISTORY_STATES ? (enum history_state)small : HISTORY_GONE, .up = small,
		.p50_ns = ns(part(b, 0)), .p90_ns = ns(part(b, 1)), .p99_ns = ns(part(b, 2)), .waiting = part(b, 3),
	};
	return true;
}

/* Worker: [0] requests, refused, in flight, 8 bits unused, 8 bits tag; [1] clients, busy, lag, idle upstreams. */
void history_write_worker(struct shm_past *p, unsigned span, uint64_t n, const struct history_point *v)
{
	_Atomic uint64_t *w = p->point[history_place(span, n)];

	store(&w[0], pack4(v->requests * RATE, v->errors * RATE, v->inflight, 0) | tag(n) << 56);
	store(&w[1], pack4(v->clients, v->busy * PART, v->lag_ns / US, v->idle));
}

bool history_read_worker(const struct shm_past *p, unsigned span, uint64_t n, struct history_point *out)
{
	const _Atomic uint64_t *w = p->point[history_place(span, n)];
	uint64_t a = load(&w[0]), b = load(&w[1]);

	if (a >> 56 != tag(n))
		return false;
	*out = (struct history_point){
		.requests = part(a, 0) / RATE, .errors = part(a, 1) / RATE, .inflight = part(a, 2),
		.clients = part(b, 0), .busy = part(b, 1) / PART, .lag_ns = part(b, 2) * US, .idle = part(b, 3),
	};
	return true;
}

static void repeat_rows(struct shm_past *row, uint32_t rows, unsigned span, uint64_t n, uint64_t again)
{
	for (uint32_t i = 0; i < rows; i++) {
		_Atomic uint64_t *from = row[i].point[history_place(span, n)], *to = row[i].point[history_place(span, again)];
		uint64_t w = load(&from[0]);

		if (w >> 56 != tag(n))
			continue;
		store(&to[0], (w & ~(UINT64_C(0xff) << 56)) | tag(again) << 56);
		store(&to[1], load(&from[1]));
	}
}

void history_repeat(struct table *t, unsigned span, uint64_t n, uint64_t again)
{
	history_begin(t, span, again);
	repeat_rows(t->past_pool, t->max_pools, span, n, again);
	repeat_rows(t->past_server, t->history_servers, span, n, again);
	repeat_rows(t->past_worker, t->max_workers, span, n, again);
	history_end(t, span, again);
}

void history_adopt(struct shm_past *p, uint64_t id)
{
	atomic_store_explicit(&p->identity, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < SHM_HISTORY_POINTS; i++)
		if (load(&p->point[i][0]))	/* reading does not take memory, writing does */
			store(&p->point[i][0], 0);
	atomic_store_explicit(&p->identity, id, memory_order_release);
}

const struct shm_past *history_of_pool(const struct table *t, uint32_t row)
{
	const struct shm_past *p = row < t->max_pools ? &t->past_pool[row] : NULL;

	return p && atomic_load_explicit(&p->identity, memory_order_acquire) == history_identity_pool(t, row) ? p : NULL;
}

const struct shm_past *history_of_server(const struct table *t, uint32_t row)
{
	const struct shm_past *p = row < t->history_servers ? &t->past_server[row] : NULL;

	return p && atomic_load_explicit(&p->identity, memory_order_acquire) == history_identity_server(t, row) ? p : NULL;
}

/* ---- events ---- */

/* what: 4 bits kind, 4 from, 4 to, 20 why, 32 row or value. */
void history_add_event(struct table *t, const struct history_event *e)
{
	uint64_t n = load(&t->history->events) + 1;
	struct shm_event *at = &t->history->event[n % SHM_HISTORY_EVENTS];

	atomic_store_explicit(&at->number, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	store(&at->at_ns, e->at_ns);
	store(&at->identity, e->identity);
	store(&at->what, (uint64_t)e->kind | (uint64_t)e->from << 4 | (uint64_t)e->to << 8 | (uint64_t)(e->why & 0xfffff) << 12 |
	    (uint64_t)(e->kind == HISTORY_RELOAD ? e->value : e->row) << 32);
	atomic_store_explicit(&at->number, n, memory_order_release);
	atomic_store_explicit(&t->history->events, n, memory_order_release);
}

bool history_read_event(const struct table *t, uint64_t n, struct history_event *e)
{
	const struct shm_event *at = &t->history->event[n % SHM_HISTORY_EVENTS];
	uint64_t what;

	if (n == 0 || atomic_load_explicit(&at->number, memory_order_acquire) != n)
		return false;
	*e = (struct history_event){ .number = n, .at_ns = load(&at->at_ns), .identity = load(&at->identity) };
	what = load(&at->what);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&at->number, memory_order_relaxed) != n)
		return false;
	e->kind = (enum history_kind)(what & 15);
	e->from = (enum history_state)(what >> 4 & 15);
	e->to = (enum history_state)(what >> 8 & 15);
	e->why = (uint32_t)(what >> 12 & 0xfffff);
	e->row = e->value = (uint32_t)(what >> 32);
	return e->kind >= HISTORY_SERVER && e->kind <= HISTORY_WORKER && e->from < HISTORY_STATES && e->to < HISTORY_STATES;
}
