/*
 * Handing connections to workers.
 *
 * The load of a worker is what it says it holds (shm_worker.active) plus what was sent and not yet
 * taken (handed - received). One whose loop hangs gets nothing while others are there. Whatever
 * finds no place stays in dispatch.round, and while something is there nothing more is taken in:
 * clients wait in the kernel's backlog, retiring workers with their hands full.
 */
#include "supervisor/dispatch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/accept.h"
#include "supervisor/channel.h"
#include "supervisor/custody.h"
#include "supervisor/hang.h"
#include "supervisor/spread.h"

#define DISPATCH_RETRY_NS	(10 * CONF_MS)	/* all channels full, and none became writable */
#define DISPATCH_SCARCE_NS	(100 * CONF_MS)	/* the kernel had no memory, or too many descriptors under way */

/*
 * By how much a worker may be filled above the next one (spread.h). At a low rate each connection goes
 * where there is least to do; at a high rate fewer and larger messages save more than evenness brings.
 */
#define DISPATCH_SLACK_LIGHT	0
#define DISPATCH_SLACK_HEAVY	8

static uint64_t dispatch_load(const struct supervisor *s, const struct worker *w)
{
	const struct shm_worker *row = &s->table.worker[w->slot];
	uint64_t received = atomic_load_explicit(&row->received, memory_order_relaxed);
	uint64_t handed = atomic_load_explicit(&row->handed, memory_order_relaxed);

	return atomic_load_explicit(&row->active, memory_order_relaxed) + (handed > received ? handed - received : 0);
}

static bool dispatch_takes(const struct worker *w, const struct worker *but)
{
	return w != but && w->ready && !w->full && !w->killed;
}

bool dispatch_has_room(const struct supervisor *s, const struct worker *but)
{
	unsigned i;

	for (i = 0; s->current && i < s->current->nworkers; i++) {
		if (dispatch_takes(&s->current->worker[i], but))
			return true;
	}
	return false;
}

/* Who may get something, the hanging ones only when there is nobody else. Returns how many. */
static uint32_t dispatch_candidates(struct supervisor *s, const struct worker *but, struct worker **v, uint64_t *load)
{
	bool hung_too;
	uint32_t n = 0;
	unsigned i;

	for (hung_too = false; n == 0; hung_too = true) {
		for (i = 0; i < s->current->nworkers; i++) {
			struct worker *w = &s->current->worker[i];

			if (!dispatch_takes(w, but) || (!hung_too && hang_age_ns(w) > HANG_SKIP_NS))
				continue;
			v[n] = w;
			load[n++] = dispatch_load(s, w);
		}
		if (hung_too)
			break;
	}
	return n;
}

static void dispatch_scarce(struct supervisor *s, int err)
{
	unsigned held;

	s->dispatch.retry_ns = s->loop.now_ns + DISPATCH_SCARCE_NS;
	if (limit_pass(&s->dispatch.channels, s->loop.now_ns, 10 * CONF_SECOND, &held))
		log_warn("connections cannot be handed over at the moment: %s (%u more times)", strerror(err), held);
}

/*
 * Sends m to w; its descriptors are closed here, or kept in custody, when it is gone, or cannot be sent at all. 0, or -1 with errno:
 * they are still there.
 */
static int dispatch_send(struct supervisor *s, struct worker *w, struct handoff_msg *m)
{
	_Atomic uint64_t *handed = &s->table.worker[w->slot].handed;
	unsigned i;

	custody_hold(w, m);
	/* Counted before it is sent: the worker must never seem to have received more than it was handed. */
	m->head.generation = w->gen->number;
	table_add(handed, m->head.count);
	if (handoff_send(w->channel[0], m) < 0) {
		int err = errno;

		custody_void(w, m);
		table_add(handed, -(uint64_t)m->head.count);
		if (err == EAGAIN || err == ENOBUFS || err == ENOMEM || err == ETOOMANYREFS || err == EPIPE ||
		    err == ECONNRESET) {
			errno = err;
			return -1;
		}
		log_error("worker %u: %u connections cannot be handed over and are closed: %s", w->slot, m->head.count,
			  strerror(err));
		for (i = 0; i < handoff_fds(m); i++)
			close(m->fd[i]);
		return 0;
	}
	custody_sent(m);
	return 0;
}

/* After a send that failed. Whether others are worth trying. */
static bool dispatch_failed(struct supervisor *s, struct worker *w)
{
	if (errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM) {
		dispatch_scarce(s, errno);
		return false;
	}
	w->full = true;
	channel_watch(w);
	return true;
}

/* Gives what it can of m's connections; the rest stays in m, moved to its front. */
static void dispatch_place(struct supervisor *s, struct handoff_msg *m, const struct worker *but)
{
	struct dispatch *d = &s->dispatch;
	struct worker *v[CONF_WORKERS_MAX];
	uint64_t load[CONF_WORKERS_MAX];
	uint32_t give[CONF_WORKERS_MAX], k, i, at = 0, count = m->head.count;

	d->retry_ns = s->loop.now_ns + DISPATCH_RETRY_NS;
	while (at < count) {
		k = s->current ? dispatch_candidates(s, but, v, load) : 0;
		if (k == 0)
			break;
		spread_round(k, load, count - at, d->coalescing ? DISPATCH_SLACK_HEAVY : DISPATCH_SLACK_LIGHT, d->turn++,
			     give);
		for (i = 0; i < k; i++) {
			if (give[i] == 0)
				continue;
			d->part.head = (struct handoff_head){ .type = HANDOFF_CONNS, .count = (uint16_t)give[i] };
			memcpy(d->part.rec, m->rec + at, give[i] * sizeof(m->rec[0]));
			memcpy(d->part.fd, m->fd + at, give[i] * sizeof(m->fd[0]));
			if (dispatch_send(s, v[i], &d->part) == 0)
				at += give[i];
			else if (!dispatch_failed(s, v[i]))
				goto out;
			/* When one is full, the others get its share in the next pass. */
		}
	}
out:
	if (at)
		hang_watch(s);
	memmove(m->rec, m->rec + at, (count - at) * sizeof(m->rec[0]));
	memmove(m->fd, m->fd + at, (count - at) * sizeof(m->fd[0]));
	m->head.count = (uint16_t)(count - at);
}

/* A conversation goes whole or not at all. When it has gone, head.count is 0. */
static void dispatch_place_moved(struct supervisor *s, struct handoff_msg *m, const struct worker *but)
{
	struct worker *v[CONF_WORKERS_MAX];
	uint64_t load[CONF_WORKERS_MAX];
	uint32_t give[CONF_WORKERS_MAX], k, i;

	s->dispatch.retry_ns = s->loop.now_ns + DISPATCH_RETRY_NS;
	while (s->current && (k = dispatch_candidates(s, but, v, load)) > 0) {
		spread_round(k, load, 1, 0, s->dispatch.turn++, give);
		for (i = 0; i < k - 1 && !give[i]; i++)
			;
		if (dispatch_send(s, v[i], m) == 0) {
			m->head.count = 0;
			hang_watch(s);
			return;
		}
		if (!dispatch_failed(s, v[i]))
			return;
	}
}

/* Keeps what found no place. */
static void dispatch_hold(struct handoff_msg *to, const struct handoff_msg *m)
{
	to->head = m->head;
	memcpy(to->rec, m->rec, m->head.count * sizeof(m->rec[0]));
	memcpy(to->fd, m->fd, handoff_fds(m) * sizeof(m->fd[0]));
	if (m->head.extra)
		memcpy(to->more, m->extra, m->head.extra);
	to->extra = to->more;
}

void dispatch_give(struct supervisor *s, struct handoff_msg *m, const struct worker *but)
{
	struct dispatch *d = &s->dispatch;
	unsigned i;

	if (m->head.count == 0)
		return;
	if (m != &d->round && supervisor_holds(s)) {
		/* Only somebody who does not keep to the rules brings us here: nothing was asked for. */
		for (i = 0; i < handoff_fds(m); i++)
			close(m->fd[i]);
		return;
	}
	if (m->head.type == HANDOFF_MOVE) {
		dispatch_place_moved(s, m, but);
		if (m->head.count)
			dispatch_hold(&d->moved, m);
		return;
	}
	dispatch_place(s, m, but);
	if (m != &d->round && m->head.count)
		dispatch_hold(&d->round, m);
}

void dispatch_kept(struct supervisor *s, struct handoff_msg *m, const struct worker *but)
{
	struct worker *v[CONF_WORKERS_MAX];
	uint64_t load[CONF_WORKERS_MAX];
	uint32_t k = s->current ? dispatch_candidates(s, but, v, load) : 0;
	struct worker *w;

	if (k == 0)
		return;
	w = v[s->dispatch.turn++ % k];
	m->head.generation = w->gen->number;
	if (handoff_send(w->channel[0], m) < 0 && errno == EAGAIN) {
		w->full = true;
		channel_watch(w);
	}
}

/* Retiring workers are not read from while there is no place for what they hand back. */
static void dispatch_gate(struct supervisor *s)
{
	bool gate = supervisor_holds(s);
	struct generation *g;
	unsigned i;

	if (gate == s->dispatch.gated)
		return;
	s->dispatch.gated = gate;
	for (g = s->retiring; g; g = g->older) {
		for (i = 0; i < g->nworkers; i++) {
			if (!g->worker[i].gone)
				channel_watch(&g->worker[i]);
		}
	}
}

void dispatch_turn(struct supervisor *s)
{
	struct dispatch *d = &s->dispatch;

	if (supervisor_holds(s) && (d->stirred || s->loop.now_ns >= d->retry_ns)) {
		if (d->moved.head.count)
			dispatch_place_moved(s, &d->moved, NULL);
		if (d->round.head.count)
			dispatch_place(s, &d->round, NULL);
	}
	custody_turn(s);
	accept_turn(s);
	dispatch_gate(s);
	d->stirred = false;
}

uint64_t dispatch_wait_ns(const struct supervisor *s)
{
	uint64_t now = s->loop.now_ns, until = accept_next_ns(s);

	if (supervisor_holds(s) && s->dispatch.retry_ns < until)
		until = s->dispatch.retry_ns;
	return until == UINT64_MAX ? until : until > now ? until - now : 0;
}
