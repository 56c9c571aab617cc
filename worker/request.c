/* The way of a request to its server. Worker only. */
#include "worker/request.h"

enum exchange_result request_send(struct exchange *x)
{
	struct session *s = x->s;
	uint64_t before = x->up.moved;
	enum flow_result r;

	if (x->req_chunked) {
		r = flow_pump_chunked(&x->up, &x->req_body, &s->c, &x->u->c, x->req, true, &x->req_span, &x->req_read);
		if (x->req_body.total > s->listener->max_body)
			return exchange_refuse(x, 413);
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
		return exchange_refuse(x, 400);
	case FLOW_WRITE_ERROR:
		break;
	}
	/* It takes no more, but may have said why: look for an answer. */
	x->req_broken = true;
	x->u->c.rd = true;
	return EXCHANGE_WAIT;
}
