/*
 * Limits of connections. Supervisor only.
 *
 * How many connections there are stands in the workers' columns of the table (clients[]), plus those
 * that are on their way to them, whose listener nobody counts: they stand for any. Nobody but the
 * supervisor adds connections, so what it counts before it accepts can only get less, and a limit is
 * not exceeded. (A reload moves connections from old workers to new ones; those that are between the
 * two are not counted for that moment.)
 *
 * At the limit an address is taken out of epoll: clients wait in the kernel's backlog, and nobody
 * spins. shm_instance.limited then asks workers to wake us whenever a connection ends.
 */
#include "supervisor/limit.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/accept.h"
#include "supervisor/custody.h"

#define LIMIT_LOG_NS	(10 * CONF_SECOND)

static void limit_woken(struct loop_fd *io, uint32_t events)
{
	struct supervisor *s = CONTAINER(io, struct supervisor, limit_io);
	uint64_t n;

	(void)events;
	if (read(io->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_error("the supervisor's own wake-up cannot be read: %s", strerror(errno));
	s->dispatch.stirred = true;	/* limit_turn() looks */
}

void limit_none(struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < SHM_WORKERS_MAX; i++)
		s->wake[i] = -1;
	s->limit_io.fd = -1;
}

int limit_init(struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->table.max_workers; i++) {
		if (s->wake[i] >= 0)	/* a predecessor's, which its workers know */
			continue;
		s->wake[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (s->wake[i] < 0)
			return -1;
	}
	s->limit_io = (struct loop_fd){ .cb = limit_woken, .fd = s->wake[0] };
	return loop_add(&s->loop, &s->limit_io, EPOLLIN);
}

void limit_close(struct supervisor *s)
{
	unsigned i;

	for (i = 0; i < s->table.max_workers; i++) {
		if (s->wake[i] >= 0)
			close(s->wake[i]);
		s->wake[i] = -1;
	}
}

void limit_worker_gone(struct supervisor *s)
{
	uint64_t one = 1;
	uint32_t slot;

	for (slot = table_next_live(&s->table, 1); slot < s->table.max_workers; slot = table_next_live(&s->table, slot + 1)) {
		if (write(s->wake[slot], &one, sizeof(one)) < 0 && errno != EAGAIN)
			log_error("worker %u cannot be woken: %s", slot, strerror(errno));
	}
	s->dispatch.stirred = true;
}

static uint32_t limit_word(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* Connections that are in no worker's clients[] yet. */
static uint64_t limit_on_the_way(const struct supervisor *s)
{
	uint64_t n = s->dispatch.round.head.count + custody_orphans(s);
	uint32_t slot;

	for (slot = table_next_live(&s->table, 1); slot < s->table.max_workers; slot = table_next_live(&s->table, slot + 1)) {
		const struct shm_worker *w = &s->table.worker[slot];
		/* Acquire: what the worker has received stands in its clients[] before. */
		uint64_t received = atomic_load_explicit(&w->received, memory_order_acquire);
		uint64_t handed = atomic_load_explicit(&w->handed, memory_order_relaxed);

		n += handed > received ? handed - received : 0;
	}
	return n;
}

static unsigned limit_left(uint64_t limit, uint64_t there)
{
	return limit > there ? (unsigned)(limit - there) : 0;
}

unsigned limit_room(const struct supervisor *s, const struct listener *l)
{
	const struct conf *conf = s->current ? s->current->conf : NULL;
	uint32_t one, all, row, i;
	unsigned room, more;
	uint64_t way, there = 0;

	if (!conf || l->row >= conf->nlisteners)
		return UINT_MAX;
	one = conf->listener[l->row].max_connections;
	all = conf->max_connections;
	if (one == UINT_MAX && all == UINT_MAX)
		return UINT_MAX;
	row = conf->listener[l->row].row;
	way = limit_on_the_way(s);
	room = one == UINT_MAX ? UINT_MAX : limit_left(one, table_sum_clients(&s->table, row) + way);
	if (all == UINT_MAX || room == 0)
		return room;
	for (i = 0; i < s->table.max_listeners; i++) {
		if (limit_word(&s->table.listener[i].used))
			there += table_sum_clients(&s->table, i);
	}
	more = limit_left(all, there + way);
	return more < room ? more : room;
}

void limit_reached(struct supervisor *s, struct listener *l)
{
	unsigned held;

	if (l->limited)
		return;
	accept_remove(s, l);
	l->limited = true;
	s->dispatch.limited++;
	atomic_store_explicit(&s->table.listener[s->current->conf->listener[l->row].row].limited, 1, memory_order_relaxed);
	table_add(&s->table.inst->limited_times, 1);
	/* Said, and then looked once more: a worker that ends a connection in between sees the one, or we the other. */
	atomic_store_explicit(&s->table.inst->limited, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	limit_turn(s);
	if (!l->limited)
		return;
	if (limit_pass(&s->dispatch.limits, s->loop.now_ns, LIMIT_LOG_NS, &held))
		log_warn("%s: max-connections is reached; new ones wait until others end (%u more times)", l->text, held);
}

void limit_turn(struct supervisor *s)
{
	unsigned i;

	if (s->dispatch.limited == 0)
		return;
	for (i = 0; i < s->listeners.n; i++) {
		struct listener *l = s->listeners.v[i];

		if (!l->limited || limit_room(s, l) == 0)
			continue;
		if (accept_add(s, l) < 0) {
			log_error("%s: epoll: %s; nothing is accepted here", l->text, strerror(errno));
			continue;
		}
		l->limited = false;
		s->dispatch.limited--;
		if (s->current && l->row < s->current->conf->nlisteners)
			atomic_store_explicit(&s->table.listener[s->current->conf->listener[l->row].row].limited, 0,
					      memory_order_relaxed);
	}
	if (s->dispatch.limited == 0)
		atomic_store_explicit(&s->table.inst->limited, 0, memory_order_relaxed);
}
