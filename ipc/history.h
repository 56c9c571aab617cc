/*
 * What was: rings of points in the shared table, one for each span of time. Health writes them
 * (health/record.c), everybody may read.
 *
 * Time is cut into steps of CLOCK_MONOTONIC; step n of a span with steps of s is [n s, (n + 1) s). A place
 * holds the step that its stamp names and no other, so a reader that wants step n finds it or does not: a
 * step in which nobody wrote (health was being replaced, the machine slept) is missing, not zero. Numbers
 * are packed so that a point is one or two words that are never torn; they keep three digits.
 */
#ifndef IPC_HISTORY_H
#define IPC_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/table.h"

enum { HISTORY_MINUTES, HISTORY_HOUR, HISTORY_DAY, HISTORY_SPANS };

struct history_span {
	const char *name;	/* as it is asked for: "10m", "1h", "24h" */
	uint64_t step_ns;
	uint32_t points;	/* steps that are kept */
	uint32_t first;		/* place of the first */
};

extern const struct history_span history_spans[HISTORY_SPANS];

/* How a server is, and how an operator sees it: the one word that view_state() says. */
enum history_state {
	HISTORY_GONE = 0,	/* nothing is known of that time */
	HISTORY_UNKNOWN,	/* not probed yet */
	HISTORY_UP,
	HISTORY_DRAIN,
	HISTORY_MAINT,
	HISTORY_EJECTED,
	HISTORY_DOWN,		/* the worst stands last: of several in a step it is the one that is kept */
	HISTORY_STATES
};

/* A point, unpacked. Rates are a second; what a row has no use for is 0. */
struct history_point {
	double requests, errors;	/* of pools and servers; of workers: requests, and refused ones; of slot 0: connections */
	double inflight;		/* when the step ended; of spans with long steps the most that was seen */
	uint64_t p50_ns, p90_ns, p99_ns;
	enum history_state state;	/* servers */
	double up;			/* pools: servers that were up */
	double waiting;			/* pools: requests in the queue */
	double clients, busy, lag_ns, idle;	/* workers: connections held, part of the time not asleep (0..1), longest turn of
					 * the loop, kept connections to servers */
};

enum history_kind { HISTORY_SERVER = 1, HISTORY_RELOAD, HISTORY_WORKER };

struct history_event {
	uint64_t number, at_ns, identity;
	enum history_kind kind;
	uint32_t row;			/* of the server; of the worker: its slot */
	enum history_state from, to;	/* of a server */
	uint32_t why;			/* enum shm_outcome when it went down, enum shm_eject when it was taken out; HTTP status above bit 8 */
	uint32_t value;			/* reload: the generation */
};

/* ---- reading ---- */

/* The step that is under way. The last that can be whole is the one before. */
uint64_t history_step(unsigned span, uint64_t now_ns);
/* Whether the span's ring holds step n, whole. A reader asks before it reads points, and once more afterwards. */
bool history_has(const struct table *t, unsigned span, uint64_t n);
/* False: the row has nothing of that step. The row's identity must be the reader's: history_identity(). */
bool history_read_flow(const struct shm_past *p, unsigned span, uint64_t n, struct history_point *out);	/* pools, servers */
bool history_read_worker(const struct shm_past *p, unsigned span, uint64_t n, struct history_point *out);
/* The past of a row; NULL: it has none (that is its own). */
const struct shm_past *history_of_pool(const struct table *t, uint32_t row);
const struct shm_past *history_of_server(const struct table *t, uint32_t row);
/* Event number n. False: it is not there (any more). */
bool history_read_event(const struct table *t, uint64_t n, struct history_event *e);
const char *history_state_text(enum history_state s);

/* ---- for both sides ---- */

uint64_t history_identity_pool(const struct table *t, uint32_t row);
uint64_t history_identity_server(const struct table *t, uint32_t row);
/* The state of a server in the table now. */
enum history_state history_state_of(const struct table *t, uint32_t row);
/* Sixteen bits for a number that is not negative: exact below 2048, then to three digits, up to 4 10^12. */
uint16_t history_pack(double v);
double history_unpack(uint16_t code);

/* ---- writing: health only ---- */

static inline uint32_t history_place(unsigned span, uint64_t n)
{
	return history_spans[span].first + (uint32_t)(n % history_spans[span].points);
}

/* Around the points of step n. In between a reader finds the place empty. */
void history_begin(struct table *t, unsigned span, uint64_t n);
void history_end(struct table *t, unsigned span, uint64_t n);
/* Step `again` was missed, and the look that ended step n was one at both: it gets the same points. */
void history_repeat(struct table *t, unsigned span, uint64_t n, uint64_t again);
void history_write_flow(struct shm_past *p, unsigned span, uint64_t n, const struct history_point *v);
void history_write_worker(struct shm_past *p, unsigned span, uint64_t n, const struct history_point *v);
/* The row's past is somebody else's: it begins anew. */
void history_adopt(struct shm_past *p, uint64_t identity);
void history_add_event(struct table *t, const struct history_event *e);

#endif
