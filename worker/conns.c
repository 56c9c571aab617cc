/* Connections, told. Worker only. */
#include "worker/conns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/conns.h"
#include "ipc/match.h"
#include "os/log.h"
#include "worker/access.h"
#include "worker/exchange.h"
#include "worker/witness.h"

#define ASKED_MAX	4	/* at a time */
#define TURN		256	/* connections looked at in one turn, of one question */

static struct asked {
	struct loop_fd io;	/* fd -1: free */
	struct timer patience;
	struct conns_filter filter;
	bool is_name;		/* filter.server is some server's name, letter by letter */
	bool waiting;		/* for room at the asker's */
	bool over;		/* all have been looked at */
	unsigned at;		/* the next one */
	struct {
		struct conns_head head;
		struct conns_record record[CONNS_BATCH];
	} message;
} *asked;			/* [ASKED_MAX]; taken with the first question: most workers never hear one */

static unsigned nasked;

static void forget(struct asked *a)
{
	timer_cancel(&worker.loop.wheel, &a->patience);
	if (a->waiting)
		loop_del(&worker.loop, &a->io);
	close(a->io.fd);
	a->io.fd = -1;
	nasked--;
}

static void on_room(struct loop_fd *io, uint32_t events)
{
	struct asked *a = (struct asked *)(void *)((char *)io - offsetof(struct asked, io));

	(void)events;
	loop_del(&worker.loop, io);
	a->waiting = false;
}

static void on_patience(struct timer *t)
{
	forget((struct asked *)(void *)((char *)t - offsetof(struct asked, patience)));
}

static bool names_server(const char *word)
{
	for (unsigned i = 0; i < worker.conf->npools; i++)
		for (unsigned k = 0; k < worker.conf->pool[i].nservers; k++)
			if (match_server(word, worker.conf->pool[i].name, worker.conf->pool[i].server[k].name) == MATCH_NAME)
				return true;
	return false;
}

/* What comes must be a socket on which sending never waits and is never a signal. */
static bool is_fit(int fd)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

void conns_ask(const struct handoff_msg *m)
{
	struct asked *a = NULL;
	int fd = m->fd[0];

	if (asked == NULL) {
		asked = calloc(ASKED_MAX, sizeof *asked);
		for (unsigned i = 0; asked && i < ASKED_MAX; i++)
			asked[i].io.fd = -1;
	}
	for (unsigned i = 0; asked && i < ASKED_MAX && a == NULL; i++)
		if (asked[i].io.fd < 0)
			a = &asked[i];
	if (a == NULL || !is_fit(fd)) {
		close(fd);
		return;
	}
	memset(a, 0, sizeof *a);
	a->io = (struct loop_fd){ .fd = fd, .cb = on_room };
	a->patience.cb = on_patience;
	nasked++;
	if (conns_filter_read(&a->filter, m->extra, m->head.extra) < 0) {
		forget(a);
		return;
	}
	a->is_name = names_server(a->filter.server);
	a->message.head = (struct conns_head){ .slot = worker.slot };
	timer_set(&worker.loop.wheel, &a->patience, loop_clock_ns() + CONNS_PATIENCE_NS);
}

/* ---- one connection ---- */

static enum conns_state state_of(const struct session *s)
{
	const struct exchange *x = s->x;

	switch ((enum session_phase)s->phase) {
	case SESSION_PREAMBLE:
		return CONNS_PREAMBLE;
	case SESSION_HEAD:
		return CONNS_HEAD;
	case SESSION_ANSWER:
		return CONNS_OWN;
	case SESSION_LINGER:
		return CONNS_LINGER;
	case SESSION_EXCHANGE:
		if (x == NULL)
			break;
		return x->state == X_QUEUE ? CONNS_QUEUE : x->state == X_CONNECT ? CONNS_CONNECT : x->state == X_TUNNEL ? CONNS_TUNNEL :
		    x->answered ? CONNS_ANSWER : x->req_sent ? CONNS_WAIT : CONNS_REQUEST;
	case SESSION_IDLE:
	case SESSION_GONE:
		break;
	}
	return CONNS_IDLE;
}

/* Since when it is in that state, as far as anybody noted. An idle one has set its timer when it became so. */
static uint64_t since(const struct session *s, enum conns_state state)
{
	const struct exchange *x = s->x;
	uint64_t wait = 0;

	if (state == CONNS_QUEUE)
		return x->queued.since_ns;
	if (x)
		return x->chosen_ns ? x->chosen_ns : s->accepted_ns;
	if (state == CONNS_IDLE)
		wait = s->requests ? s->listener->idle_timeout_ns : s->listener->head_timeout_ns;
	else if (state == CONNS_HEAD || state == CONNS_PREAMBLE)
		wait = s->listener->head_timeout_ns;
	if (wait && timer_armed(&s->timer) && timer_deadline_ns(&s->timer) > wait)
		return timer_deadline_ns(&s->timer) - wait;
	return s->accepted_ns;
}

static bool server_fits(const struct asked *a, const struct exchange *x)
{
	const char *word = a->filter.server;
	enum match is;

	if (word[0] == '\0')
		return true;
	if (x == NULL)
		return false;
	if (!a->is_name && strcmp(word, x->pool->conf->name) == 0)
		return true;
	if (x->server == NULL)
		return false;
	is = match_server(word, x->pool->conf->name, x->server->conf->name);
	return is == MATCH_NAME || (is == MATCH_PATTERN && !a->is_name);
}

static bool fits(const struct asked *a, const struct session *s, enum conns_state state, uint64_t since_ns)
{
	const struct conns_filter *f = &a->filter;
	uint64_t now = state_now();

	return (f->states == 0 || f->states & 1u << state) && (f->listener == SEEN_NONE || f->listener == s->listener->row) &&
	    (f->older_ns == 0 || s->accepted_ns + f->older_ns <= now) && (f->since_ns == 0 || since_ns + f->since_ns <= now) &&
	    conns_filter_client(f, s->peer_family, s->peer) && server_fits(a, s->x);
}

static uint64_t passed(uint64_t then_ns)
{
	return then_ns && then_ns < state_now() ? state_now() - then_ns : 0;
}

static void describe(struct conns_record *r, const struct session *s, enum conns_state state, uint64_t since_ns)
{
	const struct exchange *x = s->x;

	memset(r, 0, sizeof *r);
	r->age_ns = passed(s->accepted_ns);
	r->since_ns = passed(since_ns);
	r->client.family = s->peer_family;
	r->client.port = s->peer_port;
	memcpy(r->client.addr, s->peer, sizeof r->client.addr);
	r->listener = s->listener->row;
	r->pool = x ? x->pool->conf->row : SEEN_NONE;
	r->server = x && x->server ? x->server->conf->row : SEEN_NONE;
	r->requests = s->requests;
	r->state = (uint16_t)state;
	r->descriptor = (uint32_t)s->c.h.fd;
	if (x) {
		r->to_server = x->up.moved;
		r->from_server = x->down.moved;
		r->rule = x->rule;
		r->how = x->how;
		r->failures = (uint16_t)(x->failures < UINT16_MAX ? x->failures : UINT16_MAX);
	}
	r->size = witness_text(s, r->text);
}

/* ---- some in each turn ---- */

/* 0: sent, 1: not now, -1: nobody takes it any more. */
static int send_message(struct asked *a)
{
	size_t size = sizeof a->message.head + a->message.head.count * sizeof a->message.record[0];

	if (send(a->io.fd, &a->message, size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		a->message.head.count = 0;
		return 0;
	}
	if (errno == EINTR)
		return 1;
	if (errno != EAGAIN || loop_add(&worker.loop, &a->io, EPOLLOUT) < 0)
		return -1;
	a->waiting = true;
	return 1;
}

static void look_at(struct asked *a, const struct session *s)
{
	enum conns_state state = state_of(s);
	uint64_t since_ns = since(s, state);

	a->message.head.held++;
	a->message.head.states[state]++;
	if (fits(a, s, state, since_ns))
		describe(&a->message.record[a->message.head.count++], s, state, since_ns);
}

/* False: it is over, and forgotten. */
static bool go_on(struct asked *a)
{
	for (unsigned i = 0; i < TURN && !a->over; i++) {
		const struct session *s;

		if (a->message.head.count == CONNS_BATCH)
			break;
		if (a->at == session_places()) {
			a->over = true;
			a->message.head.kind = CONNS_END;
			break;
		}
		s = session_at(a->at++);
		if (s)
			look_at(a, s);
	}
	if (a->message.head.count < CONNS_BATCH && !a->over)
		return true;
	switch (send_message(a)) {
	case 0:
		if (!a->over)
			return true;
		break;
	case 1:
		return true;
	default:
		break;
	}
	forget(a);
	return false;
}

bool conns_run(void)
{
	bool more = false;

	for (unsigned i = 0; nasked && i < ASKED_MAX; i++)
		if (asked[i].io.fd >= 0 && !asked[i].waiting)
			more |= go_on(&asked[i]) && !asked[i].waiting;
	return more;
}
