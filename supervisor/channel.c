/*
 * The supervisor's end of a worker's channel. Reads messages whose sender is unprivileged and
 * perhaps taken over by an attacker: numbers are checked, descriptors are only passed on or closed.
 */
#include "supervisor/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/custody.h"
#include "supervisor/dispatch.h"
#include "supervisor/hang.h"
#include "supervisor/logs.h"
#include "supervisor/succession.h"

#define CHANNEL_MARK	0	/* a message type that nobody else uses; see channel_count() */
#define CHANNEL_BOUND	16	/* messages of one worker in one turn */

static struct handoff_msg channel_in;	/* the message being read; too large for the stack's liking */

static void channel_event(struct loop_fd *io, uint32_t events)
{
	struct worker *w = CONTAINER(io, struct worker, io);
	struct supervisor *s = w->gen->s;

	if (events & EPOLLOUT) {
		w->full = false;
		s->dispatch.stirred = true;
		channel_watch(w);
	}
	if (events & EPOLLIN)
		channel_receive(w);
}

int channel_adopt(struct worker *w)
{
	w->io.fd = w->channel[0];
	w->io.cb = channel_event;
	w->events = EPOLLIN;
	return loop_add(&w->gen->s->loop, &w->io, w->events);
}

int channel_open(struct worker *w)
{
	if (handoff_pair(w->channel) < 0)
		return -1;
	if (channel_adopt(w) < 0) {
		int err = errno;

		close(w->channel[0]);
		close(w->channel[1]);
		w->channel[0] = w->channel[1] = -1;
		errno = err;
		return -1;
	}
	return 0;
}

void channel_close(struct worker *w)
{
	if (w->channel[0] < 0)
		return;
	/* Explicitly: a child forked a moment ago may still hold a copy. */
	loop_del(&w->gen->s->loop, &w->io);
	close(w->channel[0]);
	close(w->channel[1]);
	w->channel[0] = w->channel[1] = w->io.fd = -1;
}

/* One control message. New log files travel with HANDOFF_REOPEN: a worker may not open them itself. */
static int channel_say(struct worker *w, enum handoff_type type)
{
	struct handoff_msg *m = &w->gen->s->dispatch.part;

	memset(&m->head, 0, sizeof(m->head));
	m->head.type = (uint16_t)type;
	m->head.generation = w->gen->number;
	if (type == HANDOFF_REOPEN && log_is_file()) {
		memset(&m->rec[0], 0, sizeof(m->rec[0]));
		m->rec[0].listener = HANDOFF_EVENT_LOG;
		m->fd[0] = log_fd();
		m->head.count = 1;
	}
	if (type == HANDOFF_REOPEN)
		logs_say(m, w->gen->conf);
	return handoff_send(w->channel[0], m);
}

static void channel_flush(struct worker *w)
{
	static const enum handoff_type order[] = { HANDOFF_REOPEN, HANDOFF_RETIRE, HANDOFF_STOP };
	unsigned i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]) && w->pending; i++) {
		if (!(w->pending & 1u << order[i]))
			continue;
		if (channel_say(w, order[i]) < 0) {
			w->full = true;
			return;
		}
		w->pending &= ~(1u << order[i]);
	}
}

void channel_tell(struct worker *w, enum handoff_type type)
{
	if (w->channel[0] < 0)
		return;
	w->pending |= 1u << type;
	w->told |= 1u << type;
	channel_watch(w);
	hang_watch(w->gen->s);
}

void channel_watch(struct worker *w)
{
	struct supervisor *s = w->gen->s;
	uint32_t events = 0;

	if (w->channel[0] < 0)
		return;
	if (!w->full)
		channel_flush(w);
	if (w->full)
		events |= EPOLLOUT;
	/* Connections come back from retiring workers: not while there is no place for them. */
	if (!(s->dispatch.gated && w->gen->state == GENERATION_RETIRING))
		events |= EPOLLIN;
	if (events != w->events && loop_mod(&s->loop, &w->io, events) == 0)
		w->events = events;
}

/* ---- what workers say ---- */

static void channel_ready(struct worker *w)
{
	struct supervisor *s = w->gen->s;

	if (w->pid == 0 || w->ready)
		return;
	w->ready = true;
	hang_reset(w);
	if (w->gen->state != GENERATION_RETIRING)
		atomic_store_explicit(&s->table.worker[w->slot].slot, SHM_SLOT_SERVING, memory_order_relaxed);
	s->dispatch.stirred = true;
	log_debug("worker %u (pid %d) is ready", w->slot, (int)w->pid);
}

static void channel_close_fds(const struct handoff_msg *m)
{
	unsigned i;

	for (i = 0; i < handoff_fds(m); i++)
		close(m->fd[i]);
}

/*
 * Connections handed back: to the generation that serves now, where the same listener may be another row. Where it is
 * gone, idle connections are closed; a conversation goes on to its end under another listener.
 */
static void channel_returned(struct worker *w, struct handoff_msg *m)
{
	struct supervisor *s = w->gen->s;
	unsigned i, n = 0;

	for (i = 0; i < m->head.count; i++)
		custody_returned(w, &m->rec[i]);
	if (!s->current || s->succession.stop > STOP_PLACING) {
		channel_close_fds(m);
		return;
	}
	if (m->head.type == HANDOFF_MOVE) {
		int row = succession_translate(w->gen, m->rec[0].listener);

		if (row < 0) {
			m->rec[0].flags |= HANDOFF_LAST;
			row = 0;
		}
		m->rec[0].listener = (uint16_t)row;
		w->gen->moved++;
		dispatch_give(s, m, w);
		return;
	}
	for (i = 0; i < m->head.count; i++) {
		int row = succession_translate(w->gen, m->rec[i].listener);

		if (row < 0) {
			close(m->fd[i]);
			continue;
		}
		m->rec[n] = m->rec[i];
		m->rec[n].listener = (uint16_t)row;
		m->fd[n++] = m->fd[i];
	}
	m->head.count = (uint16_t)n;
	m->head.fds = 0;	/* as many as records, from here on */
	w->gen->moved += n;
	dispatch_give(s, m, w);
}

static void channel_message(struct worker *w, struct handoff_msg *m)
{
	switch (m->head.type) {
	case HANDOFF_CONNS:
	case HANDOFF_MOVE:
		channel_returned(w, m);
		return;
	case HANDOFF_KEPT:	/* a favour, not a duty: where they find no room they are closed */
		dispatch_kept(w->gen->s, m, w);
		break;
	case HANDOFF_READY:
		channel_ready(w);
		break;
	default:
		log_warn("worker %u sent a message of unknown type %u", w->slot, m->head.type);
		break;
	}
	channel_close_fds(m);
}

bool channel_receive(struct worker *w)
{
	struct supervisor *s = w->gen->s;
	unsigned n;

	/* A dead worker's messages are read to their end, however many: nobody adds to them. */
	for (n = 0; n < CHANNEL_BOUND || w->pid == 0; n++) {
		if (supervisor_holds(s) && w->gen->state == GENERATION_RETIRING)
			return false;
		switch (handoff_recv(w->channel[0], &channel_in)) {
		case 1:
			channel_message(w, &channel_in);
			break;
		case 0:	/* cannot be: we hold the other end */
			return true;
		default:
			if (errno == EBADMSG) {
				log_warn("worker %u: a message was malformed, or no descriptors were free for it: dropped",
					 w->slot);
				break;
			}
			return errno == EAGAIN;
		}
	}
	return false;
}

/* ---- what a worker has not taken ---- */

bool channel_take_back(struct worker *w)
{
	struct supervisor *s = w->gen->s;
	_Atomic uint64_t *handed = &s->table.worker[w->slot].handed;

	for (;;) {
		if (supervisor_holds(s) || !dispatch_has_room(s, w))
			return false;
		switch (handoff_recv(w->channel[1], &channel_in)) {
		case 1:
			break;
		case 0:
			return true;
		default:
			if (errno == EBADMSG)
				continue;
			return errno == EAGAIN;
		}
		if (channel_in.head.type == HANDOFF_PING)
			continue;
		if (channel_in.head.type == HANDOFF_KEPT || channel_in.head.type == HANDOFF_ASK) {
			channel_close_fds(&channel_in);
			continue;
		}
		if (channel_in.head.type != HANDOFF_CONNS && channel_in.head.type != HANDOFF_MOVE)
			break;
		atomic_store_explicit(handed, atomic_load_explicit(handed, memory_order_relaxed) - channel_in.head.count,
				      memory_order_relaxed);
		channel_returned(w, &channel_in);
	}
	/* A word to a worker that hangs, which it has yet to hear: it goes to the end of the queue. */
	channel_close_fds(&channel_in);
	if (w->pid != 0)
		channel_tell(w, (enum handoff_type)channel_in.head.type);
	return false;
}

int channel_ping(struct worker *w)
{
	return channel_say(w, HANDOFF_PING);
}

int channel_ask(struct worker *w, int fd, const char *filter, size_t size)
{
	struct handoff_msg *m = &w->gen->s->dispatch.part;

	memset(&m->head, 0, sizeof(m->head));
	m->head.type = HANDOFF_ASK;
	m->head.generation = w->gen->number;
	m->head.fds = 1;
	m->head.extra = (uint32_t)size;
	m->extra = filter;
	m->fd[0] = fd;
	return handoff_send(w->channel[0], m);
}

bool channel_is_empty(const struct worker *w)
{
	int bytes = 0;

	return ioctl(w->channel[1], FIONREAD, &bytes) == 0 && bytes == 0;
}

uint64_t channel_count(struct worker *w)
{
	struct handoff_msg *mark = &w->gen->s->dispatch.part;
	bool marked = false;
	uint64_t n = 0;

	/*
	 * The queue is turned round once: each message is taken from the one end and sent again on the
	 * other, until the mark comes by. It goes in as soon as there is room for it, which is after the
	 * first message at the latest.
	 */
	for (;;) {
		if (!marked) {
			memset(&mark->head, 0, sizeof(mark->head));
			mark->head.type = CHANNEL_MARK;
			marked = handoff_send(w->channel[0], mark) == 0;
		}
		switch (handoff_recv(w->channel[1], &channel_in)) {
		case 1:
			break;
		case 0:
			return n;
		default:
			if (errno == EBADMSG)
				continue;
			return n;
		}
		if (channel_in.head.type == CHANNEL_MARK)
			return n;
		if ((channel_in.head.type == HANDOFF_CONNS || channel_in.head.type == HANDOFF_MOVE) &&
		    handoff_send(w->channel[0], &channel_in) == 0) {
			unsigned i;

			n += channel_in.head.count;
			for (i = 0; i < channel_in.head.count; i++)
				custody_waits(w, &channel_in.rec[i]);
		}
		/* Words to the dead worker go with it: its successor starts with the present log, and is told anew. */
		channel_close_fds(&channel_in);
	}
}
