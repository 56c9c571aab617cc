/*
 * One request and its answer, or one tunnel. Worker only.
 *
 * Both directions go on independently: send_request() moves the request to the server,
 * receive_answer() the answer to the client, and either may wait while the other goes on. What the
 * server must not see twice is guarded by two words: `reached`, set when the first byte of the
 * request has been written to a server, and `replay`, which says that the whole request still stands
 * in x->req.
 */
#include "worker/exchange.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "http/forward.h"
#include "os/log.h"
#include "os/sock.h"

enum state {
	X_CONNECT,	/* the upstream is connecting */
	X_TALK,		/* request out, answer in */
	X_TUNNEL,	/* bytes both ways until both have ended */
};

struct exchange {
	struct session *s;
	struct upstream *u;	/* NULL only while a server is being chosen */
	struct server *server;	/* counted as in flight there */
	struct pool *pool;
	struct tried tried;
	unsigned failures;	/* attempts that failed, but for kept connections found dead */
	uint8_t state;
	uint8_t method;		/* enum http_method */
	uint8_t minor;		/* of the client's HTTP version */
	bool client_keep;	/* the client lets its connection live */
	bool upgrade;		/* asked for another protocol */
	bool timed_out;		/* the upstream's timer has fired */
	bool fresh;		/* a kept connection failed: take a new one */

	/* request */
	struct buf *req;	/* its head as it goes out, and its body if that is held whole; workspace of chunks */
	struct http_body req_body;	/* chunked */
	uint64_t req_left;	/* of a body with a length: bytes not yet taken from the client */
	uint32_t req_span;
	bool req_chunked;
	bool req_read;		/* all of it has been read from the client */
	bool req_sent;		/* all of it has been written to the server */
	bool req_broken;	/* the server takes no more of it; its answer may still come */
	bool reached, replay;
	struct flow up;

	/* answer */
	struct http_head *head;	/* lent while it is coming in */
	struct http_body res_body;
	uint64_t res_left;
	uint32_t res_span;
	uint8_t res_framing;	/* enum http_framing, as the server frames it */
	bool res_chunked;	/* as it goes out */
	bool res_over;
	bool answered;		/* its head has been read and forwarded */
	bool interim;		/* a 1xx has been forwarded */
	bool keep_client, keep_server;
	bool up_over, down_over;	/* tunnel: that direction has ended and said so */
	uint16_t status;
	struct flow down;
	uint32_t seen;		/* bytes of u->c.in that the head's parser has seen */
	uint64_t chosen_ns;	/* given to the server */

	/* what the timers mean: whom the exchange waits for, and how much had moved when it began to */
	bool wait_body, wait_client, wait_server;
	uint64_t client_moved, server_moved;
};

static struct slab exchanges = { .size = sizeof(struct exchange) };
static struct slab heads = { .size = sizeof(struct http_head) };

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

static void end(struct exchange *x, bool keep_upstream)
{
	leave_server(x, x->reached);
	release_upstream(x, keep_upstream);
	flow_end(&x->up);
	flow_end(&x->down);
	buf_give(&x->req);
	if (x->head)
		slab_give(&heads, x->head);
	x->s->x = NULL;
	slab_give(&exchanges, x);
}

void exchange_abort(struct exchange *x)
{
	if (x->server)
		table_add(&x->server->cell->client_aborts, 1);
	end(x, false);
}

/* The balancer answers instead of a server. */
static enum exchange_result refuse(struct exchange *x, unsigned status)
{
	struct session *s = x->s;
	bool tcp = s->listener->mode == CONF_MODE_TCP, close = !x->req_read || !x->client_keep;

	if (x->answered || x->interim || tcp) {
		bool reset = x->answered;
		end(x, false);
		return reset ? EXCHANGE_RESET : EXCHANGE_CLOSE;
	}
	end(x, false);
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
		if (outcome != SHM_OUT_LOCAL) {
			choose_down(sv, outcome);
			upstream_close_idle(sv);
		}
	}
	if (outcome == SHM_OUT_WORKER_TIMEOUT)
		table_add(&sv->cell->timeouts, 1);
	else if (outcome == SHM_OUT_WORKER_RESET)
		table_add(&sv->cell->resets, 1);
	else
		table_add(&sv->cell->connect_failures, 1);
	flow_end(&x->up);
	if (x->head) {
		slab_give(&heads, x->head);
		x->head = NULL;
	}
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
			return refuse(x, status);
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
static enum exchange_result attempt_again(struct exchange *x, enum shm_outcome outcome, unsigned status)
{
	struct server *sv = x->server;
	bool safe = !x->reached || (x->replay && http_idempotent(x->method) && !x->interim);

	attempt_failed(x, outcome);
	if (!safe)
		return refuse(x, status);
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
			return attempt_again(x, outcome_of(err), 502);
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

/* ---- the request ---- */

static enum exchange_result send_request(struct exchange *x)
{
	struct session *s = x->s;
	uint64_t before = x->up.moved;
	enum flow_result r;

	if (x->req_chunked) {
		r = flow_pump_chunked(&x->up, &x->req_body, &s->c, &x->u->c, x->req, true, &x->req_span, &x->req_read);
		if (x->req_body.total > s->listener->max_body)
			return refuse(x, 413);
	} else {
		r = flow_pump(&x->up, &s->c, &x->u->c, x->req, &x->req_left);
		x->req_read = x->req_left == 0;
	}
	if (x->up.moved > before)
		x->reached = true;
	switch (r) {
	case FLOW_DONE:
		x->req_sent = true;
		if (!x->replay)
			buf_give(&x->req);
		return EXCHANGE_WAIT;
	case FLOW_WAIT_READ:
		x->wait_body = true;
		return EXCHANGE_WAIT;
	case FLOW_WAIT_WRITE:
		x->wait_server = true;
		return EXCHANGE_WAIT;
	case FLOW_YIELD:
		return EXCHANGE_YIELD;
	case FLOW_EOF:
	case FLOW_READ_ERROR:
		if (x->answered)	/* early; the client has it, or takes it, and wants to say no more */
			break;
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	case FLOW_BAD:
		x->req_read = false;
		return refuse(x, 400);
	case FLOW_WRITE_ERROR:
		break;
	}
	/* It takes no more, but may have said why: look for an answer. */
	x->req_broken = true;
	x->u->c.rd = true;
	return EXCHANGE_WAIT;
}

/* ---- the answer ---- */

static enum exchange_result invalid_answer(struct exchange *x, const char *why)
{
	table_add(&x->server->cell->invalid, 1);
	log_info("server %s/%s: answer refused: %s", x->pool->conf->name, x->server->conf->name, why);
	return refuse(x, 502);
}

/* The answer ends where it must not, after its beginning has been forwarded. */
static enum exchange_result cut(struct exchange *x)
{
	table_add(&x->server->cell->cuts, 1);
	end(x, false);
	return EXCHANGE_RESET;
}

static bool out_ready(struct session *s)
{
	if (s->out == NULL)
		s->out = buf_take();
	return s->out != NULL;
}

static enum exchange_result forward_interim(struct exchange *x)
{
	struct session *s = x->s;
	struct http_response_edit edit = { .minor = 1, .framing = HTTP_NO_BODY, .keep_alive = true };

	if (x->minor >= 1) {	/* RFC 9110 15.2: not to a client that speaks 1.0 */
		if (!out_ready(s))
			return refuse(x, 502);
		size_t n = http_forward_response(s->out->data + s->out->end, buf_room(s->out), x->head,
		    x->u->c.in->data + x->u->c.in->at, &edit);
		if (n == 0)
			return invalid_answer(x, "interim answers do not fit");
		s->out->end += (uint32_t)n;
		x->interim = true;
		uint64_t none = 0;
		struct conn *u = &x->u->c;
		struct buf *in = u->in;
		u->in = NULL;	/* write what is in `out` only */
		enum flow_result r = flow_pump(&x->down, u, &s->c, s->out, &none);
		u->in = in;
		if (r == FLOW_WRITE_ERROR) {
			exchange_abort(x);
			return EXCHANGE_CLOSE;
		}
		if (r == FLOW_DONE)
			buf_give(&s->out);
		else {
			x->wait_client = true;
			if (conn_arm(&s->c) < 0) {
				exchange_abort(x);
				return EXCHANGE_CLOSE;
			}
		}
	}
	conn_take(&x->u->c, x->head->size);
	http_response_start(x->head, &(struct http_limits){ BUF_SIZE, BUF_SIZE, HTTP_FIELDS_MAX });
	x->seen = 0;
	return EXCHANGE_GO;
}

static void count_answer(struct exchange *x)
{
	struct shm_load *cell = x->server->cell;
	uint64_t took = state_now() - x->chosen_ns, mean = atomic_load_explicit(&cell->latency_ewma_ns, memory_order_relaxed);

	table_add(&cell->responses[x->status / 100], 1);
	table_add(&cell->latency[table_latency_bucket(took)], 1);
	table_add(&cell->latency_sum_ns, took);
	atomic_store_explicit(&cell->latency_ewma_ns, mean ? mean - mean / 8 + took / 8 : took, memory_order_relaxed);
}

/* The final head is whole: decides how the answer goes out and writes its head to s->out. */
static enum exchange_result forward_head(struct exchange *x)
{
	struct session *s = x->s;
	struct http_head *h = x->head;
	struct conn *u = &x->u->c;
	uint8_t framing = h->framing;

	x->status = h->status;
	if (h->status == 101) {
		if (!x->upgrade || !x->req_sent)
			return invalid_answer(x, "101 that nobody asked for");
		framing = HTTP_UNTIL_CLOSE;
	}
	x->res_framing = framing;
	x->res_chunked = framing == HTTP_CHUNKED && x->minor >= 1;
	if (framing == HTTP_CHUNKED) {
		http_body_start(&x->res_body, HTTP_CHUNKED, 0);
		if (!x->res_chunked)
			framing = HTTP_UNTIL_CLOSE;
	}
	x->res_left = framing == HTTP_LENGTH ? h->length : framing == HTTP_UNTIL_CLOSE ? UINT64_MAX : 0;
	x->keep_server = h->keep_alive && x->res_framing != HTTP_UNTIL_CLOSE;
	x->keep_client = x->client_keep && x->req_read && framing != HTTP_UNTIL_CLOSE && !worker.stopping;

	struct http_response_edit edit = {
		.minor = x->minor, .framing = h->status == 101 ? HTTP_NO_BODY : framing,
		.keep_alive = x->keep_client || h->status == 101,
		.head_only = x->method == HTTP_HEAD || h->status == 304,
	};
	if (!out_ready(s))
		return refuse(x, 502);
	size_t n = http_forward_response(s->out->data + s->out->end, buf_room(s->out), h, u->in->data + u->in->at, &edit);
	if (n == 0)
		return invalid_answer(x, "head does not fit");
	s->out->end += (uint32_t)n;
	x->u->announced_s = h->keep_alive_timeout_s;
	conn_take(u, h->size);
	slab_give(&heads, h);
	x->head = NULL;
	x->answered = true;
	x->wait_server = false;
	if (x->req_sent)
		buf_give(&x->req);
	count_answer(x);
	if (h->status == 101) {
		timer_cancel(&worker.loop.wheel, &x->u->timer);
		x->state = X_TUNNEL;
	}
	return EXCHANGE_GO;
}

/* The server's side failed or ended before the head of the answer was whole. */
static enum exchange_result answer_lost(struct exchange *x)
{
	return attempt_again(x, SHM_OUT_WORKER_RESET, 502);
}

static enum exchange_result receive_head(struct exchange *x)
{
	struct conn *u = &x->u->c;

	if (x->head == NULL) {
		x->head = slab_take(&heads);
		if (x->head == NULL)
			return refuse(x, 502);
		http_response_start(x->head, &(struct http_limits){ BUF_SIZE, BUF_SIZE, HTTP_FIELDS_MAX });
		x->seen = 0;
	}
	while (buf_size(u->in) == x->seen) {
		if (!u->rd) {
			x->wait_server = x->wait_server || x->req_sent || x->req_broken;
			return EXCHANGE_WAIT;
		}
		if (buf_size(u->in) == BUF_SIZE)
			return invalid_answer(x, "head too long");
		int n = conn_read(u);
		if (n == 0 || n == CONN_ERROR)
			return answer_lost(x);
	}
	x->seen = buf_size(u->in);
	switch (http_response_parse(x->head, u->in->data + u->in->at, x->seen, x->method)) {
	case HTTP_BAD:
		return invalid_answer(x, x->head->why);
	case HTTP_PARTIAL:
		return EXCHANGE_GO;
	case HTTP_DONE:
		break;
	}
	if (x->head->status < 200 && x->head->status != 101)
		return forward_interim(x);
	return forward_head(x);
}

static enum exchange_result finish(struct exchange *x)
{
	struct session *s = x->s;
	struct conn *u = &x->u->c;
	bool keep = x->keep_server && x->req_sent && !u->hup && !u->eof && buf_size(u->in) == 0;
	bool next = x->keep_client && x->req_read;
	/* Closing at once is safe where the client has nothing more to say; else the kernel would answer
	 * what comes with a reset, and that may overtake the end of our answer. */
	bool close = !x->client_keep && x->req_read && !s->c.rd && s->c.in == NULL;

	buf_give(&s->out);
	end(x, keep);
	return next ? EXCHANGE_NEXT : close ? EXCHANGE_CLOSE : EXCHANGE_LINGER;
}

static enum exchange_result forward_body(struct exchange *x)
{
	struct session *s = x->s;
	struct conn *u = &x->u->c;
	enum flow_result r;

	if (x->res_framing == HTTP_CHUNKED) {
		if (!out_ready(s))
			return cut(x);
		r = flow_pump_chunked(&x->down, &x->res_body, u, &s->c, s->out, x->res_chunked, &x->res_span, &x->res_over);
	} else
		r = flow_pump(&x->down, u, &s->c, s->out, &x->res_left);
	switch (r) {
	case FLOW_DONE:
		return finish(x);
	case FLOW_WAIT_READ:
		if (buf_size(s->out) == 0)
			buf_give(&s->out);
		x->wait_server = true;
		return EXCHANGE_WAIT;
	case FLOW_WAIT_WRITE:
		x->wait_client = true;
		return EXCHANGE_WAIT;
	case FLOW_YIELD:
		return EXCHANGE_YIELD;
	case FLOW_EOF:
		if (x->res_framing == HTTP_UNTIL_CLOSE)
			return finish(x);
		return cut(x);
	case FLOW_READ_ERROR:
		return cut(x);
	case FLOW_BAD:
		table_add(&x->server->cell->invalid, 1);
		return cut(x);
	case FLOW_WRITE_ERROR:
		break;
	}
	exchange_abort(x);
	return EXCHANGE_CLOSE;
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
		r = send_request(x);
		if (r != EXCHANGE_WAIT && r != EXCHANGE_YIELD)
			return r;
		yield = r == EXCHANGE_YIELD;
	}
	if (!x->answered)
		r = receive_head(x);
	else
		r = forward_body(x);
	if (r == EXCHANGE_WAIT)
		return yield ? EXCHANGE_YIELD : await(x);
	return r;
}

/* ---- tunnels ---- */

/* One direction. False: the tunnel is broken. */
static bool tunnel_way(struct flow *f, struct conn *from, struct conn *to, struct buf **head, bool *over, bool *yield)
{
	uint64_t all = UINT64_MAX;

	if (*over)
		return true;
	switch (flow_pump(f, from, to, *head, &all)) {
	case FLOW_EOF:
	case FLOW_DONE:
		*over = true;
		conn_shut(to);
		break;
	case FLOW_YIELD:
		*yield = true;
		break;
	case FLOW_WAIT_READ:
	case FLOW_WAIT_WRITE:
		break;
	default:
		return false;
	}
	if (buf_size(*head) == 0)
		buf_give(head);
	return true;
}

static enum exchange_result tunnel(struct exchange *x)
{
	struct session *s = x->s;
	struct conn *c = &s->c, *u = &x->u->c;
	uint64_t before = x->up.moved + x->down.moved;
	bool yield = false;

	if (!tunnel_way(&x->up, c, u, &x->req, &x->up_over, &yield) ||
	    !tunnel_way(&x->down, u, c, &s->out, &x->down_over, &yield) || conn_arm(c) < 0) {
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	}
	if (x->up_over && x->down_over) {
		if (s->listener->mode == CONF_MODE_TCP)
			table_add(&x->server->cell->responses[0], 1);
		end(x, false);
		return EXCHANGE_CLOSE;
	}
	if (before != x->up.moved + x->down.moved || !x->wait_client) {
		x->wait_client = true;
		timer_set(&worker.loop.wheel, &s->timer, state_now() + s->listener->tunnel_timeout_ns);
	}
	return yield ? EXCHANGE_YIELD : EXCHANGE_WAIT;
}

/* ---- from outside ---- */

static enum exchange_result server_too_late(struct exchange *x)
{
	x->timed_out = false;
	if (!x->wait_server)	/* a timer from before; we wait for somebody else */
		return EXCHANGE_GO;
	if (x->state == X_CONNECT)
		return attempt_again(x, SHM_OUT_WORKER_TIMEOUT, 504);
	if (x->answered)
		return cut(x);
	/* It may still be working on the request: no second try, or a slow request would visit all servers. */
	attempt_failed(x, SHM_OUT_WORKER_TIMEOUT);
	return refuse(x, 504);
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
		r = x->state == X_CONNECT ? connecting(x) : x->state == X_TALK ? talk(x) : tunnel(x);
	}
	return r;
}

enum exchange_result exchange_client_timeout(struct exchange *x)
{
	if (x->state == X_TUNNEL) {
		end(x, false);
		return EXCHANGE_CLOSE;
	}
	if (x->wait_client) {
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	}
	if (x->wait_body)
		return refuse(x, 408);
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
	x->req = buf_take();
	if (x->req == NULL)
		goto unable;
	if (l->forwarded_for)
		edit.forwarded_for = (struct http_text){ peer, session_peer_text(s, peer, sizeof peer) };
	size_t n = http_forward_request(x->req->data, BUF_SIZE, h, at, &edit);
	x->req->end = (uint32_t)n;
	if (n == 0)
		return refuse(x, 431);
	if (h->framing == HTTP_LENGTH && h->length > l->max_body)
		return refuse(x, 413);
	conn_take(&s->c, h->size);

	if (h->framing == HTTP_CHUNKED) {
		x->req_chunked = true;
		http_body_start(&x->req_body, HTTP_CHUNKED, 0);
	} else if (h->framing == HTTP_LENGTH && h->length > 0) {
		x->req_left = h->length;
		/* A small body that is here already is kept with its head: then the request can be repeated. */
		if (h->length <= buf_size(s->c.in) && h->length <= buf_room(x->req)) {
			memcpy(x->req->data + x->req->end, s->c.in->data + s->c.in->at, h->length);
			x->req->end += (uint32_t)h->length;
			conn_take(&s->c, (uint32_t)h->length);
			x->req_left = 0;
		}
	}
	x->req_read = !x->req_chunked && x->req_left == 0;
	x->replay = x->req_read;
	return attempt(x, 503);
unable:
	if (x)
		end(x, false);
	session_answer(s, 503, true);
	return EXCHANGE_ANSWER;
}
