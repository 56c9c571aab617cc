/*
 * One client connection. Worker only.
 *
 * session_run() is the one place where a session goes on: whatever happens to it or to its exchange,
 * an edge, a timer, a turn granted, ends there.
 */
#include "worker/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/forward.h"
#include "os/log.h"
#include "os/sock.h"
#include "worker/access.h"
#include "worker/custody.h"
#include "worker/exchange.h"
#include "worker/reply.h"
#include "worker/move.h"
#include "worker/preamble.h"
#include "worker/status.h"
#include "worker/witness.h"

#define LINGER_READS	64	/* buffers of what nobody wants, in one turn */
#define REQUESTS_TURN	32	/* pipelined requests that one session may have answered before others get theirs */

_Static_assert(sizeof(struct session) <= 152, "an idle connection is to cost less than 200 bytes");

static struct slab sessions = { .size = sizeof(struct session) };
static struct handoff_msg back;		/* connections on their way back to the supervisor */

/* ---- those that gave way ---- */

/* Who goes on in the next turn, and who is left of this one. Each has room for all sessions, so that yielding never fails. */
static struct session **next_turn, **this_turn;
static unsigned nthis, turn_room;

/* 0, or -1 with errno. */
static int make_room(void)
{
	unsigned room = turn_room ? 2 * turn_room : 64;
	struct session **list;

	if (worker.sessions < turn_room)
		return 0;
	if ((list = realloc(next_turn, room * sizeof(struct session *))) == NULL)
		return -1;
	next_turn = list;
	if ((list = realloc(this_turn, room * sizeof(struct session *))) == NULL)
		return -1;
	this_turn = list;
	turn_room = room;
	return 0;
}

static void unqueue(struct session *s)
{
	uint32_t at = s->run_at - 1;

	if (s->run_at == 0)
		return;
	if (at < nthis && this_turn[at] == s)
		this_turn[at] = NULL;
	else {
		next_turn[at] = next_turn[--worker.runnable];
		next_turn[at]->run_at = at + 1;
	}
	s->run_at = 0;
}

void session_yield(struct session *s)
{
	if (s->run_at)
		return;
	next_turn[worker.runnable++] = s;
	s->run_at = worker.runnable;
}

void session_run_yielded(void)
{
	struct session **list = next_turn;

	next_turn = this_turn;
	this_turn = list;
	nthis = worker.runnable;
	worker.runnable = 0;
	for (unsigned i = 0; i < nthis; i++) {
		struct session *s = this_turn[i];
		if (s) {
			unqueue(s);
			session_run(s);
		}
	}
	nthis = 0;
}

/* ---- end ---- */

static void forget(struct session *s)
{
	unqueue(s);
	access_who(s, ACCESS_CLIENT);	/* where nothing else has been noted */
	access_end(s);
	timer_cancel(&worker.loop.wheel, &s->timer);
	buf_give(&s->out);
	if (s->streamed)
		status_forget(s);
	head_give(&s->head);
	preamble_forget(s);
	worker.sessions--;
	table_add32(&worker.row->active, (uint32_t)-1);
	table_add32(&table_clients(worker.table, worker.slot)[s->listener->row], (uint32_t)-1);
	/* The fence: either we see that the supervisor waits for this, or it sees that there is one less. */
	atomic_thread_fence(memory_order_seq_cst);
	uint64_t one = 1;
	if (atomic_load_explicit(&worker.table->inst->limited, memory_order_relaxed) && worker.wake[0] >= 0 &&
	    write(worker.wake[0], &one, sizeof one) < 0 && errno != EAGAIN)
		log_warn("the supervisor, which waits for a connection to end, cannot be woken: %s", strerror(errno));
}

void session_close(struct session *s)
{
	if (s->x)
		exchange_abort(s->x);
	forget(s);
	conn_close(&s->c);
	s->phase = SESSION_GONE;
	slab_give(&sessions, s);
}

/* So that the client cannot take what it got for the whole. */
static void reset(struct session *s)
{
	conn_reset(&s->c);
	session_close(s);
}

/* ---- handing back ---- */

int session_flush_handed_back(void)
{
	if (back.head.count == 0)
		return 0;
	back.head.type = HANDOFF_CONNS;
	back.head.generation = worker.generation;
	if (handoff_send(worker.channel, &back) < 0) {
		worker.channel_full = true;
		return -1;
	}
	for (unsigned i = 0; i < back.head.count; i++)
		close(back.fd[i]);
	back.head.count = 0;
	return 0;
}

void session_record(const struct session *s, struct handoff_record *r)
{
	*r = (struct handoff_record){
		.accepted_ns = s->accepted_ns, .requests = s->requests, .custody = s->c.custody,
		.listener = (uint16_t)(s->listener - worker.conf->listener),
		.family = s->peer_family, .port = s->peer_port,
		.flags = (uint16_t)((s->headed ? HANDOFF_HEADED : 0) | (s->secure ? HANDOFF_SECURE : 0)),
	};
	memcpy(r->addr, s->peer, sizeof r->addr);
	if (s->way && s->way->proxied) {
		r->flags |= HANDOFF_PROXIED;
		memcpy(r->to, s->way->to, sizeof r->to);
		r->to_port = s->way->to_port;
	}
}

/* An idle connection goes back to the supervisor, which gives it to our successors. False: not now. */
static bool hand_back(struct session *s)
{
	if (back.head.count == HANDOFF_MAX && session_flush_handed_back() < 0)
		return false;
	if (!custody_settle(&s->c, s->requests)) {
		session_close(s);
		return true;
	}
	session_record(s, &back.rec[back.head.count]);
	if (s->c.armed)
		loop_del(&worker.loop, &s->c.h);
	back.fd[back.head.count++] = s->c.h.fd;
	s->c.h.fd = -1;
	session_close(s);
	return true;
}

/* ---- our own answers, and ends in peace ---- */

bool session_reply(struct session *s, bool close)
{
	custody_take(&s->c);
	if (s->out == NULL)
		s->out = buf_take();
	s->phase = SESSION_ANSWER;
	s->close_after = close || worker.stopping || s->out == NULL;
	return s->out != NULL;	/* else session_run() finds nothing to write and goes on to the end */
}

void session_answer(struct session *s, unsigned status, bool close)
{
	access_answer(s, status);
	if (!session_reply(s, close))
		return;
	reply_error(s, status);
	if (status >= 400 && status < 500)
		table_add(&worker.row->refused, 1);
}

/* s->out has gone. True: there is another piece of the answer in it; false: not now, or the session is gone. */
static bool next_piece(struct session *s)
{
	switch (status_more(s)) {
	case STATUS_FILLED:
		return true;
	case STATUS_YIELD:
		session_yield(s);
		return false;
	case STATUS_FAILED:
		reset(s);
		return false;
	}
	return false;
}

/* Writes what is in s->out. False: wait, or the session is gone. */
static bool send_out(struct session *s)
{
	struct buf *b = s->out;

	while (b && buf_size(b) + b->tail_size > 0) {
		if (s->c.sending)
			return false;
		if (!s->c.wr) {
			timer_set(&worker.loop.wheel, &s->timer, status_until(s, state_now() + s->listener->send_timeout_ns));
			if (conn_arm(&s->c) < 0)
				session_close(s);
			return false;
		}
		long n = conn_write(&s->c, b->data + b->at, buf_size(b), b->tail, b->tail_size, s->close_after && !s->streamed);
		if (n == CONN_ERROR) {
			session_close(s);
			return false;
		}
		if (n > 0) {
			access_sent(s, (size_t)n);
			uint32_t head = n < buf_size(b) ? (uint32_t)n : buf_size(b);
			b->at += head;
			if ((uint32_t)n > head) {	/* else there may be no tail, and nothing is not zero bytes on from it */
				b->tail += (uint32_t)n - head;
				b->tail_size -= (uint32_t)n - head;
			}
		}
	}
	return true;
}

/* The same for all of the answer. */
static bool send_answer(struct session *s)
{
	for (;;) {
		if (!send_out(s))
			return false;
		if (!s->streamed)
			break;
		if (!next_piece(s))
			return false;
	}
	buf_give(&s->out);
	return true;
}

/*
 * We have said all, and the client may still be sending: FIN first, then wait for its end, so that
 * the kernel does not answer unread bytes with a reset that overtakes our last ones. RFC 9112 9.6.
 */
static void linger(struct session *s)
{
	if (s->phase != SESSION_LINGER) {
		s->phase = SESSION_LINGER;
		conn_shut(&s->c);
		timer_set(&worker.loop.wheel, &s->timer, state_now() + s->listener->linger_timeout_ns);
	}
	for (int i = 0; i < LINGER_READS; i++) {
		buf_give(&s->c.in);
		if (s->c.broken || s->c.eof)
			break;
		if (!s->c.rd) {
			if (conn_arm(&s->c) < 0)
				break;
			return;
		}
		int n = conn_read(&s->c);
		if (n == 0 || n == CONN_ERROR)
			break;
		if (i == LINGER_READS - 1) {
			session_yield(s);
			return;
		}
	}
	session_close(s);
}

/* ---- requests ---- */

/* What came of a session's exchange. True: there is more to do now. */
static bool after_exchange(struct session *s, enum exchange_result r)
{
	if (r == EXCHANGE_NEXT || r > EXCHANGE_ANSWER)
		access_end(s);
	switch (r) {
	case EXCHANGE_WAIT:
	case EXCHANGE_YIELD:
		if (worker.retiring && move_possible(s) && move_out(s))
			return false;
		if (r == EXCHANGE_YIELD)
			session_yield(s);
		return false;
	case EXCHANGE_GO:
	case EXCHANGE_ANSWER:
		return true;
	case EXCHANGE_NEXT:
		s->phase = SESSION_IDLE;
		custody_idle(&s->c, s->requests);
		return true;
	case EXCHANGE_LINGER:
		linger(s);
		return false;
	case EXCHANGE_CLOSE:
		session_close(s);
		return false;
	case EXCHANGE_RESET:
		reset(s);
		return false;
	}
	return false;
}

/* Between requests: waits, or begins with what has come. True: a request head is whole or refused. */
static bool read_request(struct session *s)
{
	const struct conf_listener *l = s->listener;
	bool fresh = s->c.in && s->head == NULL;	/* bytes that came behind the last request */
	enum exchange_result r;

	for (;;) {
		if (fresh) {
			if (s->head == NULL) {
				s->head = head_take();
				if (s->head == NULL) {
					session_answer(s, 503, true);
					return true;
				}
				http_request_start(s->head, &(struct http_limits){ .line = (uint32_t)l->http.max_request_line,
				    .head = (uint32_t)l->max_head, .fields = (uint16_t)l->http.max_fields });
				s->head_request = false;
				access_begin(s, state_now());
			}
			enum http_result parsed = http_request_parse(s->head, s->c.in->data + s->c.in->at, buf_size(s->c.in));
			if (parsed != HTTP_PARTIAL) {
				s->phase = SESSION_EXCHANGE;
				s->head_request = s->head->method == HTTP_HEAD;
				if (parsed == HTTP_DONE) {
					access_head(s);
					r = exchange_start_http(s);
				} else {
					log_debug("listener %s: request refused with %u: %s", l->name, s->head->error, s->head->why);
					witness_request(s, SEEN_BAD_REQUEST, s->head->error, s->head->why);
					session_answer(s, s->head->error, true);
					r = EXCHANGE_ANSWER;
				}
				head_give(&s->head);
				return after_exchange(s, r);
			}
			if (s->phase == SESSION_IDLE) {
				/* The whole head has one deadline, from its first byte. */
				s->phase = SESSION_HEAD;
				timer_set(&worker.loop.wheel, &s->timer, state_now() + l->head_timeout_ns);
			}
			if (buf_size(s->c.in) == BUF_SIZE) {
				witness_request(s, SEEN_TOO_LARGE, 431, NULL);
				session_answer(s, 431, true);
				return true;
			}
		}
		if (s->c.broken) {
			session_close(s);
			return false;
		}
		if (!s->c.rd) {
			if (s->phase == SESSION_IDLE && worker.retiring && hand_back(s))
				return false;
			/* What lies answered in the socket would be reported as news. */
			if (s->phase == SESSION_IDLE && !s->c.armed && !custody_settle(&s->c, s->requests))
				continue;
			if ((s->phase == SESSION_IDLE && worker.stopping) || conn_arm(&s->c) < 0) {
				session_close(s);
				return false;
			}
			if (s->phase == SESSION_IDLE)	/* as a rule this only moves a deadline later: one store */
				timer_set(&worker.loop.wheel, &s->timer, state_now() +
				    (s->requests ? l->idle_timeout_ns : l->head_timeout_ns));
			return false;
		}
		int n = conn_read(&s->c);
		if (n == 0 || n == CONN_ERROR) {
			session_close(s);
			return false;
		}
		fresh = n > 0;	/* a connection that was handed back by a predecessor may have nothing yet */
	}
}

static bool begin_tcp(struct session *s, unsigned pool)
{
	s->phase = SESSION_EXCHANGE;
	access_begin(s, s->accepted_ns);
	return after_exchange(s, exchange_start_tcp(s, pool));
}

/* True: it has been read, and there is more to do. */
static bool read_preamble(struct session *s)
{
	unsigned pool = s->listener->pool;

	switch (preamble_run(s, &pool)) {
	case PREAMBLE_WAIT:
		if (worker.retiring && s->c.in == NULL)
			hand_back(s);
		return false;
	case PREAMBLE_CLOSE:
		if (s->c.in) {	/* who has said nothing has asked nothing */
			access_begin(s, s->accepted_ns);
			access_who(s, s->c.eof || s->c.broken ? ACCESS_CLIENT : ACCESS_PROXY);
		}
		session_close(s);
		return false;
	case PREAMBLE_OVER:
		break;
	}
	timer_cancel(&worker.loop.wheel, &s->timer);
	if (s->listener->accept_proxy != CONF_PROXY_OFF) {
		/* A successor finds the header gone from the socket, and what it said here. */
		struct handoff_record r;
		session_record(s, &r);
		custody_take(&s->c);
		custody_tell(&s->c, &r);
		custody_idle(&s->c, s->requests);
	}
	if (s->listener->mode == CONF_MODE_TCP)
		return begin_tcp(s, pool);
	s->phase = SESSION_IDLE;
	return true;
}

void session_run(struct session *s)
{
	uint32_t first = s->requests;
	bool more = true;

	while (more) {
		switch ((enum session_phase)s->phase) {
		case SESSION_PREAMBLE:
			more = read_preamble(s);
			break;
		case SESSION_IDLE:
			if (s->requests - first >= REQUESTS_TURN) {
				session_yield(s);
				return;
			}
			/* fall through */
		case SESSION_HEAD:
			more = read_request(s);
			break;
		case SESSION_EXCHANGE:
			more = after_exchange(s, exchange_run(s->x));
			break;
		case SESSION_ANSWER:
			if (!send_answer(s))
				return;
			access_end(s);
			if (s->close_after) {
				linger(s);
				return;
			}
			s->phase = SESSION_IDLE;
			custody_idle(&s->c, s->requests);
			break;
		case SESSION_LINGER:
			linger(s);
			return;
		case SESSION_GONE:
			return;
		}
	}
}

/* ---- beginning, and what comes from outside ---- */

static void on_event(struct loop_fd *h, uint32_t events)
{
	struct session *s = (struct session *)(void *)((char *)h - offsetof(struct session, c.h));

	conn_events(&s->c, events);
	session_run(s);
}

static void on_timer(struct timer *t)
{
	struct session *s = (struct session *)(void *)((char *)t - offsetof(struct session, timer));
	enum exchange_result r;

	switch ((enum session_phase)s->phase) {
	case SESSION_HEAD:
		witness_request(s, SEEN_REQUEST_LATE, 408, NULL);
		session_answer(s, 408, true);
		session_run(s);
		return;
	case SESSION_EXCHANGE:
		r = exchange_client_timeout(s->x);
		if (after_exchange(s, r))
			session_run(s);
		return;
	case SESSION_IDLE:
	case SESSION_ANSWER:
		if (s->run_at)	/* it was set for a wait that is over: it is our turn now */
			return;
		break;
	case SESSION_PREAMBLE:
		if (s->c.in)
			access_begin(s, s->accepted_ns);
		break;
	case SESSION_LINGER:
		break;
	case SESSION_GONE:
		return;
	}
	access_who(s, ACCESS_CLIENT_LATE);
	if (s->streamed)
		reset(s);	/* what it has got must not look like all */
	else
		session_close(s);
}

struct session *session_adopt(int fd, const struct handoff_record *r)
{
	struct session *s;

	if (r->listener >= worker.conf->nlisteners || make_room() < 0 || (s = slab_take(&sessions)) == NULL) {
		close(fd);
		return NULL;
	}
	*s = (struct session){
		.timer.cb = on_timer, .listener = &worker.conf->listener[r->listener],
		.accepted_ns = r->accepted_ns, .requests = r->requests,
		.peer_port = r->port, .peer_family = r->family,
	};
	conn_start(&s->c, fd, on_event);
	memcpy(s->peer, r->addr, sizeof s->peer);
	s->headed = s->listener->accept_proxy == CONF_PROXY_OFF || r->flags & HANDOFF_HEADED;
	s->secure = r->flags & HANDOFF_SECURE;
	if (r->flags & HANDOFF_PROXIED && preamble_way(s)) {
		s->way->proxied = true;
		memcpy(s->way->to, r->to, sizeof s->way->to);
		s->way->to_port = r->to_port;
	}
	worker.sessions++;
	table_add32(&worker.row->active, 1);
	table_add32(&table_clients(worker.table, worker.slot)[s->listener->row], 1);
	return s;
}

void session_start(int fd, const struct handoff_record *r)
{
	struct session *s = session_adopt(fd, r);

	/* Held first and then received: the supervisor, which adds what is on the way to what is held, never sees too few. */
	atomic_store_explicit(&worker.row->received, atomic_load_explicit(&worker.row->received, memory_order_relaxed) + 1,
	    memory_order_release);
	if (s == NULL)
		return;
	custody_begin(&s->c, r);
	if (preamble_due(s)) {
		s->phase = SESSION_PREAMBLE;
		timer_set(&worker.loop.wheel, &s->timer, state_now() + s->listener->head_timeout_ns);
	} else if (s->listener->mode == CONF_MODE_TCP) {
		if (!begin_tcp(s, s->listener->pool))
			return;
	}
	session_run(s);
}

unsigned session_places(void)
{
	return sessions.used;
}

const struct session *session_at(unsigned place)
{
	const struct session *s = slab_at(&sessions, place);

	return s->phase == SESSION_GONE ? NULL : s;
}

void session_sweep(void)
{
	static unsigned at;	/* goes round: where the channel was full, it goes on when it takes more */

	for (unsigned n = sessions.used; n > 0; n--, at++) {
		if (at >= sessions.used)
			at = 0;
		struct session *s = slab_at(&sessions, at);
		if (s->phase == SESSION_EXCHANGE && worker.retiring)
			session_yield(s);	/* it may be one that can move: after_exchange() finds out */
		if ((s->phase != SESSION_IDLE && s->phase != SESSION_PREAMBLE) || s->c.in)
			continue;
		if (worker.stopping) {
			/* Not closed unseen: a request may lie in the socket. read_request() closes when none does. */
			s->c.rd = true;
			session_yield(s);
		} else if (!hand_back(s))
			return;		/* the channel is full: when it takes more we come again */
	}
}

/* Four numbers and three dots: this is done for each request, and inet_ntop(3) takes printf's way. */
static size_t dotted(const uint8_t *ip, char *buf)
{
	char *at = buf;

	for (int i = 0; i < 4; i++) {
		unsigned n = ip[i];
		if (i > 0)
			*at++ = '.';
		if (n >= 100)
			*at++ = (char)('0' + n / 100);
		if (n >= 10)
			*at++ = (char)('0' + n / 10 % 10);
		*at++ = (char)('0' + n % 10);
	}
	*at = '\0';
	return (size_t)(at - buf);
}

size_t session_peer_text(const struct session *s, char *buf, size_t room)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (room < INET6_ADDRSTRLEN)
		return 0;
	if (s->peer_family == AF_INET)
		return dotted(s->peer, buf);
	if (s->peer_family == AF_INET6 && memcmp(s->peer, mapped, sizeof mapped) == 0)
		return dotted(s->peer + 12, buf);
	if (s->peer_family == AF_INET6 && inet_ntop(AF_INET6, s->peer, buf, (socklen_t)room))
		return strlen(buf);
	return 0;	/* a unix socket has no address to tell */
}
