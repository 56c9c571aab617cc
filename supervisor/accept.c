/*
 * Accepting connections. The supervisor's only contact with clients: it takes descriptors and their
 * peers' addresses from the kernel, and never reads a byte.
 *
 * All listeners are in an epoll of their own, which is in the loop as one descriptor. When
 * connections pour in, that one is taken out and rounds go by the clock, about a millisecond apart,
 * as network cards moderate their interrupts: fewer and larger messages, fewer wake-ups of workers.
 * Measured on two cores with one connection per request: 34-35 us of CPU instead of 53. While
 * traffic is light, or processors have time to spare, there is no pause, and nobody waits.
 */
#include "supervisor/accept.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/log.h"
#include "supervisor/dispatch.h"
#include "supervisor/limit.h"
#include "supervisor/strain.h"

#define ACCEPT_LISTENERS	64	/* listeners looked at in one round; epoll takes turns among more */
#define ACCEPT_BOUND		64	/* connections of one listener before others get their turn */
#define ACCEPT_LAST_ROUNDS	256	/* of up to HANDOFF_MAX: more than a backlog holds */
#define ACCEPT_PAUSE_NS		(100 * CONF_MS)	/* after running out of descriptors or memory */

#define ACCEPT_RECENT_NS	(2 * CONF_SECOND)

/*
 * Coalescing, by connections per millisecond (a mean over about ACCEPT_MEAN_MS). It begins above ON and
 * ends below OFF; the pause grows up to FULL, where a round of FULL connections takes a millisecond to
 * come together. Above that it gets shorter again: larger rounds would save nothing more. Few clients
 * that wait for each other's answers never come so fast, and would only be slowed down.
 */
#define ACCEPT_RATE_ON		8.0
#define ACCEPT_RATE_OFF		5.0
#define ACCEPT_RATE_FULL	16.0
#define ACCEPT_MEAN_MS		10.0
#define ACCEPT_STRAIN		0.1	/* with less of it (strain.h) there is no pause */

static void accept_exhausted(struct supervisor *s, const struct listener *l, int err)
{
	unsigned held;

	s->dispatch.paused_until_ns = s->loop.now_ns + ACCEPT_PAUSE_NS;
	if (limit_pass(&s->dispatch.resources, s->loop.now_ns, 10 * CONF_SECOND, &held))
		log_error("%s: cannot accept: %s; new connections wait for %u ms (%u more times)", l->text, strerror(err),
			  (unsigned)(ACCEPT_PAUSE_NS / CONF_MS), held);
}

static void accept_count(struct supervisor *s, const struct listener *l)
{
	const struct conf *conf = s->current ? s->current->conf : NULL;

	if (conf && l->row < conf->nlisteners)
		table_add(&s->table.listener[conf->listener[l->row].row].accepted, 1);
}

/* Up to `bound` connections of one listener into the round. Returns whether more may be waiting. */
static bool accept_from(struct supervisor *s, const struct listener *l, unsigned bound)
{
	struct handoff_msg *round = &s->dispatch.round;

	while (bound && round->head.count < HANDOFF_MAX) {
		struct sockaddr_storage peer;
		socklen_t size = sizeof(peer);
		struct handoff_record *r;
		int fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			switch (errno) {
			case EAGAIN:
				return false;
			case EMFILE: case ENFILE: case ENOMEM: case ENOBUFS:
			case EBADF: case EINVAL: case ENOTSOCK: case EOPNOTSUPP: case EFAULT:
				/* The second line cannot be, and must not make us spin if it is. */
				accept_exhausted(s, l, errno);
				return false;
			default:	/* the connection's own trouble: it was reset, a firewall forbade it, ... */
				bound--;
				continue;
			}
		}
		r = &round->rec[round->head.count];
		memset(r, 0, sizeof(*r));
		r->accepted_ns = s->loop.now_ns;
		r->listener = l->row;
		if (size >= sizeof(sa_family_t))
			handoff_set_peer(r, &peer);
		round->fd[round->head.count++] = fd;
		accept_count(s, l);
		bound--;
	}
	return true;
}

/* The same within max-connections. */
static bool accept_some(struct supervisor *s, struct listener *l)
{
	unsigned room = limit_room(s, l);

	if (room == 0) {
		limit_reached(s, l);
		return false;
	}
	return accept_from(s, l, room < ACCEPT_BOUND ? room : ACCEPT_BOUND);
}

/*
 * The estimate decays with time and is fed by rounds: (rate * T + n) / (T + dt) is n / dt in the long
 * run, follows within about T, and needs no exponential.
 */
static void accept_measure(struct dispatch *d, uint64_t now_ns, unsigned n)
{
	double dt_ms = (double)(now_ns - d->measured_ns) / 1e6;

	d->per_ms = (d->per_ms * ACCEPT_MEAN_MS + n) / (ACCEPT_MEAN_MS + dt_ms);
	d->measured_ns = now_ns;
}

static uint64_t accept_pause_ns(struct supervisor *s)
{
	const struct dispatch *d = &s->dispatch;
	double ms, strain;

	if (d->per_ms < (d->coalescing ? ACCEPT_RATE_OFF : ACCEPT_RATE_ON))
		return 0;
	/* What a pause saves is processor time: where that is to be had for the asking, clients need not wait. */
	strain = strain_now(s);
	if (strain < ACCEPT_STRAIN)
		return 0;
	if (d->per_ms < ACCEPT_RATE_FULL)
		ms = (d->per_ms - ACCEPT_RATE_OFF) / (ACCEPT_RATE_FULL - ACCEPT_RATE_OFF);
	else
		ms = ACCEPT_RATE_FULL / d->per_ms;
	return (uint64_t)(ms * strain * (double)CONF_MS);
}

/* What waits at the listeners that have something: each in turn, until there is nothing, or no room. */
static void accept_round(struct supervisor *s)
{
	struct dispatch *d = &s->dispatch;
	struct epoll_event ev[ACCEPT_LISTENERS];
	uint64_t pause;
	int i, more, n;

	n = epoll_wait(d->ep, ev, ACCEPT_LISTENERS, 0);
	do {
		more = 0;
		for (i = 0; i < n; i++) {
			if (ev[i].data.ptr && !accept_some(s, ev[i].data.ptr))
				ev[i].data.ptr = NULL;
			more |= ev[i].data.ptr != NULL;
		}
	} while (more && d->round.head.count < HANDOFF_MAX && s->loop.now_ns >= d->paused_until_ns);

	n = d->round.head.count;
	accept_measure(d, s->loop.now_ns, (unsigned)n);
	pause = n == HANDOFF_MAX ? 0 : accept_pause_ns(s);
	d->coalescing = n == HANDOFF_MAX ? d->coalescing : pause != 0;
	d->next_round_ns = s->loop.now_ns + pause;
	if (n) {
		table_add(&s->table.inst->accepted, (uint64_t)n);
		dispatch_give(s, &d->round, NULL);
	}
}

static void accept_event(struct loop_fd *io, uint32_t events)
{
	struct supervisor *s = CONTAINER(io, struct supervisor, dispatch.io);

	(void)events;
	if (!supervisor_holds(s) && s->loop.now_ns >= s->dispatch.paused_until_ns)
		accept_round(s);
}

int accept_init(struct supervisor *s)
{
	s->dispatch.ep = epoll_create1(EPOLL_CLOEXEC);
	s->dispatch.io.fd = s->dispatch.ep;
	s->dispatch.io.cb = accept_event;
	return s->dispatch.ep < 0 ? -1 : 0;
}

int accept_add(struct supervisor *s, struct listener *l)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = l };

	if (l->watched)
		return 0;
	if (epoll_ctl(s->dispatch.ep, EPOLL_CTL_ADD, l->fd, &ev) < 0)
		return -1;
	l->watched = true;
	return 0;
}

void accept_remove(struct supervisor *s, struct listener *l)
{
	if (l->watched)
		epoll_ctl(s->dispatch.ep, EPOLL_CTL_DEL, l->fd, NULL);
	l->watched = false;
}

bool accept_recent(const struct supervisor *s)
{
	return s->dispatch.measured_ns && s->loop.now_ns - s->dispatch.measured_ns < ACCEPT_RECENT_NS;
}

void accept_last(struct supervisor *s, struct listener *l)
{
	struct handoff_msg *round = &s->dispatch.round;
	bool more = true;
	unsigned i;

	/* Bounded: a flood of new ones must not keep it open for ever. */
	for (i = 0; i < ACCEPT_LAST_ROUNDS && more && !supervisor_holds(s); i++) {
		more = accept_from(s, l, HANDOFF_MAX);
		table_add(&s->table.inst->accepted, round->head.count);
		dispatch_give(s, round, NULL);
	}
}

void accept_turn(struct supervisor *s)
{
	struct dispatch *d = &s->dispatch;

	limit_turn(s);
	bool may = d->open && !supervisor_holds(s) && s->loop.now_ns >= d->paused_until_ns;

	if (may && d->coalescing && s->loop.now_ns >= d->next_round_ns) {
		if (dispatch_has_room(s, NULL))
			accept_round(s);
		else
			d->coalescing = false;
		may = !supervisor_holds(s) && s->loop.now_ns >= d->paused_until_ns;
	}
	may = may && !d->coalescing && dispatch_has_room(s, NULL);
	if (may && !d->watched)
		d->watched = loop_add(&s->loop, &d->io, EPOLLIN) == 0;
	else if (!may && d->watched) {
		loop_del(&s->loop, &d->io);
		d->watched = false;
	}
}

uint64_t accept_next_ns(const struct supervisor *s)
{
	const struct dispatch *d = &s->dispatch;

	if (!d->open || supervisor_holds(s))
		return UINT64_MAX;
	if (s->loop.now_ns < d->paused_until_ns)
		return d->paused_until_ns;
	return d->coalescing ? d->next_round_ns : UINT64_MAX;
}
