/*
 * The hang detector.
 *
 * Two signs: a worker's loop has been out of epoll for long (shm_worker.busy_since_ns), or it does
 * not take what its channel holds although it claims to sleep, as a stopped process does. What it
 * did not take is taken back and given to others; a ping stays in its place, so that it is known when
 * it moves again.
 *
 * The check runs while something may go wrong and not otherwise: ten times a second while
 * connections are on the way to a worker, once a second while workers hold some, never when idle.
 */
#include "supervisor/hang.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "os/log.h"
#include "supervisor/channel.h"

#define HANG_CHECK_NS		(100 * CONF_MS)
#define HANG_SLOW_CHECK_NS	CONF_SECOND
#define HANG_START_NS		(10 * CONF_SECOND)	/* a worker that is not ready after so long never will be */

static uint64_t hang_on_the_way(const struct worker *w)
{
	const struct shm_worker *row = &w->gen->s->table.worker[w->slot];
	uint64_t received = atomic_load_explicit(&row->received, memory_order_relaxed);
	uint64_t handed = atomic_load_explicit(&row->handed, memory_order_relaxed);

	return handed > received ? handed - received : 0;
}

uint64_t hang_age_ns(struct worker *w)
{
	const struct shm_worker *row = &w->gen->s->table.worker[w->slot];
	uint64_t now = w->gen->s->loop.now_ns, busy, received, age = 0;

	if (w->pid == 0)
		return 0;
	received = atomic_load_explicit(&row->received, memory_order_relaxed);
	if (w->pinged && channel_is_empty(w))
		w->pinged = false;
	if (received != w->seen_received || (hang_on_the_way(w) == 0 && !w->pinged)) {
		w->seen_received = received;
		w->progress_ns = now;
	}
	age = now - w->progress_ns;
	busy = atomic_load_explicit(&row->busy_since_ns, memory_order_relaxed);
	if (busy && busy < now && now - busy > age)
		age = now - busy;
	return age;
}

/* Returns how soon to look at this worker again, nanoseconds; 0: no need. */
static uint64_t hang_look(struct worker *w)
{
	struct supervisor *s = w->gen->s;
	uint64_t age, limit = w->gen->conf->hang_ns;
	const struct shm_worker *row;

	if (w->pid == 0 || w->killed)
		return 0;
	if (!w->ready) {
		/* It receives nothing yet, and that is no sign. */
		age = s->loop.now_ns - w->back_off.started_ns;
		if (limit < HANG_START_NS)
			limit = HANG_START_NS;
	} else {
		age = hang_age_ns(w);
	}
	if (age > limit) {
		log_error("worker %u (pid %d) has been %s for %u ms and is killed", w->slot, (int)w->pid,
			  w->ready ? "hanging" : "starting", (unsigned)(age / CONF_MS));
		w->killed = true;
		if (kill(w->pid, SIGKILL) < 0 && errno != ESRCH)
			log_error("kill of pid %d: %s", (int)w->pid, strerror(errno));
		return 0;
	}
	if (w->ready && age > HANG_SKIP_NS && hang_on_the_way(w) && channel_take_back(w))
		w->pinged = channel_ping(w) == 0;
	if (hang_on_the_way(w) || w->pinged)
		return HANG_CHECK_NS;
	row = &s->table.worker[w->slot];
	if (!w->ready || atomic_load_explicit(&row->active, memory_order_relaxed) ||
	    atomic_load_explicit(&row->busy_since_ns, memory_order_relaxed))
		return HANG_SLOW_CHECK_NS;
	return 0;
}

static void hang_check(struct timer *t)
{
	struct supervisor *s = CONTAINER(t, struct supervisor, hang);
	struct generation *g;
	uint64_t soonest = 0;
	unsigned i;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++) {
			uint64_t next = hang_look(&g->worker[i]);

			if (next && (!soonest || next < soonest))
				soonest = next;
		}
	}
	if (soonest)
		timer_set(&s->loop.wheel, &s->hang, s->loop.now_ns + soonest);
}

void hang_watch(struct supervisor *s)
{
	uint64_t due = s->loop.now_ns + HANG_CHECK_NS;

	if (!timer_armed(&s->hang) || timer_deadline_ns(&s->hang) > due)
		timer_set(&s->loop.wheel, &s->hang, due);
}

void hang_reset(struct worker *w)
{
	w->seen_received = atomic_load_explicit(&w->gen->s->table.worker[w->slot].received, memory_order_relaxed);
	w->progress_ns = w->gen->s->loop.now_ns;
	w->pinged = false;
}

void hang_init(struct supervisor *s)
{
	s->hang.cb = hang_check;
}
