/*
 * Handing over a conversation under way. Worker only.
 *
 * What crosses is struct moved and, behind it, the bytes that this process had read and not yet
 * written. The receiver may be of another configuration, or of another version of the program: the
 * struct says which version wrote it and how large it was, the server is named by its row in the
 * shared table, and nothing in it is believed beyond its bounds.
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

#define MOVED_VERSION 2

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
	uint16_t version;	/* MOVED_VERSION */
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
	/* then: client.in, upstream.in, req, out, log bytes */
};

static struct handoff_msg move_msg;
static char move_extra[HANDOFF_EXTRA_MAX];

_Static_assert(sizeof(struct moved) + 4 * BUF_SIZE + ACCESS_PACKED_MAX <= HANDOFF_EXTRA_MAX, "everything fits one message");

/* Successors know a server unless the new configuration has dropped it. */
static bool stays(const struct server *sv)
{
	return atomic_load_explicit(&sv->row->used, memory_order_acquire) ==
	    atomic_load_explicit(&worker.table->inst->generation, memory_order_relaxed);
}

bool move_possible(const struct session *s)
{
	const struct exchange *x = s->x;

	if (s->phase != SESSION_EXCHANGE || x == NULL || x->u == NULL || x->server == NULL || s->c.broken ||
	    s->c.sending || x->u->c.sending)
		return false;
	if (x->state != X_TUNNEL && !(x->state == X_TALK && x->answered && x->req_sent))
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

bool move_out(struct session *s)
{
	struct exchange *x = s->x;
	struct upstream *u = x->u;
	unsigned nfds = 2;
	/* A connection that knows its client by a PROXY header is not for the pool of a configuration without one. */
	bool keep_server = x->keep_server && x->pool->conf->send_proxy == CONF_PROXY_OFF;
	struct moved m = {
		.version = MOVED_VERSION, .size = sizeof m, .server = x->server->conf->row, .state = x->state,
		.method = x->method, .minor = x->minor, .client_keep = x->client_keep, .keep_client = x->keep_client,
		.keep_server = keep_server, .res_framing = x->res_framing, .res_chunked = x->res_chunked,
		.res_over = x->res_over, .status = x->status, .res_span = x->res_span, .res_left = x->res_left,
		.res_body = x->res_body, .uses = u->uses, .announced_s = u->announced_s, .chosen_ns = x->chosen_ns,
		.client = pack_conn(&s->c), .upstream = pack_conn(&u->c),
	};
	size_t at = sizeof m;

	if (!custody_settle(&s->c, s->requests))
		return false;
	m.res_body.why = NULL;
	at = pack(at, s->c.in, &m.client.in);
	at = pack(at, u->c.in, &m.upstream.in);
	at = pack(at, x->req, &m.req);
	at = pack(at, s->out, &m.out);
	m.log = (uint32_t)access_pack(move_extra + at, x);
	at += m.log;
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
	struct moved m;
	size_t at = sizeof m;
	unsigned nfds = 0;

	if (msg->head.extra < sizeof m)
		goto refuse;
	memcpy(&m, msg->extra, sizeof m);
	if (m.version != MOVED_VERSION || m.size != sizeof m || (m.state != X_TUNNEL && m.state != X_TALK))
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
	x->state = m.state;
	x->method = m.method;
	x->minor = m.minor;
	x->client_keep = m.client_keep;
	x->keep_client = m.keep_client && !(msg->rec[0].flags & HANDOFF_LAST);
	x->keep_server = m.keep_server;
	x->res_framing = m.res_framing;
	x->res_chunked = m.res_chunked;
	x->res_over = m.res_over;
	x->res_span = m.res_span;
	x->res_left = m.res_left;
	x->res_body = m.res_body;
	x->status = m.status;
	x->chosen_ns = m.chosen_ns;
	x->up_over = m.up.over;
	x->down_over = m.down.over;
	x->u->announced_s = m.announced_s;
	unpack_conn(&s->c, &m.client);
	unpack_conn(&x->u->c, &m.upstream);
	if (!unpack(&s->c.in, msg, &at, m.client.in) || !unpack(&x->u->c.in, msg, &at, m.upstream.in) ||
	    !unpack(&x->req, msg, &at, m.req) || !unpack(&s->out, msg, &at, m.out) ||
	    !unpack_flow(&x->up, &m.up, msg, &nfds) || !unpack_flow(&x->down, &m.down, msg, &nfds) ||
	    m.res_span > m.upstream.in)
		goto refuse;
	if (m.log <= msg->head.extra - at)
		access_unpack(x, msg->extra + at, m.log);
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
