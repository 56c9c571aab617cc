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
 * Sends n connections of m, from `from` on, to w; they are closed here when they are gone, or cannot
 * be sent at all. 0, or -1 with errno: they are still there.
 */
static int dispatch_send(struct supervisor *s, struct worker *w, const struct handoff_msg *m, uint32_t from, uint32_t n)
{
	struct handoff_msg *part = &s->dispatch.part;
	_Atomic uint64_t *handed = &s->table.worker[w->slot].handed;
	uint32_t i;
	int err = 0;

	part->head.type = HANDOFF_CONNS;
	part->head.count = (uint16_t)n;
	part->head.generation = w->gen->number;
	memcpy(part->rec, m->rec + from, n * sizeof(m->rec[0]));
	memcpy(part->fd, m->fd + from, n * sizeof(m->fd[0]));

	/* Counted before they are sent: the worker must never seem to have received more than it was handed. */
	table_add(handed, n);
	if (handoff_send(w->channel[0], part) < 0) {
		err = errno;
		table_add(handed, -(uint64_t)n);
		if (err == EAGAIN || err == ENOBUFS || err == ENOMEM || err == ETOOMANYREFS || err == EPIPE ||
		    err == ECONNRESET) {
			errno = err;
			return -1;
		}
		log_error("worker %u: %u connections cannot be handed over and are closed: %s", w->slot, n, strerror(err));
	}
	for (i = 0; i < n; i++)
		close(part->fd[i]);
	return 0;
}

/* Gives what it can; the rest stays in m, moved to its front. */
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
			if (dispatch_send(s, v[i], m, at, give[i]) == 0) {
				at += give[i];
				continue;
			}
			if (errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM) {
				dispatch_scarce(s, errno);
				goto out;
			}
			/* Full: the others get its share in the next pass. */
			v[i]->full = true;
			channel_watch(v[i]);
		}
	}
out:
	if (at)
		hang_watch(s);
	memmove(m->rec, m->rec + at, (count - at) * sizeof(m->rec[0]));
	memmove(m->fd, m->fd + at, (count - at) * sizeof(m->fd[0]));
	m->head.count = (uint16_t)(count - at);
}

void dispatch_give(struct supervisor *s, struct handoff_msg *m, const struct worker *but)
{
	struct handoff_msg *round = &s->dispatch.round;

	if (m->head.count == 0)
		return;
	if (m != round && round->head.count) {
		/* Only somebody who does not keep to the rules brings us here: nothing was asked for. */
		while (m->head.count)
			close(m->fd[--m->head.count]);
		return;
	}
	dispatch_place(s, m, but);
	if (m != round && m->head.count) {
		memcpy(round->rec, m->rec, m->head.count * sizeof(m->rec[0]));
		memcpy(round->fd, m->fd, m->head.count * sizeof(m->fd[0]));
		round->head.count = m->head.count;
		m->head.count = 0;
	}
}

/* Retiring workers are not read from while there is no place for what they hand back. */
static void dispatch_gate(struct supervisor *s)
{
	bool gate = s->dispatch.round.head.count != 0;
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

	if (d->round.head.count && (d->stirred || s->loop.now_ns >= d->retry_ns))
		dispatch_place(s, &d->round, NULL);
	accept_turn(s);
	dispatch_gate(s);
	d->stirred = false;
}

uint64_t dispatch_wait_ns(const struct supervisor *s)
{
	uint64_t now = s->loop.now_ns, until = accept_next_ns(s);

	if (s->dispatch.round.head.count && s->dispatch.retry_ns < until)
		until = s->dispatch.retry_ns;
	return until == UINT64_MAX ? until : until > now ? until - now : 0;
}
