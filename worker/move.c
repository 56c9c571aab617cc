/*
 * Handing over a conversation under way. Worker only.
 *
 * What crosses is struct moved and, behind it, the bytes that this process had read and not yet
 * written, and struct moved_more. The receiver may be of another configuration, or of another version of
 * the program: the struct says who can read it and how large it was, the server is named by its row in the
 * shared table, and nothing in it is believed beyond its bounds.
 *
 * Programs of version 2 move only what has been sent and is being answered, and tunnels. They find all
 * that they know of where they look for it, and ignore what stands behind it; so whatever moved then still
 * moves, to them and from them. All else is of version 3.
 */
#include "worker/move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "worker/access.h"
#include "worker/custody.h"
#include "worker/exchange.h"
#include "worker/fields.h"
#include "worker/learning.h"

#define REPEAT_NS CONF_SECOND	/* what may be repeated moves when it has waited so long */

#define MOVED_SENT 2
#define MOVED_VERSION 3

/* An end of the conversation. */
struct moved_conn {
	uint8_t hup, eof, shut, pad;
	uint32_t in;		/* bytes read and not taken */
};

/* One direction. */
struct moved_flow {
	uint32_t held;		/* bytes in its pipe; 0: no pipe comes along */
	uint32_t room;
	uint32_t full;
	uint8_t over, splice, pad[2];
};

struct moved {
	uint16_t version;	/* MOVED_VERSION, or MOVED_SENT: moved_more can be done without */
	uint16_t size;		/* of this struct, bytes */
	uint32_t server;	/* row in the shared table */
	uint8_t state;		/* enum exchange_state */
	uint8_t method, minor;
	uint8_t client_keep, keep_client, keep_server;
	uint8_t res_framing, res_chunked, res_over;
	uint8_t pad;
	uint16_t status;
	uint32_t res_span;
	uint64_t res_left;
	struct http_body res_body;	/* `why` is not carried over */
	uint32_t uses, announced_s;	/* of the connection to the server */
	uint64_t chosen_ns;
	struct moved_conn client, upstream;
	struct moved_flow up, down;
	uint32_t req, out;		/* bytes waiting to be written to the server, to the client */
	uint32_t log;			/* of the access log's record */
	/* then: client.in, upstream.in, req, out, log bytes; struct moved_more */
};

/* What version 2 did not tell. */
struct moved_more {
	uint32_t size;		/* of this struct, bytes */
	uint32_t notes;		/* bytes of what the answer's head wants of the request */
	uint64_t client_until_ns, server_until_ns;	/* deadlines that are running; 0: none is */
	uint64_t req_left, max_body;
	struct http_body req_body;	/* `why` is not carried over */
	uint32_t req_span;
	uint8_t answered, interim, upgrade, client_last;
	uint8_t req_chunked, req_read, req_sent, req_broken;
	uint8_t sticky;			/* the client has this server's cookie */
	uint8_t foreign;		/* the connection to the server has been introduced to it */
	uint8_t rule, failures;
	uint16_t how;
	uint8_t hung_up, hedged;
	uint8_t replay;			/* `req` has all of the request, of which req_at bytes have been sent */
	uint8_t pad[3];
	uint32_t req_at;
	uint64_t key;
	/* then: notes bytes */
};

static struct handoff_msg move_msg;
static char move_extra[HANDOFF_EXTRA_MAX];

/* What has been sent has nothing in `req`, or not more than a buffer; an upload may, see move_out(). */
#define ALL_BUT_BUFFERS (sizeof(struct moved) + ACCESS_PACKED_MAX + sizeof(struct moved_more) + FIELDS_PACKED_MAX)
_Static_assert(ALL_BUT_BUFFERS + 4 * BUF_SIZE <= HANDOFF_EXTRA_MAX, "as a rule everything fits one message");

/* Successors know a server unless the new configuration has dropped it. */
static bool stays(const struct server *sv)
{
	return atomic_load_explicit(&sv->row->used, memory_order_acquire) ==
	    atomic_load_explicit(&worker.table->inst->generation, memory_order_relaxed);
}

/* Another server might still get it: then it has to move with all that was said. */
static bool repeatable(const struct exchange *x)
{
	return !x->answered && !x->interim && x->replay && http_idempotent(x->method);
}

/*
 * One that is repeatable is over soon, as a rule, and then its connection moves as an idle one, which costs less, and which a worker
 * that dies does not take with it.
 */
static bool has_settled(const struct exchange *x)
{
	if (x->answered)
		return true;
	return x->reached && !x->hedge && (!repeatable(x) || state_now() - x->chosen_ns >= REPEAT_NS);
}

bool move_possible(const struct session *s)
{
	const struct exchange *x = s->x;

	if (s->phase != SESSION_EXCHANGE || x == NULL || x->u == NULL || x->server == NULL || s->c.broken ||
	    s->c.sending || x->u->c.sending)
		return false;
	if (x->state != X_TUNNEL && !(x->state == X_TALK && has_settled(x)))
		return false;
	return stays(x->server);	/* else it ends here */
}

/* ---- out ---- */

static size_t pack(size_t at, const struct buf *b, uint32_t *size)
{
	*size = buf_size(b);
	if (*size)
		memcpy(move_extra + at, b->data + b->at, *size);
	return at + *size;
}

static struct moved_conn pack_conn(const struct conn *c)
{
	return (struct moved_conn){ .hup = c->hup, .eof = c->eof, .shut = c->shut };
}

static struct moved_flow pack_flow(const struct flow *f, bool over, unsigned *nfds)
{
	struct moved_flow m = { .full = f->full, .over = over, .splice = f->splice };

	if (f->pipe) {
		m.held = f->pipe->held;
		m.room = f->pipe->room;
		move_msg.fd[(*nfds)++] = f->pipe->fd[0];
		move_msg.fd[(*nfds)++] = f->pipe->fd[1];
	}
	return m;
}

/* A deadline goes on where it is: who moves again and again does not get more time by that. What does not count is set anew. */
static uint64_t running(const struct timer *t, bool counts)
{
	return counts && timer_armed(t) ? timer_deadline_ns(t) : 0;
}

static struct moved_more pack_more(const struct exchange *x, bool foreign)
{
	uint64_t moved = x->up.moved + x->down.moved + 1;	/* as await() in exchange.c has it */
	bool client_waits = x->state == X_TUNNEL ? x->wait_client : (x->wait_body || x->wait_client) && x->client_moved == moved;
	bool server_waits = x->state == X_TALK && x->wait_server && x->server_moved == moved;
	struct moved_more more = {
		.size = sizeof more,
		.client_until_ns = running(&x->s->timer, client_waits), .server_until_ns = running(&x->u->timer, server_waits),
		.req_left = x->req_left, .max_body = x->max_body, .req_body = x->req_body, .req_span = x->req_span,
		.answered = x->answered, .interim = x->interim, .upgrade = x->upgrade, .client_last = x->client_last,
		.req_chunked = x->req_chunked, .req_read = x->req_read, .req_sent = x->req_sent, .req_broken = x->req_broken,
		.sticky = x->sticky == x->server - x->pool->server, .foreign = foreign, .rule = x->rule, .how = x->how,
		.failures = (uint8_t)(x->failures < UINT8_MAX ? x->failures : UINT8_MAX), .hung_up = x->hung_up,
		.hedged = x->hedged, .replay = repeatable(x), .req_at = x->req ? x->req->at : 0, .key = x->key,
	};

	more.req_body.why = NULL;
	return more;
}

bool move_out(struct session *s)
{
	struct exchange *x = s->x;
	struct upstream *u = x->u;
	unsigned nfds = 2;
	bool sent = x->state == X_TUNNEL || (x->answered && x->req_sent);
	/* A connection that knows its client by a PROXY header is not for the pool of a configuration without one. */
	bool foreign = x->foreign || x->pool->conf->send_proxy != CONF_PROXY_OFF;
	struct moved m = {
		.version = sent ? MOVED_SENT : MOVED_VERSION, .size = sizeof m, .server = x->server->conf->row, .state = x->state,
		.method = x->method, .minor = x->minor, .client_keep = x->client_keep, .keep_client = x->keep_client,
		.keep_server = x->keep_server && !foreign, .res_framing = x->res_framing, .res_chunked = x->res_chunked,
		.res_over = x->res_over, .status = x->status, .res_span = x->res_span, .res_left = x->res_left,
		.res_body = x->res_body, .uses = u->uses, .announced_s = u->announced_s, .chosen_ns = x->chosen_ns,
		.client = pack_conn(&s->c), .upstream = pack_conn(&u->c),
	};
	struct moved_more more = pack_more(x, foreign);
	struct buf *req = x->req;
	uint32_t req_at = more.req_at;
	size_t at = sizeof m;

	if (ALL_BUT_BUFFERS + buf_size(s->c.in) + buf_size(u->c.in) + (req ? req->end : 0) + buf_size(s->out) > sizeof move_extra)
		return false;	/* much waits for a slow server: as soon as that has taken some of it */
	custody_take(&s->c);
	if (!custody_settle(&s->c, s->requests))
		return false;
	m.res_body.why = NULL;
	at = pack(at, s->c.in, &m.client.in);
	at = pack(at, u->c.in, &m.upstream.in);
	if (more.replay)
		req->at = 0;
	at = pack(at, req, &m.req);
	if (req)
		req->at = req_at;
	at = pack(at, s->out, &m.out);
	m.log = (uint32_t)access_pack(move_extra + at, x);
	at += m.log;
	more.notes = x->answered ? 0 : (uint32_t)fields_pack(move_extra + at + sizeof more, x);
	memcpy(move_extra + at, &more, sizeof more);
	at += sizeof more + more.notes;
	m.up = pack_flow(&x->up, x->up_over, &nfds);
	m.down = pack_flow(&x->down, x->down_over, &nfds);
	memcpy(move_extra, &m, sizeof m);

	session_record(s, &move_msg.rec[0]);
	move_msg.fd[0] = s->c.h.fd;
	move_msg.fd[1] = u->c.h.fd;
	move_msg.extra = move_extra;
	move_msg.head = (struct handoff_head){
		.type = HANDOFF_MOVE, .count = 1, .fds = (uint16_t)nfds, .extra = (uint32_t)at, .generation = worker.generation,
	};
	if (handoff_send(worker.channel, &move_msg) < 0) {
		worker.channel_full = true;
		return false;
	}
	/* It lives on elsewhere: our copies go without a word to either side. */
	if (s->c.armed)
		loop_del(&worker.loop, &s->c.h);
	if (u->c.armed)
		loop_del(&worker.loop, &u->c.h);
	access_forget(s);
	learning_moved(x);
	x->moved = true;
	exchange_end(x, false);
	s->c.custody = 0;
	session_close(s);
	return true;
}

/* ---- in ---- */

static bool unpack(struct buf **b, const struct handoff_msg *m, size_t *at, uint32_t size)
{
	if (size == 0)
		return true;
	/* Another version's buffers may be larger than ours. */
	if (size > BUF_LARGE || size > m->head.extra - *at || (*b = size > BUF_SIZE ? buf_take_large() : buf_take()) == NULL)
		return false;
	memcpy((*b)->data, m->extra + *at, size);
	(*b)->end = size;
	*at += size;
	return true;
}

static void unpack_conn(struct conn *c, const struct moved_conn *m)
{
	c->rd = c->wr = true;
	c->hup = m->hup;
	c->eof = m->eof;
	c->shut = m->shut;
}

static bool unpack_flow(struct flow *f, const struct moved_flow *m, const struct handoff_msg *msg, unsigned *nfds)
{
	f->full = m->full;
	f->splice = m->splice;
	if (m->held == 0)
		return true;
	if (*nfds + 2 > msg->head.fds)
		return false;
	f->pipe = pipe_adopt(msg->fd[*nfds], msg->fd[*nfds + 1], m->held, m->room);
	*nfds += 2;
	return f->pipe != NULL;
}

/* The structs of a message. False: of a version that is not known, or not whole. */
static bool unpack_head(const struct handoff_msg *msg, struct moved *m, struct moved_more *more)
{
	uint64_t behind;

	if (msg->head.extra < sizeof *m)
		return false;
	memcpy(m, msg->extra, sizeof *m);
	if ((m->version != MOVED_VERSION && m->version != MOVED_SENT) || m->size != sizeof *m)
		return false;
	behind = sizeof *m + (uint64_t)m->client.in + m->upstream.in + m->req + m->out + m->log;
	if (behind + sizeof *more <= msg->head.extra) {
		memcpy(more, msg->extra + behind, sizeof *more);
		if (more->size == sizeof *more)
			return true;
	}
	*more = (struct moved_more){ .answered = true, .req_read = true, .req_sent = true };
	return m->version == MOVED_SENT && behind <= msg->head.extra;
}

/* A request that may be repeated: x->req is as it was there, and has as much room. False: that cannot be. */
static bool unpack_replay(struct exchange *x, const struct moved_more *more)
{
	uint64_t want = !x->req_chunked ? x->req_left : x->req_read ? 0 : BUF_LARGE;
	struct buf *large;

	if (x->req == NULL || more->req_at > x->req->end)
		return false;
	x->req->at = more->req_at;
	x->key = more->key;
	x->hedged = more->hedged;
	if (want > buf_room(x->req) && x->req->size < BUF_LARGE) {
		if ((large = buf_take_large()) == NULL)
			return false;
		memcpy(large->data, x->req->data, x->req->end);
		large->at = x->req->at;
		large->end = x->req->end;
		buf_give(&x->req);
		x->req = large;
	}
	x->replay = x->req_chunked || want <= buf_room(x->req);
	return true;
}

/* Could it be the state of an exchange? */
static bool sound(const struct moved *m, const struct moved_more *more)
{
	if ((m->state != X_TUNNEL && m->state != X_TALK) || m->method > HTTP_CONNECT || m->minor > 1 ||
	    m->res_framing > HTTP_UNTIL_CLOSE || m->res_span > m->upstream.in || more->req_span > m->client.in)
		return false;
	if (m->state == X_TUNNEL)
		return true;
	if (more->answered && m->res_framing == HTTP_CHUNKED && !http_body_sound(&m->res_body, HTTP_CHUNKED))
		return false;
	if (more->req_sent)
		return more->req_read && (more->req_chunked || more->req_left == 0);
	return more->req_chunked ? http_body_sound(&more->req_body, HTTP_CHUNKED) : more->req_left <= INT64_MAX;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Deadlines that were running go on, but none for longer than ours would. */
static void unpack_deadlines(struct exchange *x, const struct moved_more *m)
{
	const struct conf_listener *l = x->s->listener;
	const struct conf_pool *p = x->pool->conf;
	uint64_t now = state_now(), client, server;

	client = x->state == X_TUNNEL ? l->tunnel_timeout_ns :
	    l->send_timeout_ns > l->body_timeout_ns ? l->send_timeout_ns : l->body_timeout_ns;
	server = x->req_sent && !x->answered ? p->answer_timeout_ns : p->stall_timeout_ns;
	if (m->client_until_ns) {
		timer_set(&worker.loop.wheel, &x->s->timer, earlier(m->client_until_ns, now + client));
		x->client_moved = 1;	/* nothing has moved here */
		x->wait_client = x->state == X_TUNNEL;
	}
	if (m->server_until_ns && x->state == X_TALK) {
		timer_set(&worker.loop.wheel, &x->u->timer, earlier(m->server_until_ns, now + server));
		x->server_moved = 1;
	}
}

/* All but its bytes and descriptors. */
static void unpack_exchange(struct exchange *x, const struct moved *m, const struct moved_more *more, bool last)
{
	x->state = m->state;
	x->method = m->method;
	x->minor = m->minor;
	x->client_keep = m->client_keep && !last;
	x->client_last = more->client_last;
	x->upgrade = more->upgrade;
	x->foreign = more->foreign || x->pool->conf->send_proxy != CONF_PROXY_OFF;
	x->keep_client = m->keep_client && !last;
	x->keep_server = m->keep_server && !x->foreign;
	x->sticky = more->sticky ? (int)(x->server - x->pool->server) : -1;
	x->rule = more->rule;
	x->how = more->how;
	x->failures = more->failures;
	x->hung_up = more->hung_up;
	x->max_body = more->max_body;
	x->req_chunked = more->req_chunked;
	x->req_body = more->req_body;
	x->req_left = more->req_left;
	x->req_span = more->req_span;
	x->req_read = more->req_read;
	x->req_sent = more->req_sent;
	x->req_broken = more->req_broken;
	x->answered = more->answered;
	x->interim = more->interim;
	x->res_framing = m->res_framing;
	x->res_chunked = m->res_chunked;
	x->res_over = m->res_over;
	x->res_span = m->res_span;
	x->res_left = m->res_left;
	x->res_body = m->res_body;
	x->req_body.why = x->res_body.why = NULL;
	x->status = m->status;
	x->chosen_ns = earlier(m->chosen_ns, state_now());
	x->up_over = m->up.over;
	x->down_over = m->down.over;
	x->u->announced_s = m->announced_s;
	x->s->head_request = x->method == HTTP_HEAD;
}

static struct server *find_server(uint32_t row)
{
	for (unsigned i = 0; i < worker.conf->npools; i++)
		for (unsigned k = 0; k < worker.conf->pool[i].nservers; k++)
			if (worker.conf->pool[i].server[k].row == row)
				return &worker.pool[i].server[k];
	return NULL;
}

void move_in(const struct handoff_msg *msg)
{
	const char *why = "of another version";
	struct session *s = NULL;
	struct exchange *x = NULL;
	struct server *sv;
	struct moved_more more;
	struct moved m;
	size_t at = sizeof m;
	unsigned nfds = 0;

	if (!unpack_head(msg, &m, &more))
		goto refuse;
	why = "it is not whole";
	if (!sound(&m, &more))
		goto refuse;
	why = "its server is not in the configuration";
	sv = find_server(m.server);
	if (sv == NULL)
		goto refuse;
	why = "no memory";
	s = session_adopt(msg->fd[0], &msg->rec[0]);
	if (s == NULL)
		goto refuse;
	nfds = 1;
	custody_adopt(&s->c, &msg->rec[0]);
	x = exchange_adopt(s, sv, msg->fd[1], m.uses);
	if (x == NULL)
		goto refuse;
	nfds = 2;
	why = "it is not whole";
	unpack_exchange(x, &m, &more, msg->rec[0].flags & HANDOFF_LAST);
	unpack_conn(&s->c, &m.client);
	unpack_conn(&x->u->c, &m.upstream);
	if (!unpack(&s->c.in, msg, &at, m.client.in) || !unpack(&x->u->c.in, msg, &at, m.upstream.in) ||
	    !unpack(&x->req, msg, &at, m.req) || !unpack(&s->out, msg, &at, m.out) ||
	    !unpack_flow(&x->up, &m.up, msg, &nfds) || !unpack_flow(&x->down, &m.down, msg, &nfds))
		goto refuse;
	if (more.replay && x->state == X_TALK && !x->answered && !unpack_replay(x, &more))
		goto refuse;
	why = "no memory";
	if (x->req_chunked && !x->req_sent && x->req == NULL && (x->req = buf_take()) == NULL)	/* where its chunks are written */
		goto refuse;
	/* Heard from now on, whether anybody waits for it or not: a client that leaves in the middle spares the server the work. */
	if (conn_arm(&s->c) < 0)
		goto refuse;
	access_unpack(x, msg->extra + at, m.log);	/* all of it is there: unpack_head() */
	at += m.log + sizeof more;
	if (!x->answered)
		fields_unpack(x, msg->extra + at, more.notes <= msg->head.extra - at ? more.notes : 0);
	if (x->state == X_TALK && !x->answered)
		learning_asked(x);
	unpack_deadlines(x, &more);
	while (nfds < msg->head.fds)	/* more than it says what for */
		close(msg->fd[nfds++]);
	session_run(s);
	return;
refuse:
	log_warn("a connection that another worker handed over is closed: %s", why);
	while (nfds < msg->head.fds)
		close(msg->fd[nfds++]);
	if (s)
		session_close(s);
}

/* ---- idle connections to servers ---- */

/* Sends what is gathered. Gathered or not, it is over for us. */
static void send_kept(unsigned n)
{
	if (n == 0)
		return;
	move_msg.extra = move_extra;
	move_msg.head = (struct handoff_head){
		.type = HANDOFF_KEPT, .fds = (uint16_t)n, .extra = (uint32_t)(n * sizeof(struct handoff_kept)),
		.generation = worker.generation,
	};
	if (handoff_send(worker.channel, &move_msg) < 0)
		log_debug("%u idle connections to servers do not go to the successors: %s", n, strerror(errno));
	for (unsigned i = 0; i < n; i++)
		close(move_msg.fd[i]);
}

void move_kept_out(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < worker.conf->npools; i++)
		for (unsigned k = 0; k < worker.conf->pool[i].nservers; k++) {
			struct server *sv = &worker.pool[i].server[k];
			while (sv->idle && stays(sv)) {
				struct upstream *u = sv->idle;
				struct handoff_kept kept = {
					.server = sv->conf->row, .uses = u->uses, .announced_s = u->announced_s,
				};
				memcpy(move_extra + n * sizeof kept, &kept, sizeof kept);
				loop_del(&worker.loop, &u->c.h);
				move_msg.fd[n++] = u->c.h.fd;
				u->c.h.fd = -1;
				upstream_close(u);
				if (n == HANDOFF_MAX) {
					send_kept(n);
					n = 0;
				}
			}
			upstream_close_idle(sv);
		}
	send_kept(n);
}

void move_kept_in(const struct handoff_msg *m)
{
	for (unsigned i = 0; i < m->head.fds; i++) {
		struct handoff_kept kept;
		memcpy(&kept, m->extra + i * sizeof kept, sizeof kept);
		struct server *sv = find_server(kept.server);
		struct upstream *u = sv ? upstream_adopt(sv, NULL, m->fd[i], kept.uses) : NULL;
		if (u) {
			u->announced_s = kept.announced_s;
			upstream_keep(u);
		} else if (sv == NULL)
			close(m->fd[i]);
	}
}
