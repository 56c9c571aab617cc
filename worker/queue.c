/*
 * maxconn, and the line of those who wait. Worker only.
 *
 * What must hold: a server never has more than its maxconn requests, whatever workers do at the same
 * moment, and even when one dies; who waits goes on as soon as there is room; who came first goes
 * first. All of it with words that have one writer each, and nobody ever spins or blocks.
 *
 * NEVER MORE. To send a request, a worker first counts it in its own column (claims), then adds up
 * all columns, and takes the claim back if the sum is above maxconn. Between the two stands a
 * sequentially consistent fence. Suppose more than maxconn claims were good at some moment. Fences
 * have one order for all processors; take the claim whose fence is the last. The worker that made it
 * read all columns after its fence, so it saw each of the others, which had been counted before
 * their fences and were still there. It saw a sum above maxconn, and its claim was not good.
 * A claim is given back after the request has left the server (exchange.c closes or parks the
 * connection first). A dead worker's column is cleared by the supervisor after the kernel has closed
 * its connections. What workers of an older generation hold counts like the rest. A conversation that moves to a
 * successor stays counted here for HELD_NS more, twice for a moment rather than not at all on its way; only
 * one that is on its way for longer, because nobody gets a processor, might be missed.
 *
 * NOBODY FORGOTTEN. A worker whose first request waits writes that request's ticket into its
 * shm_queue.want, then a fence, then tries to claim. Who gives back, or takes back, a claim
 * decrements, then a fence, then looks for the lowest ticket, and wakes its worker (an eventfd of each
 * slot, which all workers have by fork; our own goes by a flag). One of the two fences is first: either
 * the one who waits sees the room, or the other one sees who waits. Whoever leaves the front of the line
 * publishes the ticket behind it, then a fence, and if there still is room, wakes the next; so does
 * who was woken and finds another one before it.
 * Two claims at once for one last place may both be taken back; each then wakes the first in line.
 *
 * IN ORDER. A ticket is the time at which a request joined (CLOCK_MONOTONIC is one clock for all
 * processors) and the slot, which makes it unique. Within a worker that is the order, exactly. A
 * worker claims for its first one only when no other worker's ticket is lower; a new request joins
 * the line when it sees a ticket at all. Two that come within the moment that a store takes to be seen may
 * change places: order between workers holds to well under a microsecond.
 *
 * The order is a courtesy, and waits for nobody who does not take part: a worker that was woken and
 * has not moved for PATIENCE_NS (a stopped or a hanging process) is passed over. Ticks also catch what no event
 * tells: a maxconn that was raised, a server that has come back, a worker that died with a wake-up in
 * its hand. There are ticks only while somebody waits.
 *
 * OVERLOAD. Where more comes than the servers can do, a line grows to its limits, all wait for as long as these allow,
 * and what is answered at last may have been given up by its client. So with queue-target, when nobody has had
 * his turn after less than that for a queue-interval, and the line was not empty either, it is a standing
 * line, and those who have waited for longer than the target are sent away with 503, oldest first, at each tick. What is
 * left waits for about the target, however much comes. It ends when somebody has his turn after half of
 * the target. (The idea is CoDel's: Nichols and Jacobson 2012. Times tell a burst, which is let through, from a line that
 * stands. Each worker judges by its own part of the line; in order, all parts are as long in time.)
 */
#include "worker/queue.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "worker/choose.h"
#include "worker/exchange.h"

#define TICK_NS		(20 * CONF_MS)
#define PATIENCE_NS	(200 * CONF_MS)
#define HELD_NS		(500 * CONF_MS)	/* at least; twice that at most */
#define SHED_TURN	256	/* sent away in one turn; the rest have theirs at the next tick */
#define TICKET_SHIFT	4	/* 16 ns: 64 bits less 8 of the slot hold 36 years of these */

static struct loop_fd wake;	/* our own eventfd */
static struct timer tick;
static bool due;		/* some pool's line is to be looked at */
static unsigned waiting;	/* in all pools */
static struct timer held_for;
static unsigned held;		/* of conversations that have moved */

static _Atomic uint32_t *sum_word(const struct server *s, uint32_t slot)
{
	return &table_inflight(worker.table, slot)[s->conf->row];
}

/* The lowest ticket of all workers, or of all but us; its slot in *who. 0: nobody waits. */
static uint64_t first(const struct pool *p, bool but_us, uint32_t *who)
{
	uint64_t lowest = 0;

	for (uint32_t slot = table_next_live(worker.table, 1); slot < worker.table->max_workers;
	     slot = table_next_live(worker.table, slot + 1)) {
		uint64_t want;
		if (but_us && slot == worker.slot)
			continue;
		want = atomic_load_explicit(&table_queue(worker.table, slot)[p->conf->row].want, memory_order_relaxed);
		if (want && (lowest == 0 || want < lowest)) {
			lowest = want;
			*who = slot;
		}
	}
	return lowest;
}

static void wake_first(struct pool *p, bool but_us)
{
	uint64_t one = 1;
	uint32_t who;

	if (first(p, but_us, &who) == 0)
		return;
	if (who == worker.slot)
		p->queue_due = due = true;
	else if (worker.wake[who] >= 0 && write(worker.wake[who], &one, sizeof one) < 0 && errno != EAGAIN)
		log_warn("worker %u, whose request is first in line, cannot be woken: %s; it looks by itself", who, strerror(errno));
}

bool queue_full(const struct server *s)
{
	uint32_t most = queue_limit(s);

	return most && table_sum_inflight(worker.table, s->conf->row) >= most;
}

bool queue_claim(struct server *s)
{
	uint32_t most = queue_limit(s);
	uint64_t sum = 0;

	table_add32(s->inflight, 1);
	if (most == 0)
		return true;
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t slot = table_next_live(worker.table, 0); slot < worker.table->max_workers;
	     slot = table_next_live(worker.table, slot + 1))
		sum += atomic_load_explicit(sum_word(s, slot), memory_order_relaxed);
	if (sum <= most)
		return true;
	table_add32(s->inflight, (uint32_t)-1);
	atomic_thread_fence(memory_order_seq_cst);
	/* Another one may have met our claim. We have not met our own: whoever is in our way tells us. */
	wake_first(s->pool, true);
	return false;
}

void queue_release(struct server *s)
{
	/* release: what was done at the server comes before. */
	atomic_store_explicit(s->inflight, atomic_load_explicit(s->inflight, memory_order_relaxed) - 1, memory_order_release);
	if (queue_limit(s) == 0)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	wake_first(s->pool, false);
}

void queue_hold(struct server *s)
{
	if (queue_limit(s) == 0) {
		choose_done(s, true);
		return;
	}
	s->moved[0]++;
	if (held++ == 0)
		timer_set(&worker.loop.wheel, &held_for, state_now() + HELD_NS);
}

bool queue_holds(void)
{
	return held > 0;
}

static void on_held(struct timer *t)
{
	for (unsigned i = 0; i < worker.conf->npools; i++)
		for (unsigned k = 0; k < worker.conf->pool[i].nservers; k++) {
			struct server *s = &worker.pool[i].server[k];
			for (; s->moved[1] > 0; s->moved[1]--, held--)
				choose_done(s, true);
			s->moved[1] = s->moved[0];
			s->moved[0] = 0;
		}
	if (held)
		timer_set(&worker.loop.wheel, t, state_now() + HELD_NS);
}

bool queue_busy(const struct pool *p)
{
	uint32_t who;

	return p->waiting || (p->limited && first(p, true, &who) != 0);
}

/* ---- overload ---- */

void queue_waited(struct pool *p, uint64_t wait_ns)
{
	uint64_t target = p->conf->queue_target_ns;

	if (target && wait_ns < (p->shedding ? target / 2 : target)) {
		p->low_ns = loop_clock_ns();
		p->shedding = false;
	}
}

/* Sends away who has waited for too long, if the line is a standing one. */
static void shed(struct pool *p)
{
	uint64_t target = p->conf->queue_target_ns, now = loop_clock_ns();

	if (target == 0 || p->waiting == NULL)
		return;
	if (now - p->low_ns >= p->conf->queue_interval_ns)
		p->shedding = true;
	for (int i = 0; i < SHED_TURN && p->shedding && p->waiting && now - p->waiting->queued.since_ns > target; i++) {
		table_add(&p->line->shed, 1);
		exchange_shed(p->waiting);
	}
}

/* ---- the line ---- */

/* Says who is first here now; the fence goes with it. */
static void publish(struct pool *p)
{
	atomic_store_explicit(&p->line->want, p->waiting ? p->waiting->queued.ticket : 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

int queue_join(struct pool *p, struct exchange *x)
{
	static uint64_t last;
	uint64_t sum = 0, now = loop_clock_ns();

	/* As with servers: counted first, then compared. */
	table_add32(&p->line->waiting, 1);
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t slot = table_next_live(worker.table, 1); slot < worker.table->max_workers;
	     slot = table_next_live(worker.table, slot + 1))
		sum += atomic_load_explicit(&table_queue(worker.table, slot)[p->conf->row].waiting, memory_order_relaxed);
	if (sum > p->conf->queue) {
		table_add32(&p->line->waiting, (uint32_t)-1);
		table_add(&p->line->refused, 1);
		return -1;
	}
	table_add(&p->line->queued, 1);
	x->queued.since_ns = now;
	x->queued.ticket = (now >> TICKET_SHIFT) << 8 | worker.slot;
	if (x->queued.ticket <= last)	/* the same 16 ns */
		x->queued.ticket = last + 256;
	last = x->queued.ticket;
	x->queued.next = NULL;
	x->queued.prev = p->waiting_end;
	*p->waiting_end = x;
	p->waiting_end = &x->queued.next;
	waiting++;
	if (x == p->waiting) {
		p->low_ns = now;
		p->shedding = false;
		publish(p);
	}
	/* Room may have come between the look that found none and the ticket: look again. */
	p->queue_due = due = true;
	if (!timer_armed(&tick))
		timer_set(&worker.loop.wheel, &tick, state_now() + TICK_NS);
	return 0;
}

void queue_leave(struct pool *p, struct exchange *x)
{
	bool front = x == p->waiting;

	if (x->queued.prev == NULL)
		return;
	*x->queued.prev = x->queued.next;
	if (x->queued.next)
		x->queued.next->queued.prev = x->queued.prev;
	else
		p->waiting_end = x->queued.prev;
	x->queued.prev = NULL;
	waiting--;
	table_add32(&p->line->waiting, (uint32_t)-1);
	if (!front)
		return;
	publish(p);
	if (p->waiting)
		p->queue_due = due = true;
	else if (choose_room(p))	/* nobody would tell the next one of the room that is there */
		wake_first(p, false);
}

/* Somebody else is first. True: but has not come for the room that is there, so we pass. */
static bool pass_over(struct pool *p, uint64_t ticket, bool ticked)
{
	if (p->stuck == ticket)
		return state_now() - p->stuck_ns >= PATIENCE_NS && choose_room(p);
	if (ticked && choose_room(p)) {
		p->stuck = ticket;
		p->stuck_ns = state_now();
	}
	return false;
}

static void run_pool(struct pool *p, bool ticked)
{
	bool passed = false;
	struct exchange *x;
	uint64_t foreign;
	uint32_t who;

	while ((x = p->waiting) != NULL) {
		foreign = first(p, true, &who);
		if (foreign && foreign < x->queued.ticket && !passed) {
			passed = pass_over(p, foreign, ticked);
			if (!passed) {
				/* We were woken as the first, and are not any more: the room goes on to who is. */
				if (choose_room(p))
					wake_first(p, false);
				break;
			}
		}
		if (!exchange_turn(x))	/* no room; else it has left the line, and may be gone */
			break;
	}
	p->queue_due = false;	/* what was given back meanwhile has been tried */
}

static void run(bool ticked)
{
	due = false;
	for (unsigned i = 0; i < worker.conf->npools; i++) {
		struct pool *p = &worker.pool[i];
		if (p->queue_due || (ticked && p->waiting))
			run_pool(p, ticked);
		if (ticked)
			shed(p);
	}
}

bool queue_run(void)
{
	/* Bounded: what is due because of what happens here has its turn with the next events. */
	for (int i = 0; due && i < 16; i++)
		run(false);
	return due;
}

static void on_tick(struct timer *t)
{
	run(true);
	if (waiting)
		timer_set(&worker.loop.wheel, t, state_now() + TICK_NS);
}

static void on_wake(struct loop_fd *h, uint32_t events)
{
	uint64_t n;

	(void)events;
	if (read(h->fd, &n, sizeof n) < 0 && errno != EAGAIN)
		log_warn("the worker's own wake-up cannot be read: %s", strerror(errno));
	for (unsigned i = 0; i < worker.conf->npools; i++)
		if (worker.pool[i].waiting)
			worker.pool[i].queue_due = due = true;
}

void queue_init(void)
{
	tick.cb = on_tick;
	held_for.cb = on_held;
	wake = (struct loop_fd){ .cb = on_wake, .fd = worker.wake[worker.slot] };
	if (wake.fd >= 0 && loop_add(&worker.loop, &wake, EPOLLIN) < 0)
		log_fatal("wake-up: %s", strerror(errno));
}
