/*
 * Hedging. Worker only.
 *
 * An exchange has one attempt at a time: a server, a connection to it, what has been sent, what has been heard. A hedge
 * is a second attempt, kept beside the exchange until one of the two is over. Whatever books an attempt (attempt.c,
 * learning.c, exchange_leave()) knows only the exchange's own, so the two change places for that, and back.
 *
 * Until the head of a final answer is whole in the copy's own buffer, the copy is nobody's but ours. Then the two change
 * places for good, the other is let go (its connection is closed: HTTP/1.1 has no other way to call a
 * request off), and the exchange goes on as if it had never had another: it reads that head as it reads any.
 * So there is no moment at which bytes of both could go to the client.
 *
 *	only where repeating is safe	an idempotent method, all of the request held in x->req, not an upgrade
 *	only before an answer		nothing of one has come, no interim answer, either
 *	only once			for a request, however many servers it visits
 *	only elsewhere			not where its cookie binds it to a server; never at the end of a queue
 *	only as the budget allows	the pool's retry-budget
 *
 * A copy that fails, or is answered 5xx, 429 or by an interim answer, is let go: the first one may do better.
 * If the first one fails, the copy takes its place instead of a retry.
 */
#include "worker/hedge.h"

#include <errno.h>

#include "os/sock.h"
#include "worker/attempt.h"
#include "worker/learning.h"
#include "worker/witness.h"

/* An attempt as the exchange has it; and what becomes of the exchange's state if this one is to be its own. */
struct hedge {
	struct upstream *u;
	struct server *server;
	struct http_head *head;
	uint64_t chosen_ns, sent;
	uint32_t at, seen;
	uint16_t how;
	uint8_t rule;
	bool asked, reached;
	bool connected;
	bool timed_out;
};

static struct slab hedges = { .size = sizeof(struct hedge) };

#define EXCHANGE_PLACES(a, b) do { __typeof__(a) held = (a); (a) = (b); (b) = held; } while (0)

static void change_places(struct exchange *x)
{
	struct hedge *h = x->hedge;

	EXCHANGE_PLACES(x->u, h->u);
	EXCHANGE_PLACES(x->server, h->server);
	EXCHANGE_PLACES(x->head, h->head);
	EXCHANGE_PLACES(x->chosen_ns, h->chosen_ns);
	EXCHANGE_PLACES(x->up.moved, h->sent);
	EXCHANGE_PLACES(x->req->at, h->at);
	EXCHANGE_PLACES(x->seen, h->seen);
	EXCHANGE_PLACES(x->how, h->how);
	EXCHANGE_PLACES(x->rule, h->rule);
	EXCHANGE_PLACES(x->asked, h->asked);
	EXCHANGE_PLACES(x->reached, h->reached);
}

/* ---- when ---- */

static uint64_t wait_ns(const struct pool *p)
{
	return p->conf->hedge_ns == CONF_HEDGE_LEARNED ? quantile_ns(&p->late) : p->conf->hedge_ns;
}

void hedge_await(struct exchange *x)
{
	uint64_t wait = wait_ns(x->pool);

	if (wait == 0 || x->hedged || x->hedge_due || !x->replay || !x->req_read || x->interim || x->upgrade ||
	    x->seen > 0 || x->sticky >= 0 || !http_idempotent(x->method) || x->s->listener->mode != CONF_MODE_HTTP ||
	    x->pool->conf->nservers < 2)
		return;
	x->hedge_due = true;
	timer_set(&worker.loop.wheel, &x->s->timer, x->chosen_ns + wait);
}

/* What the workers before us, or beside us, have learned: better than to begin with nothing. */
static void learn_from_others(struct pool *p)
{
	const struct table *t = worker.table;
	uint64_t late = 0;

	for (uint32_t slot = table_next_live(t, 0); slot < t->max_workers; slot = table_next_live(t, slot + 1)) {
		uint64_t theirs = atomic_load_explicit(&table_queue(t, slot)[p->conf->row].late_ns, memory_order_relaxed);
		late = theirs > late ? theirs : late;
	}
	if (late)
		p->late = (struct quantile){ .ns = (float)late, .answers = QUANTILE_ENOUGH };
}

static void learn(struct exchange *x, uint64_t took_ns)
{
	struct pool *p = x->pool;

	if (p->late.answers == 0)
		learn_from_others(p);
	quantile_learn(&p->late, took_ns);
	atomic_store_explicit(&p->line->late_ns, quantile_ns(&p->late), memory_order_relaxed);
}

void hedge_learn(struct exchange *x)
{
	/* Of one that the copy answered it is known already, see win(); and failing fast is not being fast. */
	if (x->pool->conf->hedge_ns == CONF_HEDGE_LEARNED && !x->hedge_won && x->status < 500)
		learn(x, state_now() - x->chosen_ns);
}

/* ---- the end of one of the two ---- */

/* What is beside the exchange goes. */
static void leave_other(struct exchange *x)
{
	change_places(x);
	head_give(&x->head);
	exchange_leave(x, x->reached, false);
	change_places(x);
}

static void forget(struct exchange *x)
{
	slab_give(&hedges, x->hedge);
	x->hedge = NULL;
}

void hedge_drop(struct exchange *x)
{
	if (x->hedge == NULL)
		return;
	leave_other(x);
	forget(x);
}

/* The copy's server failed it. */
static enum exchange_result fail(struct exchange *x, enum shm_outcome outcome)
{
	change_places(x);
	attempt_failed(x, outcome);
	change_places(x);
	hedge_drop(x);
	return EXCHANGE_WAIT;
}

/* The two have changed places, and the other is gone: the exchange goes on where the copy has got to. */
static void take_over(struct exchange *x)
{
	struct hedge *h = x->hedge;

	head_give(&x->head);	/* it is read once more, by the exchange itself */
	x->seen = 0;
	x->state = h->connected ? X_TALK : X_CONNECT;
	x->req_sent = h->connected && buf_size(x->req) == 0;
	x->req_broken = x->wait_server = x->timed_out = false;
	x->server_moved = 0;
	x->hedge_won = true;
	table_add(&x->pool->line->hedges_won, 1);
	forget(x);
}

static enum exchange_result win(struct exchange *x)
{
	/* That the first one has taken longer than what is late is all that is ever known of it, and enough. */
	if (x->pool->conf->hedge_ns == CONF_HEDGE_LEARNED)
		learn(x, state_now() - x->chosen_ns);
	change_places(x);
	leave_other(x);
	take_over(x);
	return EXCHANGE_GO;
}

bool hedge_instead(struct exchange *x)
{
	if (x->hedge == NULL)
		return false;
	change_places(x);
	leave_other(x);
	take_over(x);
	return true;
}

/* ---- on its way ---- */

enum exchange_result hedge_begin(struct exchange *x)
{
	struct tried tried = x->tried;
	struct ask ask = { .tried = &tried, .key = x->key, .sticky = -1, .how = SHM_HOW_HEDGE };
	struct pool *p = x->pool;
	struct server *sv = NULL;
	struct choice c;
	struct hedge *h;

	x->hedge_due = false;
	if (x->seen > 0 || x->interim || x->server == NULL || (x->state != X_TALK && x->state != X_CONNECT))
		return EXCHANGE_WAIT;
	x->hedged = true;
	choose_tried(&tried, x->server);
	if (tried.n < CHOOSE_TRIED && !queue_busy(p))
		sv = choose_server(p, &ask, &c);
	if (sv && budget_retry(&p->budget, p->conf->retry_budget, state_now()))
		h = slab_take(&hedges);
	else
		h = NULL;
	if (h == NULL) {
		if (sv)
			choose_done(sv, false);
		table_add(&p->line->hedges_refused, 1);
		return EXCHANGE_WAIT;
	}
	table_add(&p->line->hedges, 1);
	*h = (struct hedge){ .server = sv, .chosen_ns = state_now(), .rule = c.rule, .how = c.how };
	if (c.number)
		witness_choice(x, &c);
	x->hedge = h;
	change_places(x);
	learning_asked(x);
	change_places(x);
	h->u = upstream_get(sv, x, false, false);
	if (h->u == NULL || conn_arm(&h->u->c) < 0)
		return fail(x, attempt_outcome(errno));
	if (conn_arm(&x->s->c) < 0) {	/* two servers at work: it must be heard when nobody waits for them any more */
		hedge_drop(x);
		return EXCHANGE_WAIT;
	}
	timer_set(&worker.loop.wheel, &h->u->timer, state_now() + p->conf->connect_timeout_ns);
	return hedge_run(x);
}

void hedge_late(struct exchange *x)
{
	x->hedge->timed_out = true;
}

/* Connected, or found not to be. False: what to return is in *r. */
static bool connect_done(struct exchange *x, enum exchange_result *r)
{
	struct hedge *h = x->hedge;
	struct conn *u = &h->u->c;
	int err = u->hup ? sock_error(u->h.fd) : 0;

	*r = EXCHANGE_WAIT;
	if (err) {
		*r = fail(x, attempt_outcome(err));
		return false;
	}
	if (!u->wr)
		return false;
	if (h->u->uses > 0 && u->rd) {	/* kept, and it has ended: see connecting() in exchange.c */
		*r = fail(x, SHM_OUT_WORKER_RESET);
		return false;
	}
	if (h->u->uses == 0) {
		table_add(&h->server->cell->connects, 1);
		if (x->pool->conf->send_proxy && !exchange_introduce(x, h->u)) {
			*r = fail(x, attempt_outcome(errno));
			return false;
		}
	}
	h->connected = true;
	timer_set(&worker.loop.wheel, &h->u->timer, state_now() + x->pool->conf->answer_timeout_ns);
	return true;
}

/* Whether all of the request has been written. */
static bool send_copy(struct exchange *x)
{
	struct hedge *h = x->hedge;
	struct conn *u = &h->u->c;

	while (h->at < x->req->end && u->wr) {
		long n = conn_write(u, x->req->data + h->at, x->req->end - h->at, NULL, 0, false);
		if (n == CONN_ERROR)
			u->rd = true;	/* reading shows what it is */
		if (n <= 0)
			break;
		h->at += (uint32_t)n;
		h->sent += (uint64_t)n;
		h->reached = true;
	}
	return h->at == x->req->end;
}

/* The head of the copy's answer is whole. */
static enum exchange_result judge(struct exchange *x)
{
	struct hedge *h = x->hedge;
	unsigned status = h->head->status;

	if (status >= 200 && status < 500 && status != 429)
		return win(x);
	if (status >= 200) {
		table_add(&h->server->cell->responses[status / 100], 1);
		change_places(x);
		learning_answered(x, status);
		change_places(x);
	}
	hedge_drop(x);
	return EXCHANGE_WAIT;
}

static enum exchange_result receive(struct exchange *x)
{
	struct hedge *h = x->hedge;
	struct conn *u = &h->u->c;

	while (u->rd) {
		if (buf_size(u->in) == BUF_SIZE)
			goto invalid;
		int n = conn_read(u);
		if (n == CONN_AGAIN)
			break;
		if (n == 0 || n == CONN_ERROR)
			return fail(x, SHM_OUT_WORKER_RESET);
		if (h->head == NULL) {
			h->head = head_take();
			if (h->head == NULL) {
				hedge_drop(x);
				return EXCHANGE_WAIT;
			}
			http_response_start(h->head, &(struct http_limits){ BUF_SIZE, BUF_SIZE, HTTP_FIELDS_MAX });
		}
		h->seen = buf_size(u->in);
		switch (http_response_parse(h->head, u->in->data + u->in->at, h->seen, x->method)) {
		case HTTP_BAD:
			goto invalid;
		case HTTP_DONE:
			return judge(x);
		case HTTP_PARTIAL:
			break;
		}
	}
	return EXCHANGE_WAIT;
invalid:
	table_add(&h->server->cell->invalid, 1);
	change_places(x);
	learning_failed(x);
	change_places(x);
	hedge_drop(x);
	return EXCHANGE_WAIT;
}

enum exchange_result hedge_run(struct exchange *x)
{
	struct hedge *h = x->hedge;
	enum exchange_result r;

	if (h->timed_out)
		return fail(x, SHM_OUT_WORKER_TIMEOUT);
	if (!h->connected && !connect_done(x, &r))
		return r;
	return send_copy(x) || h->u->c.rd ? receive(x) : EXCHANGE_WAIT;
}
