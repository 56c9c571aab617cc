/*
 * The hang detector.
 *
 * Two signs: a worker's loop has been out of epoll for long (shm_worker.busy_since_ns), or it does
 * not take what its channel holds although it claims to sleep, as a stopped process does. What it
 * did not take is taken back and given to others; a ping stays in its place, so that it is known when
 * it moves again. One that holds connections and gets no new ones is sent a ping now and then.
 *
 * The check runs while something may go wrong and not otherwise: ten times a second while something
 * is on the way to a worker, every second or more seldom while workers hold connections, never when idle.
 *
 * Who hangs past the limit is asked where (SIGABRT: os/stack.h), and killed a moment later.
 */
#include "supervisor/hang.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/channel.h"

#define HANG_CHECK_NS		(100 * CONF_MS)
#define HANG_SLOW_CHECK_NS	CONF_SECOND
#define HANG_TELL_NS		(200 * CONF_MS)		/* between the question where it hangs and SIGKILL */
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

	if (w->pid == 0 || w->alien)
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

/* What the kernel says of a process, in one word of /proc; empty: nothing. The files are made when they are read. */
static void hang_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	buf[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	close(fd);
}

static void hang_kill(struct worker *w, uint64_t age)
{
	static const struct {
		char state;
		const char *text;
	} states[] = {
		{ 'R', "running" }, { 'S', "sleeping" }, { 'D', "waiting for a device" }, { 'T', "stopped by a signal" },
		{ 't', "stopped by a debugger" }, { 'Z', "dead" },
	};
	char stat[512], where[64];
	const char *end, *state = "in an unknown state";
	unsigned i;

	hang_proc(w->pid, "stat", stat, sizeof(stat));
	hang_proc(w->pid, "wchan", where, sizeof(where));
	end = strrchr(stat, ')');
	for (i = 0; end && end[1] && i < sizeof(states) / sizeof(states[0]); i++) {
		if (end[2] == states[i].state)
			state = states[i].text;
	}
	log_error("worker %u (pid %d) has been %s for %u ms and is killed; it was %s%s%s", w->slot, (int)w->pid,
		  w->ready ? "hanging" : "starting", (unsigned)(age / CONF_MS), state, where[0] > '0' ? " in " : "",
		  where[0] > '0' ? where : "");
	w->killed = true;
	w->kill_ns = w->gen->s->loop.now_ns + HANG_TELL_NS;
	/* In this order: one that is stopped goes on with the question, and with nothing else. */
	if (kill(w->pid, SIGABRT) < 0 || kill(w->pid, SIGCONT) < 0)
		w->kill_ns = w->gen->s->loop.now_ns;
}

/* Returns how soon to look at this worker again, nanoseconds; 0: no need. */
static uint64_t hang_look(struct worker *w)
{
	struct supervisor *s = w->gen->s;
	uint64_t age, limit = w->gen->conf->hang_ns;
	const struct shm_worker *row;

	if (w->pid == 0 || w->alien || (w->killed && w->kill_ns == 0))
		return 0;
	if (w->killed) {
		if (s->loop.now_ns < w->kill_ns)
			return w->kill_ns - s->loop.now_ns;
		w->kill_ns = 0;
		if (kill(w->pid, SIGKILL) < 0 && errno != ESRCH)
			log_error("kill of pid %d: %s", (int)w->pid, strerror(errno));
		return 0;
	}
	if (!w->ready) {
		/* It receives nothing yet, and that is no sign. */
		age = s->loop.now_ns - w->back_off.started_ns;
		if (limit < HANG_START_NS)
			limit = HANG_START_NS;
	} else {
		age = hang_age_ns(w);
	}
	if (age > limit) {
		hang_kill(w, age);
		return HANG_TELL_NS;
	}
	if (!w->ready)
		return HANG_SLOW_CHECK_NS;
	if (age > HANG_SKIP_NS && hang_on_the_way(w) && channel_take_back(w))
		w->pinged = channel_ping(w) == 0;
	if (!w->pinged && !channel_is_empty(w))
		w->pinged = true;
	if (hang_on_the_way(w) || w->pinged)
		return HANG_CHECK_NS;
	row = &s->table.worker[w->slot];
	if (!atomic_load_explicit(&row->active, memory_order_relaxed) &&
	    !atomic_load_explicit(&row->busy_since_ns, memory_order_relaxed))
		return 0;
	if (w->sounded) {	/* it has answered: again in a while */
		w->sounded = false;
		return limit / 4 > HANG_SLOW_CHECK_NS ? limit / 4 : HANG_SLOW_CHECK_NS;
	}
	w->sounded = w->pinged = channel_ping(w) == 0;
	return w->pinged ? HANG_CHECK_NS : HANG_SLOW_CHECK_NS;
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
	w->pinged = w->sounded = false;
	w->kill_ns = 0;
}

void hang_init(struct supervisor *s)
{
	s->hang.cb = hang_check;
}
