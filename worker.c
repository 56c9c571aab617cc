/*
 * The worker process: receives client descriptors from the supervisor, speaks HTTP or TCP to clients
 * and servers, one epoll loop, one thread.
 *
 * Unprivileged: the supervisor drops everything before it calls worker_main(). This process, and
 * only this kind, touches bytes that clients and servers send. It holds no listener, reads no file,
 * and writes no word of the shared table but its own row and column.
 *
 * What it knows stands in worker/state.h; what happens to a connection in worker/session.c; what
 * happens to a request in worker/exchange.c.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ipc/handoff.h"
#include "os/burst.h"
#include "os/log.h"
#include "os/sched.h"
#include "worker/access.h"
#include "worker/choose.h"
#include "worker/conns.h"
#include "worker/fields.h"
#include "worker/move.h"
#include "worker/queue.h"
#include "worker/session.h"
#include "worker/upstream.h"

#define LOG_BURST_WORKER 10	/* what clients and servers bring about, they bring about often */
#define MESSAGES_TURN 4		/* taken from the channel in one turn: what is here already has its turn too */

static struct loop_fd channel;
static bool channel_ended;

/* ---- the hang detector's word, and how long turns of the loop take ---- */

#define LAG_NS	CONF_SECOND	/* the longest turn is told for so long */

static struct sched scheduling;

/* Once a second, while there is work. */
static void look_at_scheduling(uint64_t now_ns)
{
	uint64_t mean_ns;

	if (!sched_look(&scheduling, now_ns, &mean_ns))
		return;
	if (scheduling.batch)
		log_info("scheduling is batch again, to see whether processors are free soon enough now");
	else
		log_info("scheduling is normal for %llu s: with batch, others keep the processors for too long, %llu us each time",
		    (unsigned long long)(scheduling.pause_ns / CONF_SECOND), (unsigned long long)(mean_ns / 1000));
}

static void asleep(void *row)
{
	static uint64_t longest_ns, since_ns;
	struct shm_worker *w = row;
	uint64_t woken_ns = atomic_load_explicit(&w->busy_since_ns, memory_order_relaxed), now_ns = loop_clock_ns();

	atomic_store_explicit(&w->busy_since_ns, 0, memory_order_relaxed);
	if (woken_ns == 0)
		return;
	table_add(&w->busy_ns, now_ns - woken_ns);
	if (now_ns - woken_ns > longest_ns)
		longest_ns = now_ns - woken_ns;
	if (now_ns - since_ns >= LAG_NS) {
		atomic_store_explicit(&w->loop_lag_ns, longest_ns, memory_order_relaxed);
		longest_ns = 0;
		since_ns = now_ns;
		look_at_scheduling(now_ns);
	}
}

static void told(void *row)
{
	(void)row;
	conn_send_put_off();
}

static void awake(void *row, uint64_t now_ns)
{
	struct shm_worker *w = row;
	atomic_store_explicit(&w->busy_since_ns, now_ns, memory_order_relaxed);
}

/* ---- messages from the supervisor ---- */

static void take_connections(struct handoff_msg *m)
{
	unsigned ahead = worker.loop.ahead;

	for (unsigned i = 0; i < m->head.count; i++) {
		worker.loop.ahead = ahead + m->head.count - i - 1;
		session_start(m->fd[i], &m->rec[i]);
	}
}

/* Files come along opened: we may not open them ourselves. */
static void reopen_logs(struct handoff_msg *m)
{
	bool adopted = false;

	for (unsigned i = 0; i < m->head.count; i++) {
		if (m->rec[i].listener == HANDOFF_EVENT_LOG) {
			log_adopt(m->fd[i]);
			adopted = true;
		} else
			access_adopt(m->rec[i].listener, m->fd[i]);
	}
	if (!adopted)
		log_reopen();
}

#define LOOK_AGAIN_NS (CONF_SECOND / 2)	/* for a worker that retires */

/* What was not to move at once may have to by now, and nothing happens on a connection that waits. */
static void look_again(struct timer *t)
{
	session_sweep();
	timer_set(&worker.loop.wheel, t, worker.loop.now_ns + LOOK_AGAIN_NS);
}

static void leave(bool hand_back)
{
	static struct timer again = { .cb = look_again };

	if (hand_back)
		worker.retiring = true;
	else
		worker.stopping = true;
	if (hand_back) {
		move_kept_out();
		timer_set(&worker.loop.wheel, &again, worker.loop.now_ns + LOOK_AGAIN_NS);
	} else {
		upstream_close_all();
		timer_cancel(&worker.loop.wheel, &again);
	}
	session_sweep();
}

static void on_channel(struct loop_fd *h, uint32_t events)
{
	static struct handoff_msg m;	/* large; the kernel fills only what it sends */

	if (events & EPOLLOUT && worker.retiring) {
		worker.channel_full = false;
		if (session_flush_handed_back() == 0)
			session_sweep();
	}
	for (int i = 0; i < MESSAGES_TURN; i++) {
		int r = handoff_recv(h->fd, &m);
		if (r < 0 && errno == EAGAIN)
			return;
		if (r < 0) {
			log_error("a message from the supervisor is lost, and the connections in it are closed: %s", strerror(errno));
			continue;
		}
		if (r == 0) {
			/* Only the supervisor holds the other end: it is gone. Finish what is here. */
			log_warn("the supervisor is gone; finishing what is in flight");
			loop_del(&worker.loop, h);
			channel_ended = true;
			leave(false);
			return;
		}
		switch ((enum handoff_type)m.head.type) {
		case HANDOFF_CONNS:
			take_connections(&m);
			break;
		case HANDOFF_MOVE:
			table_add(&worker.row->received, 1);
			move_in(&m);
			break;
		case HANDOFF_KEPT:
			move_kept_in(&m);
			break;
		case HANDOFF_RETIRE:
			leave(true);
			break;
		case HANDOFF_STOP:
			leave(false);
			break;
		case HANDOFF_REOPEN:
			reopen_logs(&m);
			break;
		case HANDOFF_ASK:
			conns_ask(&m);
			break;
		case HANDOFF_READY:
		case HANDOFF_PING:
			break;
		}
	}
	/* More may be there; level-triggered, so the next turn tells. */
}

/* ---- start and loop ---- */

static void start(const struct worker_start *st)
{
	struct rlimit rl;
	unsigned fds = 1024;

	log_burst(LOG_BURST_WORKER);
	worker.conf = st->conf;
	worker.table = st->table;
	worker.slot = st->slot;
	worker.generation = st->generation;
	worker.channel = st->channel;
	worker.book = st->book;
	worker.health_wake = st->health_wake;
	worker.wake = st->wake;
	worker.row = &st->table->worker[st->slot];
	if (getrandom(&worker.rng, sizeof worker.rng, GRND_NONBLOCK) != sizeof worker.rng || worker.rng == 0)
		worker.rng = loop_clock_ns() | 1;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		fds = rl.rlim_cur > 1 << 24 ? 1 << 24 : (unsigned)rl.rlim_cur;
	if (loop_init(&worker.loop, fds) < 0)
		log_fatal("event loop: %s", strerror(errno));
	if (worker.conf->io_uring && burst_open() < 0)
		log_debug("io_uring is not to be had (%s): each send is a system call of its own", strerror(errno));
	sched_begin(&scheduling, worker.conf->scheduling, worker.loop.now_ns);
	loop_set_hooks(&worker.loop, asleep, awake, told, worker.row);
	state_init();
	choose_init();
	queue_init();
	fields_init();
	access_init();
	atomic_store_explicit(&worker.row->active, 0, memory_order_relaxed);
	atomic_store_explicit(&worker.row->idle_upstreams, 0, memory_order_relaxed);

	channel = (struct loop_fd){ .cb = on_channel, .fd = st->channel };
	if (loop_add(&worker.loop, &channel, EPOLLIN) < 0)
		log_fatal("channel: %s", strerror(errno));
	static struct handoff_msg ready = { .head.type = HANDOFF_READY };
	ready.head.generation = st->generation;
	if (handoff_send(st->channel, &ready) < 0)
		log_fatal("supervisor cannot be told: %s", strerror(errno));
}

/* What is to leave but did not fit the channel waits until that takes more. */
static void watch_channel(void)
{
	static bool watching;

	if (!worker.retiring || channel_ended)
		return;
	if (session_flush_handed_back() < 0 && errno != EAGAIN && errno != ETOOMANYREFS)
		log_error("connections cannot be handed to the next workers: %s; they are kept and tried again", strerror(errno));
	if (worker.channel_full != watching &&
	    loop_mod(&worker.loop, &channel, EPOLLIN | (worker.channel_full ? EPOLLOUT : 0)) == 0)
		watching = worker.channel_full;
}

_Noreturn void worker_main(const struct worker_start *st)
{
	bool more = false;

	start(st);
	for (;;) {
		if (loop_turn(&worker.loop, worker.runnable || more ? 0 : UINT64_MAX) < 0)
			log_fatal("waiting for events: %s", strerror(errno));
		session_run_yielded();
		more = queue_run();
		more |= conns_run();
		watch_channel();
		if ((worker.retiring || worker.stopping) && worker.sessions == 0 && session_flush_handed_back() == 0 &&
		    (worker.stopping || !queue_holds()))
			break;
	}
	asleep(worker.row);	/* nobody waits for us any more, and the disk may let us wait */
	access_stop();
	log_tick(UINT64_MAX);
	exit(0);
}
