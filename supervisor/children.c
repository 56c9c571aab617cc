/*
 * Children: fork, reap, replace.
 *
 * A child closes everything of the supervisor's but what it is meant to have: its own end of its own
 * channel, the log, the eventfd that wakes health. So a worker sees the end of its channel when the
 * supervisor dies (nobody else holds the other end but the heir, which takes over), and a listener that is closed here is closed.
 * It drops its privileges before it looks at a byte from outside, or it does not run.
 */
#include "supervisor/children.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "health.h"
#include "ipc/book.h"
#include "os/log.h"
#include "os/stack.h"
#include "supervisor/channel.h"
#include "supervisor/custody.h"
#include "supervisor/generation.h"
#include "supervisor/hang.h"
#include "supervisor/heir.h"
#include "supervisor/limit.h"
#include "supervisor/rows.h"
#include "supervisor/upgrade.h"
#include "worker.h"

#define CHILDREN_QUICK_NS	CONF_SECOND		/* a death sooner than this after the fork counts as quick */
#define CHILDREN_DELAY_NS	(100 * CONF_MS)		/* after the second quick death in a row; doubled each time, */
#define CHILDREN_DELAY_MAX_NS	(5 * CONF_SECOND)	/* up to this */
#define CHILDREN_PATIENCE_NS	(500 * CONF_MS)		/* health is told to end, then made to */
#define CHILDREN_UNSEEN		(-1)			/* wait status of a process whose end only its parent is told */
#define CHILDREN_NO_DROP	77			/* exit status: privileges could not be dropped */

/* ---- starting ---- */

/* In the child: signals as a child wants them. */
static void children_signals(bool term_ends)
{
	/* A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group: what they mean is for the
	 * supervisor to say, by the channel. */
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ };
	sigset_t none;
	unsigned i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGTERM, term_ends ? SIG_DFL : SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	stack_tell_on_abort();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns as fork(2) does. `keep`: descriptors the child has besides 0, 1, 2 and the log; worker: and all wake-ups and access logs. */
static pid_t children_fork(struct generation *g, const char *name, int keep_a, int keep_b, bool worker)
{
	int keep[3 + SHM_WORKERS_MAX + CONF_ACCESS_LOGS_MAX] = { keep_a, keep_b, log_fd() };
	unsigned nkeep = 3, i;
	char title[64];
	pid_t pid;

	fflush(NULL);	/* or the child would write our unwritten bytes a second time */
	pid = fork();
	if (pid != 0)
		return pid;
	for (i = 0; worker && i < g->s->table.max_workers; i++)
		keep[nkeep++] = g->s->wake[i];
	for (i = 0; worker && i < g->conf->naccess_logs; i++)
		keep[nkeep++] = g->conf->access_log[i].fd;
	proc_close_others(STDERR_FILENO + 1, keep, nkeep);
	children_signals(!worker);
	if (g->s->daemon_fd >= 0)
		proc_let_go(g->s->keep_stderr);
	log_name(name);
	snprintf(title, sizeof(title), "loadbalancer: %s", name);
	proc_title(title);
	if (proc_drop(&g->identity) < 0) {
		log_error("privileges cannot be dropped: %s; not starting", strerror(errno));
		_exit(CHILDREN_NO_DROP);
	}
	return 0;
}

static uint64_t children_delay_ns(const struct back_off *b)
{
	uint64_t delay = CHILDREN_DELAY_NS;
	unsigned i;

	if (b->quick < 2)
		return 0;
	for (i = 2; i < b->quick && delay < CHILDREN_DELAY_MAX_NS; i++)
		delay *= 2;
	return delay < CHILDREN_DELAY_MAX_NS ? delay : CHILDREN_DELAY_MAX_NS;
}

/* A death: how long until the next attempt. */
static uint64_t children_back_off(struct back_off *b, uint64_t now_ns)
{
	b->quick = now_ns - b->started_ns < CHILDREN_QUICK_NS ? b->quick + 1 : 0;
	return children_delay_ns(b);
}

static void children_worker_due(struct timer *t)
{
	children_start_worker(CONTAINER(t, struct worker, back_off.timer));
}

void children_start_worker(struct worker *w)
{
	struct supervisor *s = w->gen->s;
	struct shm_worker *row = &s->table.worker[w->slot];
	char name[32];
	pid_t pid;

	if (!w->custody && w->gen->conf->custody)	/* a predecessor's place, the first time that we fill it */
		custody_open(w);
	w->back_off.timer.cb = children_worker_due;
	w->back_off.started_ns = s->loop.now_ns;
	w->ready = w->killed = w->alien = w->bereaved = false;
	w->kill_ns = 0;
	snprintf(name, sizeof(name), "worker %u", w->slot);

	atomic_store_explicit(&row->slot, SHM_SLOT_STARTING, memory_order_relaxed);
	atomic_store_explicit(&row->started_ns, s->loop.now_ns, memory_order_relaxed);
	atomic_store_explicit(&row->busy_since_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&row->active, 0, memory_order_relaxed);
	atomic_store_explicit(&row->idle_upstreams, 0, memory_order_relaxed);
	table_live(&s->table, w->slot);

	book_fork(custody_of(w), 1);	/* no other child has it */
	pid = children_fork(w->gen, name, w->channel[1], s->health_wake, true);
	if (pid == 0) {
		worker_main(&(struct worker_start){
			.conf = w->gen->conf,
			.table = &s->table,
			.slot = w->slot,
			.generation = w->gen->number,
			.book = custody_of(w),
			.channel = w->channel[1],
			.health_wake = s->health_wake,
			.wake = s->wake,
		});
	}
	book_fork(custody_of(w), 0);
	if (pid < 0) {
		uint64_t delay;

		w->back_off.quick++;
		delay = children_delay_ns(&w->back_off);
		if (delay == 0)
			delay = CHILDREN_DELAY_NS;
		log_error("worker %u: fork: %s; next attempt in %u ms", w->slot, strerror(errno), (unsigned)(delay / CONF_MS));
		timer_set(&s->loop.wheel, &w->back_off.timer, s->loop.now_ns + delay);
		return;
	}
	w->pid = pid;
	s->heir_stale = true;
	atomic_store_explicit(&row->pid, (uint32_t)pid, memory_order_relaxed);
	hang_watch(s);
}

static void children_health_event(struct loop_fd *io, uint32_t events)
{
	struct health *h = CONTAINER(io, struct health, io);
	struct health_rank rank;
	ssize_t n = recv(h->channel, &rank, sizeof(rank), MSG_DONTWAIT);

	(void)events;
	if (n == sizeof(rank)) {
		rows_rank(&h->s->table, h->gen->conf, rank.row, rank.weight, rank.backup != 0);
		return;
	}
	if (n > 0) {
		if (!h->first_round)
			log_debug("health (pid %d): first round done", (int)h->pid);
		h->first_round = true;
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	/* It is gone; SIGCHLD tells the rest. */
	loop_close(&h->s->loop, &h->io);
	h->channel = -1;
}

static void children_health_due(struct timer *t)
{
	struct health *h = CONTAINER(t, struct health, back_off.timer);

	children_start_health(h->s, h->gen);
}

void children_start_health(struct supervisor *s, struct generation *g)
{
	struct health *h = &s->health;
	int pair[2] = { -1, -1 };
	uint64_t delay;
	pid_t pid;

	timer_cancel(&s->loop.wheel, &h->back_off.timer);
	if (h->channel >= 0)
		loop_close(&s->loop, &h->io);
	h->gen = g;
	h->channel = -1;
	h->first_round = h->ending = h->renewing = false;
	h->back_off.started_ns = s->loop.now_ns;
	rows_addresses(&s->table, g->conf);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		goto fail;
	h->io.fd = pair[0];
	h->io.cb = children_health_event;
	if (loop_add(&s->loop, &h->io, EPOLLIN) < 0)
		goto fail;
	pid = children_fork(g, "health", pair[1], s->health_wake, false);
	if (pid == 0) {
		health_main(&(struct health_start){
			.conf = g->conf,
			.table = &s->table,
			.generation = g->number,
			.channel = pair[1],
			.wake = s->health_wake,
		});
	}
	if (pid < 0) {
		loop_del(&s->loop, &h->io);
		goto fail;
	}
	close(pair[1]);
	h->channel = pair[0];
	h->pid = pid;
	s->heir_stale = true;
	atomic_store_explicit(&s->table.inst->health_pid, (uint32_t)pid, memory_order_relaxed);
	return;
fail:
	h->back_off.quick++;
	delay = children_delay_ns(&h->back_off);
	if (delay == 0)
		delay = CHILDREN_DELAY_NS;
	log_error("health cannot be started: %s; next attempt in %u ms", strerror(errno), (unsigned)(delay / CONF_MS));
	if (pair[0] >= 0) {
		close(pair[0]);
		close(pair[1]);
	}
	h->io.fd = -1;
	timer_set(&s->loop.wheel, &h->back_off.timer, s->loop.now_ns + delay);
}

static void children_health_patience(struct timer *t)
{
	struct health *h = CONTAINER(t, struct health, patience);

	if (h->pid) {
		log_warn("health (pid %d) does not end when told to and is killed", (int)h->pid);
		kill(h->pid, SIGKILL);
	}
}

void children_end_health(struct supervisor *s)
{
	struct health *h = &s->health;

	timer_cancel(&s->loop.wheel, &h->back_off.timer);
	h->ending = true;
	h->renewing = false;
	if (h->pid == 0)
		return;
	kill(h->pid, SIGTERM);
	timer_set(&s->loop.wheel, &h->patience, s->loop.now_ns + CHILDREN_PATIENCE_NS);
}

void children_renew_health(struct supervisor *s)
{
	if (s->health.pid == 0 || s->health.ending)
		return;	/* a new one is to come anyway */
	children_end_health(s);
	s->health.renewing = true;
}

void children_init(struct supervisor *s)
{
	s->health.s = s;
	s->health.channel = -1;
	s->health.io.fd = -1;
	s->health.back_off.timer.cb = children_health_due;
	s->health.patience.cb = children_health_patience;
}

/* ---- ending ---- */

static const char *children_how(int status, char *buf, size_t size)
{
	if (status == CHILDREN_UNSEEN)
		snprintf(buf, size, "has ended, and how was for its parent to see, which is gone");
	else if (WIFSIGNALED(status))
		snprintf(buf, size, "killed by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
			 WCOREDUMP(status) ? ", core dumped" : "");
	else
		snprintf(buf, size, "exit status %d%s", WEXITSTATUS(status),
			 WEXITSTATUS(status) == CHILDREN_NO_DROP ? " (privileges not dropped)" :
			 WEXITSTATUS(status) == STACK_STATUS ? " (it was hanging)" : "");
	return buf;
}

static const char *children_what_next(uint64_t delay_ns, char *buf, size_t size)
{
	if (delay_ns == 0)
		snprintf(buf, size, "replaced at once");
	else
		snprintf(buf, size, "it died soon after its start: replaced in %u ms", (unsigned)(delay_ns / CONF_MS));
	return buf;
}

void children_drain(struct worker *w)
{
	if (!w->gone || w->drained)
		return;
	if (w->gen->s->succession.stop == STOP_NOT) {
		if (!channel_receive(w) || !channel_take_back(w))
			return;
		if (!w->bereaved)
			custody_bereave(w);
		w->bereaved = true;
		if (custody_pending(w))
			return;
	}
	w->drained = true;
	generation_release(w);
}

/* Nobody fills this place again. What waits in its channel goes to the serving generation. */
static void children_worker_gone(struct worker *w)
{
	w->gone = true;
	children_drain(w);
}

static void children_worker_ended(struct worker *w, int status)
{
	struct supervisor *s = w->gen->s;
	struct shm_worker *row = &s->table.worker[w->slot];
	bool leaving = (w->told & (1u << HANDOFF_RETIRE | 1u << HANDOFF_STOP)) != 0;
	bool early = !w->ready;
	char how[96], next[96];
	uint64_t delay;
	pid_t pid = w->pid;

	w->pid = 0;
	w->ready = false;
	atomic_store_explicit(&row->pid, 0, memory_order_relaxed);
	atomic_store_explicit(&row->slot, SHM_SLOT_FREE, memory_order_relaxed);
	table_fold(&s->table, w->slot);
	limit_worker_gone(s);
	s->dispatch.stirred = true;
	children_how(status, how, sizeof(how));

	if (leaving || s->succession.stop != STOP_NOT || w->gen->state == GENERATION_RETIRING ||
	    (w->gen->state == GENERATION_STARTING && w->gen->failed)) {
		if (status == CHILDREN_UNSEEN || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
			log_debug("worker %u (pid %d, generation %u) is finished", w->slot, (int)pid, w->gen->number);
		else
			log_warn("worker %u (pid %d, generation %u): %s; it was leaving and is not replaced", w->slot, (int)pid,
				 w->gen->number, how);
		children_worker_gone(w);
		return;
	}

	delay = children_back_off(&w->back_off, s->loop.now_ns);
	if (early && w->gen->state == GENERATION_STARTING && w->back_off.quick >= CHILDREN_ATTEMPTS) {
		log_error("worker %u (pid %d, generation %u): %s; it died %u times before it was ready: given up", w->slot,
			  (int)pid, w->gen->number, how, w->back_off.quick);
		w->gen->failed = true;
		children_worker_gone(w);
		return;
	}
	log_error("worker %u (pid %d, generation %u): %s; %s", w->slot, (int)pid, w->gen->number, how,
		  children_what_next(delay, next, sizeof(next)));

	/* What it had not received goes to the others now, and to its successor if there are none. */
	channel_receive(w);
	w->pending = 0;
	channel_take_back(w);
	atomic_store_explicit(&row->received, atomic_load_explicit(&row->handed, memory_order_relaxed) - channel_count(w),
			      memory_order_relaxed);
	custody_bereave(w);
	w->full = false;
	channel_watch(w);
	table_add32(&row->restarts, 1);
	if (delay)
		timer_set(&s->loop.wheel, &w->back_off.timer, s->loop.now_ns + delay);
	else
		children_start_worker(w);
}

static void children_health_ended(struct supervisor *s, int status)
{
	struct health *h = &s->health;
	char how[96], next[96];
	uint64_t delay;
	pid_t pid = h->pid;

	h->pid = 0;
	timer_cancel(&s->loop.wheel, &h->patience);
	atomic_store_explicit(&s->table.inst->health_pid, 0, memory_order_relaxed);
	if (h->renewing && s->succession.stop == STOP_NOT) {
		children_start_health(s, h->gen);
		return;
	}
	if (h->ending || s->succession.stop != STOP_NOT) {
		log_debug("health (pid %d) is finished", (int)pid);
		return;
	}
	delay = children_back_off(&h->back_off, s->loop.now_ns);
	log_error("health (pid %d): %s; verdicts stay as they are; %s", (int)pid, children_how(status, how, sizeof(how)),
		  children_what_next(delay, next, sizeof(next)));
	if (delay)
		timer_set(&s->loop.wheel, &h->back_off.timer, s->loop.now_ns + delay);
	else
		children_start_health(s, h->gen);
}

static struct worker *children_find(struct supervisor *s, pid_t pid)
{
	struct generation *g;
	unsigned i;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++) {
			if (g->worker[i].pid == pid)
				return &g->worker[i];
		}
	}
	return NULL;
}

void children_reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct worker *w;

		if (pid == s->health.pid)
			children_health_ended(s, status);
		else if ((w = children_find(s, pid)))
			children_worker_ended(w, status);
		else if (pid == s->heir_pid)
			heir_ended(s, status);
		else if (pid == s->checking)
			upgrade_checked(s, status);
		else
			log_debug("pid %d ended, a child that was not started here", (int)pid);
	}
}

/* ---- somebody else's children ---- */

static void children_adopted_worker(struct loop_fd *io, uint32_t events)
{
	struct worker *w = CONTAINER(io, struct worker, watch);

	(void)events;
	loop_close(&w->gen->s->loop, io);
	children_worker_ended(w, CHILDREN_UNSEEN);
}

static void children_adopted_health(struct loop_fd *io, uint32_t events)
{
	struct health *h = CONTAINER(io, struct health, watch);

	(void)events;
	loop_close(&h->s->loop, io);
	children_health_ended(h->s, CHILDREN_UNSEEN);
}

/* False: it is gone already. */
static bool children_watch(struct supervisor *s, struct loop_fd *watch, pid_t pid, loop_cb *cb)
{
	watch->cb = cb;
	watch->fd = (int)syscall(SYS_pidfd_open, pid, 0);	/* close-on-exec by itself */
	if (watch->fd >= 0 && loop_add(&s->loop, watch, EPOLLIN) == 0)
		return true;
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
	return false;
}

void children_adopt(struct supervisor *s)
{
	struct generation *g;
	unsigned i;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++) {
			struct worker *w = &g->worker[i];

			if (w->pid && !children_watch(s, &w->watch, w->pid, children_adopted_worker))
				children_worker_ended(w, CHILDREN_UNSEEN);
		}
	}
	if (s->health.pid && !children_watch(s, &s->health.watch, s->health.pid, children_adopted_health))
		s->health.pid = 0;
}

void children_kill_worker(struct worker *w)
{
	timer_cancel(&w->gen->s->loop.wheel, &w->back_off.timer);
	if (w->pid) {
		w->killed = true;
		if (kill(w->pid, SIGKILL) < 0)
			log_error("worker %u: kill of pid %d: %s", w->slot, (int)w->pid, strerror(errno));
	} else if (!w->gone) {
		children_worker_gone(w);
	}
}

void children_kill(struct supervisor *s)
{
	struct generation *g;
	unsigned i;

	for (g = supervisor_next_generation(s, NULL); g; g = supervisor_next_generation(s, g)) {
		for (i = 0; i < g->nworkers; i++)
			children_kill_worker(&g->worker[i]);
	}
	timer_cancel(&s->loop.wheel, &s->health.back_off.timer);
	if (s->health.pid)
		kill(s->health.pid, SIGKILL);
}
