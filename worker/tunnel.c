/* Bytes both ways, whatever they mean: mode tcp, and after 101. Worker only. */
#include "worker/tunnel.h"

#include <errno.h>

#include "worker/access.h"

/*
 * Ends are passed on as they came: FIN as FIN, each direction by itself, and a reset as a reset, so that
 * neither side takes a part for the whole. Where one side takes no more, what it had said before is still
 * read to its end.
 */

enum way { WAY_ON, WAY_YIELD, WAY_RESET };

/* One direction, which may end. WAY_RESET: the one that bytes come from was cut off. */
static enum way move_on(struct flow *f, struct conn *from, struct conn *to, struct buf **head, bool *over)
{
	uint64_t all = UINT64_MAX;
	enum way way = WAY_ON;

	/* As a rule only the other direction has something to do. */
	if (*over || to->sending || (!from->rd && !from->in && !from->eof && !f->pipe && !*head))
		return WAY_ON;
	switch (flow_pump(f, from, to, *head, &all)) {
	case FLOW_EOF:
	case FLOW_DONE:
		if (from->cut)
			return WAY_RESET;
		*over = true;
		conn_shut(to);
		break;
	case FLOW_YIELD:
		way = WAY_YIELD;
		break;
	case FLOW_WAIT_READ:
	case FLOW_WAIT_WRITE:
		break;
	case FLOW_WRITE_ERROR:
		/* Nobody takes it. What `to` has sent may lie in its socket yet, and behind that its end or a reset; the
		 * kernel tells of a reset once, and here it is EPIPE instead where FIN had come before. */
		to->cut = errno == ECONNRESET;
		*over = true;
		flow_end(f);
		buf_give(&from->in);
		buf_give(head);
		to->rd = true;
		return WAY_ON;
	case FLOW_READ_ERROR:
	case FLOW_BAD:
		return WAY_RESET;
	}
	if (buf_size(*head) == 0)
		buf_give(head);
	return way;
}

/* It is gone, and not only its half: we have not sent FIN, and still both directions are closed. */
static bool is_gone(const struct conn *c, bool read_to_its_end)
{
	return c->broken && !c->shut && read_to_its_end;
}

static enum exchange_result client_gone(struct exchange *x)
{
	conn_reset(&x->u->c);
	exchange_abort(x);
	return EXCHANGE_CLOSE;
}

enum exchange_result tunnel_run(struct exchange *x)
{
	struct session *s = x->s;
	struct conn *c = &s->c, *u = &x->u->c;
	uint64_t before = x->up.moved + x->down.moved;
	enum way up, down;

	up = move_on(&x->up, c, u, &x->req, &x->up_over);
	if (up == WAY_RESET)
		return client_gone(x);
	down = move_on(&x->down, u, c, &s->out, &x->down_over);
	if (down == WAY_RESET) {
		access_who(s, ACCESS_SERVER);
		table_add(&x->server->cell->cuts, 1);
		exchange_end(x, false);
		return EXCHANGE_RESET;
	}
	if (x->up_over && x->down_over) {
		bool taken = u->shut;	/* all that the client said; else it may be saying more */

		if (s->listener->mode == CONF_MODE_TCP)
			table_add(&x->server->cell->responses[0], 1);
		exchange_end(x, false);
		return taken ? EXCHANGE_CLOSE : EXCHANGE_LINGER;
	}
	if (is_gone(c, x->up_over))
		return client_gone(x);
	if (is_gone(u, x->down_over)) {
		access_who(s, ACCESS_SERVER);
		exchange_end(x, false);
		return EXCHANGE_LINGER;
	}
	if (c->sending || u->sending)
		return up == WAY_YIELD || down == WAY_YIELD ? EXCHANGE_YIELD : EXCHANGE_WAIT;
	if (conn_arm(c) < 0) {
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	}
	if (before != x->up.moved + x->down.moved || !x->wait_client) {
		x->wait_client = true;
		timer_set(&worker.loop.wheel, &s->timer, state_now() + s->listener->tunnel_timeout_ns);
	}
	return up == WAY_YIELD || down == WAY_YIELD ? EXCHANGE_YIELD : EXCHANGE_WAIT;
}
