/* The way of an answer to its client. Worker only. */
#include "worker/answer.h"

#include "http/forward.h"
#include "http/meaning.h"
#include "os/log.h"
#include "worker/access.h"
#include "worker/attempt.h"
#include "worker/custody.h"
#include "worker/date.h"
#include "worker/fields.h"
#include "worker/hedge.h"
#include "worker/learning.h"
#include "worker/place.h"
#include "worker/witness.h"

static enum exchange_result invalid_answer(struct exchange *x, const char *why)
{
	access_who(x->s, ACCESS_PROXY);
	table_add(&x->server->cell->invalid, 1);
	learning_failed(x);
	log_warn("server %s/%s: an answer is refused: %s; %s", x->pool->conf->name, x->server->conf->name, why,
	    x->hedge ? "the copy at another server goes on" : "the client gets 502");
	witness_failed(x, x->server, SEEN_INVALID, x->hedge ? SEEN_RETRIED : SEEN_ANSWERED, 502, why);
	if (hedge_instead(x))
		return EXCHANGE_GO;
	x->blame = WITNESS_TOLD;
	return exchange_refuse(x, 502);
}

/*
 * A client that counts, or waits for the last chunk, sees at FIN that something is missing, and keeps
 * what it got. One for which the end of the connection is the end of the answer sees it only at a reset.
 */
enum exchange_result answer_cut(struct exchange *x)
{
	bool counted = x->res_framing == HTTP_LENGTH || x->res_chunked;

	access_who(x->s, ACCESS_SERVER);
	log_info("server %s/%s: an answer ends in the middle, after %llu bytes; the client's connection is closed, so that it shows",
	    x->pool->conf->name, x->server->conf->name, (unsigned long long)x->down.moved);
	table_add(&x->server->cell->cuts, 1);
	witness_failed(x, x->server, SEEN_CUT, SEEN_CLOSED, x->status, NULL);
	learning_failed(x);
	exchange_end(x, false);
	return counted ? EXCHANGE_CLOSE : EXCHANGE_RESET;
}

static bool out_ready(struct session *s)
{
	if (s->out == NULL)
		s->out = buf_take();
	return s->out != NULL;
}

/*
 * Interim answers in s->out, as far as the client takes them. WAIT: that was all for now. Not put off: what has gone by the
 * time the server fails decides whether we may answer instead.
 */
static enum exchange_result send_interim(struct exchange *x)
{
	struct session *s = x->s;

	while (buf_size(s->out) > 0 && s->c.wr) {
		long n = conn_write_now(&s->c, s->out->data + s->out->at, buf_size(s->out), NULL, 0, false);
		if (n == CONN_ERROR) {
			exchange_abort(x);
			return EXCHANGE_CLOSE;
		}
		if (n > 0) {
			s->out->at += (uint32_t)n;
			x->down.moved += (uint64_t)n;
		}
	}
	if (buf_size(s->out) == 0)
		buf_give(&s->out);
	else
		x->wait_client = true;
	return EXCHANGE_WAIT;
}

static enum exchange_result forward_interim(struct exchange *x)
{
	struct session *s = x->s;
	struct http_response_edit edit = { .minor = 1, .framing = HTTP_NO_BODY, .keep_alive = true };

	if (x->minor >= 1) {	/* RFC 9110 15.2: not to a client that speaks 1.0 */
		if (!out_ready(s))
			return exchange_refuse(x, 502);
		size_t n = http_forward_response(s->out->data + s->out->end, buf_room(s->out), x->head,
		    x->u->c.in->data + x->u->c.in->at, &edit);
		if (n == 0)
			return invalid_answer(x, "interim answers do not fit");
		s->out->end += (uint32_t)n;
		access_interim(x, n);
		custody_take(&s->c);
	}
	x->interim = true;
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
	learning_answered(x, x->status);
	if (x->pool->conf->hedge_ns)
		hedge_learn(x);
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
	x->keep_server = h->keep_alive && x->res_framing != HTTP_UNTIL_CLOSE && !x->foreign;
	x->keep_client = x->client_keep && x->req_read && framing != HTTP_UNTIL_CLOSE && !worker.stopping;

	x->down.fin = !x->keep_client && framing != HTTP_UNTIL_CLOSE;	/* see finish() */

	struct http_response_edit edit = {
		.minor = x->minor, .framing = h->status == 101 ? HTTP_NO_BODY : framing,
		.keep_alive = x->keep_client || h->status == 101,
		.head_only = x->method == HTTP_HEAD || h->status == 304,
	};
	struct fields_room room;

	if (!out_ready(s))
		return exchange_refuse(x, 502);
	uint32_t before = s->out->end;
	if (date_wanted() && !(h->seen & HTTP_BIT(HTTP_F_DATE)))
		edit.date = date_now();
	fields_response(x, h, u->in->data + u->in->at, &edit, &room);
	size_t n = http_forward_response(s->out->data + s->out->end, buf_room(s->out), h, u->in->data + u->in->at, &edit);
	if (n == 0)
		return invalid_answer(x, "head does not fit");
	s->out->end += (uint32_t)n;
	custody_take(&s->c);
	place_cookie(x, s->out);
	access_answered(x, s->out->end - before);
	x->u->announced_s = h->keep_alive_timeout_s;
	conn_take(u, h->size);
	head_give(&x->head);
	x->answered = true;
	x->wait_server = false;
	if (x->status >= 500)
		witness_failed(x, x->server, SEEN_STATUS, SEEN_PASSED, x->status, NULL);
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
	enum exchange_result r;

	if (x->head == NULL) {
		x->head = head_take();
		if (x->head == NULL)
			return exchange_refuse(x, 502);
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
	if (x->head->status >= 429 && attempt_instead(x, &r))
		return r;
	hedge_drop(x);		/* from here on the answer is this server's */
	return x->head->status < 200 && x->head->status != 101 ? forward_interim(x) : forward_head(x);
}

static enum exchange_result finish(struct exchange *x)
{
	struct session *s = x->s;
	struct conn *u = &x->u->c;
	bool keep = x->keep_server && x->req_sent && !u->hup && !u->eof && buf_size(u->in) == 0;
	bool next = x->keep_client && x->req_read;
	/* Closing at once is safe where the client has nothing more to say; else the kernel would answer
	 * what comes with a reset, and that may overtake the end of our answer. */
	bool close = x->client_last && x->req_read && !s->c.rd && s->c.in == NULL;

	/* What was kept back goes out now, with FIN: close() alone would drop it for a reset if the client has
	 * sent something in the meantime that nobody reads. */
	if (close && x->down.fin)
		conn_shut(&s->c);
	buf_give(&s->out);
	exchange_end(x, keep);
	return next ? EXCHANGE_NEXT : close ? EXCHANGE_CLOSE : EXCHANGE_LINGER;
}

static enum exchange_result forward_body(struct exchange *x)
{
	struct session *s = x->s;
	struct conn *u = &x->u->c;
	enum flow_result r;

	if (x->res_framing == HTTP_CHUNKED) {
		if (!out_ready(s))
			return answer_cut(x);
		r = flow_pump_chunked(&x->down, &x->res_body, u, &s->c, s->out, x->res_chunked, &x->res_span, &x->res_over, NULL);
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
		return answer_cut(x);
	case FLOW_READ_ERROR:
		return answer_cut(x);
	case FLOW_BAD:
		access_who(s, ACCESS_PROXY);
		table_add(&x->server->cell->invalid, 1);
		return answer_cut(x);
	case FLOW_WRITE_ERROR:
		break;
	}
	exchange_abort(x);
	return EXCHANGE_CLOSE;
}

enum exchange_result answer_receive(struct exchange *x)
{
	enum exchange_result r = EXCHANGE_WAIT;

	if (x->answered)
		return forward_body(x);
	if (buf_size(x->s->out) > 0)
		r = send_interim(x);
	return r == EXCHANGE_WAIT ? receive_head(x) : r;
}
