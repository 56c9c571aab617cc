/* Bytes both ways, whatever they mean: mode tcp, and after 101. Worker only. */
#include "worker/tunnel.h"

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

enum exchange_result tunnel_run(struct exchange *x)
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
		exchange_end(x, false);
		return EXCHANGE_CLOSE;
	}
	if (before != x->up.moved + x->down.moved || !x->wait_client) {
		x->wait_client = true;
		timer_set(&worker.loop.wheel, &s->timer, state_now() + s->listener->tunnel_timeout_ns);
	}
	return yield ? EXCHANGE_YIELD : EXCHANGE_WAIT;
}
