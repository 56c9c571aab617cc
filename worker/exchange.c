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
#include <unistd.h>

#include "http/forward.h"
#include "os/sock.h"
#include "worker/answer.h"
#include "worker/request.h"
#include "worker/tunnel.h"

static struct slab exchanges = { .size = sizeof(struct exchange) };

/* ---- beginning and end ---- */

static void release_upstream(struct exchange *x, bool keep)
{
	struct upstream *u = x->u;

	x->u = NULL;
	if (u == NULL)
		return;
	if (keep)
		upstream_keep(u);
	else
		upstream_close(u);
}

static void leave_server(struct exchange *x, bool reached)
{
	struct shm_load *cell;

	if (x->server == NULL)
		return;
	cell = x->server->cell;
	table_add(&cell->bytes_to_server, x->up.moved);
	table_add(&cell->bytes_from_server, x->down.moved);
	x->up.moved = x->down.moved = 0;
	choose_done(x->server, reached);
	x->server = NULL;
}

void exchange_end(struct exchange *x, bool keep_upstream)
{
	leave_server(x, x->reached);
	release_upstream(x, keep_upstream);
	flow_end(&x->up);
	flow_end(&x->down);
	buf_give(&x->req);
	head_give(&x->head);
	x->s->x = NULL;
	slab_give(&exchanges, x);
}

void exchange_abort(struct exchange *x)
{
	if (x->server)
		table_add(&x->server->cell->client_aborts, 1);
	exchange_end(x, false);
}

enum exchange_result exchange_refuse(struct exchange *x, unsigned status)
{
	struct session *s = x->s;
	bool tcp = s->listener->mode == CONF_MODE_TCP, close = !x->req_read || !x->client_keep;

	if (x->answered)
		return answer_cut(x);
	bool silent = x->interim || tcp;
	exchange_end(x, false);
	if (silent)
		return EXCHANGE_CLOSE;
	session_answer(s, status, close);
	return EXCHANGE_ANSWER;
}

/* ---- choosing, and choosing again ---- */

static enum shm_outcome outcome_of(int err)
{
	switch (err) {
	case EMFILE: case ENFILE: case ENOMEM: case ENOBUFS: case EADDRNOTAVAIL: case EACCES: case EPERM: case EAFNOSUPPORT:
		return SHM_OUT_LOCAL;	/* says nothing about the server */
	case ETIMEDOUT:
		return SHM_OUT_WORKER_TIMEOUT;
	default:
		return SHM_OUT_WORKER_REFUSED;
	}
}

/* The attempt is over without an answer. Books it; the upstream goes. */
static void attempt_failed(struct exchange *x, enum shm_outcome outcome)
{
	struct server *sv = x->server;
	bool stale = x->u && x->u->uses > 0 && outcome == SHM_OUT_WORKER_RESET;

	if (stale)	/* it closed a connection that was idle, at the moment when we used it: no fault of the server */
		x->fresh = true;
	else {
		x->fresh = false;
		x->failures++;
		choose_tried(&x->tried, sv);
		/* Where a second server hangs up on the same request, the request may be what kills them:
		 * leave the verdict on that server to health, or one request takes a whole pool down. */
		if (outcome != SHM_OUT_LOCAL && !(outcome == SHM_OUT_WORKER_RESET && x->hung_up)) {
			choose_down(sv, outcome);
			upstream_close_idle(sv);
		}
	}
	if (outcome == SHM_OUT_WORKER_TIMEOUT)
		table_add(&sv->cell->timeouts, 1);
	else if (outcome == SHM_OUT_WORKER_RESET) {
		x->hung_up = x->hung_up || !stale;
		table_add(&sv->cell->resets, 1);
	} else
		table_add(&sv->cell->connect_failures, 1);
	flow_end(&x->up);
	head_give(&x->head);
	leave_server(x, x->reached);
	release_upstream(x, false);
}

/*
 * Finds a server and begins a connection to it (EXCHANGE_GO), or answers the client with `status`.
 */
static enum exchange_result attempt(struct exchange *x, unsigned status)
{
	const struct conf_pool *pool = x->pool->conf;

	for (;;) {
		struct server *sv = NULL;
		if (x->failures <= pool->retries && x->failures <= pool->nservers)
			sv = choose_server(x->pool, &x->tried);
		if (sv == NULL)
			return exchange_refuse(x, status);
		x->server = sv;
		x->chosen_ns = state_now();
		x->reached = x->timed_out = x->wait_server = false;
		x->server_moved = 0;
		x->u = upstream_get(sv, x, x->fresh, !http_idempotent(x->method));
		if (x->u && conn_arm(&x->u->c) == 0) {
			x->state = X_CONNECT;
			return EXCHANGE_GO;
		}
		attempt_failed(x, outcome_of(errno));
		status = 502;
	}
}

/* The server failed before its answer began: try another one where that is safe. */
enum exchange_result exchange_again(struct exchange *x, enum shm_outcome outcome, unsigned status)
{
	struct server *sv = x->server;
	bool safe = !x->reached || (x->replay && http_idempotent(x->method) && !x->interim);

	attempt_failed(x, outcome);
	if (!safe)
		return exchange_refuse(x, status);
	table_add(&sv->cell->retries, 1);
	if (x->req)
		x->req->at = 0;
	x->req_sent = x->req_broken = false;
	x->seen = 0;
	return attempt(x, status);
}

static enum exchange_result connecting(struct exchange *x)
{
	struct conn *u = &x->u->c;
	int err;

	if (u->hup) {
		err = sock_error(u->h.fd);
		if (err)
			return exchange_again(x, outcome_of(err), 502);
	}
	if (!u->wr) {
		if (!x->wait_server)
			timer_set(&worker.loop.wheel, &x->u->timer, state_now() + x->pool->conf->connect_timeout_ns);
		x->wait_server = true;
		return EXCHANGE_WAIT;
	}
	x->wait_server = false;
	if (x->u->uses == 0)
		table_add(&x->server->cell->connects, 1);
	if (x->s->listener->mode == CONF_MODE_TCP) {
		table_add(&worker.row->requests, 1);
		timer_cancel(&worker.loop.wheel, &x->u->timer);
		u->rd = true;	/* some servers speak first */
		x->reached = true;
		x->state = X_TUNNEL;
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

	if (x->wait_body || x->wait_client) {
		if (conn_arm(&s->c) < 0) {
			exchange_abort(x);
			return EXCHANGE_CLOSE;
		}
		if (x->client_moved != moved + 1) {
			x->client_moved = moved + 1;
			timer_set(&worker.loop.wheel, &s->timer, now + (x->wait_client ? l->send_timeout_ns : l->body_timeout_ns));
		}
	} else
		x->client_moved = 0;
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
		return exchange_again(x, SHM_OUT_WORKER_TIMEOUT, 504);
	if (x->answered)
		return answer_cut(x);
	/* It may still be working on the request: no second try, or a slow request would visit all servers. */
	attempt_failed(x, SHM_OUT_WORKER_TIMEOUT);
	return exchange_refuse(x, 504);
}

enum exchange_result exchange_run(struct exchange *x)
{
	enum exchange_result r = EXCHANGE_GO;

	while (r == EXCHANGE_GO) {
		if (x->timed_out) {
			r = server_too_late(x);
			continue;
		}
		if (x->s->c.broken && x->state != X_TUNNEL) {	/* the client is gone: spare the server the work */
			exchange_abort(x);
			return EXCHANGE_CLOSE;
		}
		r = x->state == X_CONNECT ? connecting(x) : x->state == X_TALK ? talk(x) : tunnel_run(x);
	}
	return r;
}

enum exchange_result exchange_client_timeout(struct exchange *x)
{
	if (x->state == X_TUNNEL) {
		exchange_end(x, false);
		return EXCHANGE_CLOSE;
	}
	if (x->wait_client) {
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	}
	if (x->wait_body)
		return exchange_refuse(x, 408);
	return EXCHANGE_WAIT;
}

void exchange_event(struct exchange *x)
{
	session_run(x->s);
}

void exchange_server_timeout(struct exchange *x)
{
	x->timed_out = true;
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
	/* Only what has been sent whole and is being answered, or a tunnel, ever moves. */
	x->req_read = x->req_sent = x->reached = x->answered = true;
	s->phase = SESSION_EXCHANGE;
	return x;
}

enum exchange_result exchange_start_tcp(struct session *s)
{
	struct exchange *x = start(s, s->listener->pool);

	if (x == NULL)
		return EXCHANGE_CLOSE;
	x->method = HTTP_GET;	/* nothing has been sent: another server may always be tried */
	return attempt(x, 503);
}

/* Host names compare without case, and without the port. */
static bool host_matches(const struct conf_route *r, const char *host, size_t size)
{
	const char *colon = memrchr(host, ':', size);

	if (colon && memchr(colon, ']', size - (size_t)(colon - host)) == NULL)
		size = (size_t)(colon - host);
	if (r->value_size > 2 && r->value[0] == '*' && r->value[1] == '.') {
		size_t tail = r->value_size - 1;	/* with its dot */
		return size > tail && strncasecmp(host + size - tail, r->value + 1, tail) == 0;
	}
	return size == r->value_size && strncasecmp(host, r->value, size) == 0;
}

static unsigned route(const struct conf_listener *l, const struct http_head *h, const char *at)
{
	for (unsigned i = 0; i < l->nroutes; i++) {
		const struct conf_route *r = &l->route[i];
		if (r->match == CONF_MATCH_PATH) {
			if (h->target.size >= r->value_size && memcmp(at + h->target.at, r->value, r->value_size) == 0)
				return r->pool;
		} else if (host_matches(r, at + h->authority.at, h->authority.size))
			return r->pool;
	}
	return l->pool;
}

enum exchange_result exchange_start_http(struct session *s)
{
	const struct conf_listener *l = s->listener;
	struct http_head *h = s->head;
	const char *at = s->c.in->data + s->c.in->at;
	struct http_request_edit edit = { .keep_alive = true };
	char peer[64];
	struct exchange *x;

	table_add(&worker.row->requests, 1);
	s->requests++;
	x = start(s, l->nroutes ? route(l, h, at) : l->pool);
	if (x == NULL)
		goto unable;
	x->method = h->method;
	x->minor = h->minor;
	x->client_keep = h->keep_alive;
	x->upgrade = h->upgrade;
	/* A body that fits is kept with its head until the answer begins: then the request can be repeated. */
	bool large = h->framing == HTTP_CHUNKED ||
	    (h->framing == HTTP_LENGTH && h->length > BUF_SIZE / 2 && h->length <= BUF_LARGE - BUF_SIZE);
	x->req = large ? buf_take_large() : buf_take();
	if (x->req == NULL)
		goto unable;
	if (l->forwarded_for) {
		edit.forwarded_for.at = peer;
		edit.forwarded_for.size = session_peer_text(s, peer, sizeof peer);
	}
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
	return attempt(x, 503);
unable:
	if (x)
		exchange_end(x, false);
	session_answer(s, 503, true);
	return EXCHANGE_ANSWER;
}
