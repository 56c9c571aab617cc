/*
 * One request and its answer, or one tunnel: beginning, server, second chances, deadlines, end.
 * Worker only.
 *
 * Both directions go on independently: request_send() moves the request to the server,
 * answer_receive() the answer to the client, and either may wait while the other goes on. What the
 * server must not see twice is guarded by two words: `reached`, set when the first byte of the
 * request has been written to a server, and `replay`, which says that the whole request still stands
 * in x->req.
 */
#include "worker/exchange.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/forward.h"
#include "os/sock.h"
#include "worker/access.h"
#include "worker/answer.h"
#include "worker/attempt.h"
#include "worker/custody.h"
#include "worker/fields.h"
#include "worker/hedge.h"
#include "worker/learning.h"
#include "worker/place.h"
#include "worker/preamble.h"
#include "worker/reply.h"
#include "worker/request.h"
#include "worker/route.h"
#include "worker/status.h"
#include "worker/tunnel.h"
#include "worker/witness.h"

static struct slab exchanges = { .size = sizeof(struct exchange) };

/* ---- beginning and end ---- */

void exchange_leave(struct exchange *x, bool reached, bool keep)
{
	struct upstream *u = x->u;
	struct shm_load *cell;

	access_leave(x);
	/* The connection first: once its place is given back, another request may take it at once. */
	x->u = NULL;
	if (u && keep && x->pool->conf->send_proxy)
		upstream_keep_own(u, preamble_way(x->s));
	else if (u && keep)
		upstream_keep(u);
	else if (u)
		upstream_close(u);
	if (x->server == NULL)
		return;
	cell = x->server->cell;
	table_add(&cell->bytes_to_server, x->up.moved);
	table_add(&cell->bytes_from_server, x->down.moved);
	x->up.moved = x->down.moved = 0;
	learning_left(x);
	if (x->moved)
		queue_hold(x->server);
	else
		choose_done(x->server, reached);
	x->server = NULL;
}

void exchange_end(struct exchange *x, bool keep_upstream)
{
	queue_leave(x->pool, x);
	hedge_drop(x);
	exchange_leave(x, x->reached, keep_upstream);
	flow_end(&x->up);
	flow_end(&x->down);
	fields_end(x);
	buf_give(&x->req);
	head_give(&x->head);
	x->s->x = NULL;
	slab_give(&exchanges, x);
}

void exchange_abort(struct exchange *x)
{
	access_who(x->s, ACCESS_CLIENT);
	if (x->server)
		table_add(&x->server->cell->client_aborts, 1);
	exchange_end(x, false);
}

enum exchange_result exchange_refuse(struct exchange *x, unsigned status)
{
	struct session *s = x->s;
	bool tcp = s->listener->mode == CONF_MODE_TCP, close = !x->req_read || !x->client_keep || x->minor == 0;

	access_refused(x, status);
	if (x->answered)
		return answer_cut(x);
	/* Behind an interim answer a final one is in order, but not into the middle of it. */
	bool silent = tcp || buf_size(s->out) > 0;
	witness_refused(x, status);
	exchange_end(x, false);
	if (silent)
		return EXCHANGE_CLOSE;
	session_answer(s, status, close);
	return EXCHANGE_ANSWER;
}

/* ---- connecting ---- */

bool exchange_introduce(const struct exchange *x, const struct upstream *u)
{
	char line[PROXY_HEADER_WRITE_MAX];
	size_t size = preamble_write(line, x->s, x->pool->conf->send_proxy);
	/* In mode http a request follows at once; in mode tcp it may be the server's turn. */
	int more = x->s->listener->mode == CONF_MODE_HTTP ? MSG_MORE : 0;
	ssize_t n = send(u->c.h.fd, line, size, MSG_NOSIGNAL | more);

	/* The socket is new, so its buffer is empty and takes all of it; if it does not, that is not the server's fault. */
	if (n >= 0 && (size_t)n < size)
		errno = ENOBUFS;
	return n == (ssize_t)size;
}

static enum exchange_result connecting(struct exchange *x)
{
	struct conn *u = &x->u->c;
	int err;

	if (u->hup) {
		err = sock_error(u->h.fd);
		if (err)
			return attempt_again(x, attempt_outcome(err), 502);
	}
	if (!u->wr) {
		if (!x->wait_server)
			timer_set(&worker.loop.wheel, &x->u->timer, state_now() + x->pool->conf->connect_timeout_ns);
		x->wait_server = true;
		if (x->pool->conf->hedge_ns)
			hedge_await(x);
		return EXCHANGE_WAIT;
	}
	x->wait_server = false;
	access_connected(x);
	/* Kept, and it has ended, or spoken, before it was asked: nothing has been written to it yet. */
	if (x->u->uses > 0 && u->rd)
		return attempt_again(x, SHM_OUT_WORKER_RESET, 502);
	if (x->u->uses == 0) {
		table_add(&x->server->cell->connects, 1);
		if (x->pool->conf->send_proxy && !exchange_introduce(x, x->u))
			return attempt_again(x, attempt_outcome(errno), 502);
	}
	if (x->s->listener->mode == CONF_MODE_TCP) {
		table_add(&worker.row->requests, 1);
		timer_cancel(&worker.loop.wheel, &x->u->timer);
		learning_answered(x, 0);
		u->rd = true;	/* some servers speak first */
		x->reached = true;
		x->state = X_TUNNEL;
		custody_take(&x->s->c);
	} else
		x->state = X_TALK;
	return EXCHANGE_GO;
}

/* ---- waiting ---- */

/* Sets the timers for what talk() has found to wait for. A deadline moves only when bytes have. */
static enum exchange_result await(struct exchange *x)
{
	struct session *s = x->s;
	const struct conf_listener *l = s->listener;
	uint64_t now = state_now(), moved = x->up.moved + x->down.moved;

	if (s->c.sending || x->u->c.sending)	/* what is to be waited for shows within this turn */
		return EXCHANGE_WAIT;
	if (x->wait_body || x->wait_client) {
		if (conn_arm(&s->c) < 0) {
			exchange_abort(x);
			return EXCHANGE_CLOSE;
		}
		if (x->client_moved != moved + 1) {
			x->client_moved = moved + 1;
			timer_set(&worker.loop.wheel, &s->timer, now + (x->wait_client ? l->send_timeout_ns : l->body_timeout_ns));
		}
	} else {
		x->client_moved = 0;
		if (x->pool->conf->hedge_ns && x->req_sent && !x->answered)
			hedge_await(x);
	}
	if (x->wait_server) {
		if (x->server_moved != moved + 1) {
			x->server_moved = moved + 1;
			timer_set(&worker.loop.wheel, &x->u->timer, now +
			    (x->req_sent && !x->answered ? x->pool->conf->answer_timeout_ns : x->pool->conf->stall_timeout_ns));
		}
	} else
		x->server_moved = 0;
	return EXCHANGE_WAIT;
}

static enum exchange_result talk(struct exchange *x)
{
	enum exchange_result r;
	bool yield = false;

	x->wait_body = x->wait_client = x->wait_server = false;
	if (!x->req_sent && !x->req_broken) {
		r = request_send(x);
		if (r != EXCHANGE_WAIT && r != EXCHANGE_YIELD)
			return r;
		yield = r == EXCHANGE_YIELD;
	}
	r = answer_receive(x);
	if (r == EXCHANGE_WAIT)
		return yield ? EXCHANGE_YIELD : await(x);
	return r;
}

/* ---- from outside ---- */

static enum exchange_result server_too_late(struct exchange *x)
{
	x->timed_out = false;
	if (!x->wait_server)	/* a timer from before; we wait for somebody else */
		return EXCHANGE_GO;
	if (x->state == X_CONNECT)
		return attempt_again(x, SHM_OUT_WORKER_TIMEOUT, 504);
	if (x->answered) {
		access_who(x->s, ACCESS_SERVER_LATE);
		return answer_cut(x);
	}
	return attempt_late(x);
}

/* A reset says so. FIN only says that no more will come; whether who sent it still listens is for the operator to know. */
static bool client_left(const struct exchange *x)
{
	return x->state != X_TUNNEL && (x->s->c.broken || (x->s->c.hup && x->s->listener->abort_on_close));
}

enum exchange_result exchange_run(struct exchange *x)
{
	enum exchange_result r = EXCHANGE_GO;

	while (r == EXCHANGE_GO) {
		if (x->timed_out) {
			r = server_too_late(x);
			continue;
		}
		if (client_left(x)) {	/* spare the server the work */
			exchange_abort(x);
			return EXCHANGE_CLOSE;
		}
		r = x->state == X_QUEUE ? attempt_queued(x) : x->state == X_CONNECT ? connecting(x) :
		    x->state == X_TALK ? talk(x) : tunnel_run(x);
		if (r == EXCHANGE_WAIT && x->hedge)
			r = hedge_run(x);
	}
	/* On its first request a connection is not watched otherwise. An end that was before shows at once. */
	if (r == EXCHANGE_WAIT && x->s->listener->abort_on_close && conn_arm(&x->s->c) < 0) {
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	}
	return r;
}

enum exchange_result exchange_client_timeout(struct exchange *x)
{
	if (x->state == X_QUEUE)
		return attempt_waited(x);
	if (x->state == X_TUNNEL) {
		access_who(x->s, ACCESS_CLIENT_LATE);
		exchange_end(x, false);
		return EXCHANGE_CLOSE;
	}
	if (x->wait_client) {
		access_who(x->s, ACCESS_CLIENT_LATE);
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	}
	if (x->wait_body)
		return exchange_refuse(x, 408);
	return x->hedge_due && !x->answered ? hedge_begin(x) : EXCHANGE_WAIT;
}

void exchange_event(struct exchange *x)
{
	session_run(x->s);
}

void exchange_server_timeout(struct exchange *x, const struct upstream *u)
{
	if (u == x->u)
		x->timed_out = true;
	else
		hedge_late(x);
	session_run(x->s);
}

/* ---- starting ---- */

static struct exchange *start(struct session *s, unsigned pool)
{
	struct exchange *x = slab_take(&exchanges);

	if (x == NULL)
		return NULL;
	memset(x, 0, sizeof *x);
	x->s = s;
	x->pool = &worker.pool[pool];
	x->sticky = -1;
	x->up.splice = x->down.splice = s->listener->splice;
	s->x = x;
	return x;
}

struct exchange *exchange_adopt(struct session *s, struct server *sv, int fd, uint32_t uses)
{
	struct exchange *x = start(s, (unsigned)(sv->pool - worker.pool));

	if (x == NULL) {
		close(fd);
		return NULL;
	}
	x->u = upstream_adopt(sv, x, fd, uses);
	if (x->u == NULL || conn_arm(&x->u->c) < 0) {
		exchange_end(x, false);
		return NULL;
	}
	x->server = sv;
	choose_adopt(sv);
	x->reached = true;
	s->phase = SESSION_EXCHANGE;
	return x;
}

enum exchange_result exchange_start_tcp(struct session *s, unsigned pool)
{
	struct exchange *x = start(s, pool);

	if (x == NULL) {
		access_who(s, ACCESS_RESOURCE);
		return EXCHANGE_CLOSE;
	}
	place_tcp(x);
	x->method = HTTP_GET;	/* nothing has been sent: another server may always be tried */
	return attempt_first(x, 503);
}

/* No request after this one on its connection? RFC 9112 9.3: 1.0 does not know that ours would be kept. */
static bool last_request(const struct session *s, const struct http_head *h)
{
	return !h->keep_alive || s->requests >= s->listener->http.max_requests;
}

/*
 * Requests that we answer ourselves: TRACE when it is off, what is not to be forwarded, what a route answers.
 * True: answered. Else *pool is where it goes.
 */
static bool answer_here(struct session *s, const struct http_head *h, const char *at, unsigned *pool)
{
	const struct conf_listener *l = s->listener;
	int found = l->nroutes ? route_find(l, h, at) : ROUTE_DEFAULT;
	const struct conf_route *r = found >= 0 ? &l->route[found] : NULL;
	bool no_trace = h->method == HTTP_TRACE && !l->http.trace;

	bool serve = r ? r->action == CONF_ROUTE_SERVE : l->serve;

	if (!no_trace && h->max_forwards != 0 && found != ROUTE_AMBIGUOUS && !serve && (!r || r->action == CONF_ROUTE_TO)) {
		*pool = r ? r->pool : l->pool;
		return false;
	}
	/* A body is not worth reading for this: the connection ends behind the answer. */
	bool close = last_request(s, h) || h->minor == 0 || h->framing == HTTP_CHUNKED || h->length > 0;
	if (no_trace || found == ROUTE_AMBIGUOUS)
		session_answer(s, no_trace ? 405 : 400, close);
	else if (session_reply(s, close)) {
		if (h->max_forwards == 0)
			reply_last(s, h, at);
		else if (serve)
			status_serve(s, h, at, r ? r->path_size : 0);
		else
			reply_route(s, r, h, at);
	}
	return true;
}

enum exchange_result exchange_start_http(struct session *s)
{
	const struct conf_listener *l = s->listener;
	struct http_head *h = s->head;
	const char *at = s->c.in->data + s->c.in->at;
	struct http_request_edit edit = { .keep_alive = true };
	struct fields_room room;
	struct exchange *x;
	unsigned pool;

	table_add(&worker.row->requests, 1);
	s->requests++;
	if (answer_here(s, h, at, &pool)) {
		conn_take(&s->c, h->size);
		return EXCHANGE_ANSWER;
	}
	x = start(s, pool);
	if (x == NULL)
		goto unable;
	x->method = h->method;
	x->minor = h->minor;
	x->client_keep = !last_request(s, h);
	x->client_last = !h->keep_alive;
	x->upgrade = h->upgrade;
	x->max_body = l->max_body;
	/* A body that fits is kept with its head until the answer begins: then the request can be repeated. */
	bool large = h->framing == HTTP_CHUNKED ||
	    (h->framing == HTTP_LENGTH && h->length > BUF_SIZE / 2 && h->length <= BUF_LARGE - BUF_SIZE);
	x->req = large ? buf_take_large() : buf_take();
	if (x->req == NULL)
		goto unable;
	place_http(x, h, s->c.in->data + s->c.in->at);
	if (fields_request(x, h, at, &edit, &room) < 0)
		goto unable;
	char called[FIELDS_CALLED_MAX];
	if (h->authority.size == 0)
		edit.host = fields_called(s, called);
	size_t n = http_forward_request(x->req->data, x->req->size, h, at, &edit);
	x->req->end = (uint32_t)n;
	if (n == 0)
		return exchange_refuse(x, 431);
	if (h->framing == HTTP_LENGTH && h->length > l->max_body)
		return exchange_refuse(x, 413);
	conn_take(&s->c, h->size);

	if (h->framing == HTTP_CHUNKED) {
		x->req_chunked = true;
		http_body_start(&x->req_body, HTTP_CHUNKED, 0);
	} else if (h->framing == HTTP_LENGTH)
		x->req_left = h->length;
	x->req_read = !x->req_chunked && x->req_left == 0;
	x->replay = x->req_chunked || x->req_left <= buf_room(x->req);
	/* A body that is not all here has to be read away from the socket. */
	if (x->req_chunked || x->req_left > buf_size(s->c.in))
		custody_take(&s->c);
	else
		custody_ask(&s->c, s->requests - 1);
	return attempt_first(x, 503);
unable:
	if (x)
		exchange_end(x, false);
	session_answer(s, 503, true);
	return EXCHANGE_ANSWER;
}
