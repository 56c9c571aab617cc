/* The way of a request to its server. Worker only. */
#include "worker/request.h"

#include <string.h>

#include "worker/custody.h"

/* A body that is kept until the answer begins passes through x->req, where it stays when it has been sent. */
static enum flow_result pump_held(struct exchange *x)
{
	struct conn *c = &x->s->c, *u = &x->u->c;
	struct buf *req = x->req;

	for (;;) {
		uint32_t n = buf_size(c->in) < x->req_left ? buf_size(c->in) : (uint32_t)x->req_left;
		if (n > 0) {
			memcpy(req->data + req->end, c->in->data + c->in->at, n);	/* room: see exchange_start_http() */
			req->end += n;
			x->req_left -= n;
			conn_take(c, n);
		}
		if (buf_size(req) > 0) {
			if (!u->wr)
				return FLOW_WAIT_WRITE;
			long sent = conn_write(u, req->data + req->at, buf_size(req), NULL, 0, false);
			if (sent < 0)
				return sent == CONN_AGAIN ? FLOW_WAIT_WRITE : FLOW_WRITE_ERROR;
			x->up.moved += (uint64_t)sent;
			req->at += (uint32_t)sent;
			continue;
		}
		if (x->req_left == 0)
			return FLOW_DONE;
		if (c->eof)
			return FLOW_EOF;
		if (!c->rd)
			return FLOW_WAIT_READ;
		switch (conn_read(c)) {
		case CONN_AGAIN:
			return FLOW_WAIT_READ;
		case CONN_ERROR:
			return FLOW_READ_ERROR;
		}
	}
}

enum exchange_result request_send(struct exchange *x)
{
	struct session *s = x->s;
	uint64_t before = x->up.moved;
	enum flow_result r;

	/* A server is to see what must not be repeated. */
	if (!http_idempotent(x->method))
		custody_take(&s->c);
	if (x->req_chunked) {
		r = flow_pump_chunked(&x->up, &x->req_body, &s->c, &x->u->c, x->req, true, &x->req_span, &x->req_read, &x->replay);
		if (x->req_body.total > x->max_body)
			return exchange_refuse(x, 413);
	} else {
		r = x->replay ? pump_held(x) : flow_pump(&x->up, &s->c, &x->u->c, x->req, &x->req_left);
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
		return exchange_refuse(x, 400);
	case FLOW_WRITE_ERROR:
		break;
	}
	/* It takes no more, but may have said why: look for an answer. */
	x->req_broken = true;
	x->u->c.rd = true;
	return EXCHANGE_WAIT;
}
