/*
 * Servers for a request, one after the other. Worker only.
 *
 * A server that has failed is tried no more for the same request, so the attempts end. What may be
 * tried again is decided here alone:
 *
 *	not a byte of the request was written		always safe
 *	written, and a server may have acted on it	only an idempotent method, the request held
 *							whole (x->replay), nothing forwarded to the client
 *
 * and then it must be wanted (retries, retry-on) and paid for (retry-budget). One thing is neither
 * counted nor paid: a kept connection that the server closed at the moment when it was used. That
 * happens to servers in the best of health (RFC 9112 9.3.1), and is repeated on a new connection.
 */
#include "worker/attempt.h"

#include <errno.h>
#include <string.h>

#include "os/log.h"
#include "worker/access.h"
#include "worker/hedge.h"
#include "worker/learning.h"
#include "worker/queue.h"
#include "worker/witness.h"

#define STALE_NS	CONF_SECOND	/* a kept connection that breaks later than that was not stale when it was taken */

enum shm_outcome attempt_outcome(int err)
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

/* Everything that belonged to the attempt goes; what was written to the server can be written again. */
static void forget_attempt(struct exchange *x)
{
	flow_end(&x->up);
	head_give(&x->head);
	exchange_leave(x, x->reached, false);
	if (x->req)
		x->req->at = 0;
	x->req_sent = x->req_broken = x->reached = false;
	x->seen = 0;
}

bool attempt_failed(struct exchange *x, enum shm_outcome outcome)
{
	struct server *sv = x->server;
	bool stale = x->u && x->u->uses > 0 && outcome == SHM_OUT_WORKER_RESET && state_now() - x->chosen_ns < STALE_NS &&
	    x->seen == 0 && !x->interim;	/* who has begun to answer was not gone */

	if (stale)	/* no fault of the server */
		x->fresh = true;
	else {
		x->fresh = false;
		x->failures++;
		x->how |= SHM_HOW_RETRY;
		access_failed(x, outcome);
		x->blame = (uint8_t)outcome;
		x->blamed = sv->conf->row;
		choose_tried(&x->tried, sv);
		if (outcome != SHM_OUT_LOCAL)
			learning_failed(x);
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
	return stale;
}

/* Whether a further server may be tried after a failure of this kind (enum conf_retry); takes it from the budget. */
static bool paid(struct exchange *x, unsigned kind)
{
	struct pool *p = x->pool;

	if (!(p->conf->retry_on & kind) || x->failures > p->conf->retries || x->failures > p->conf->nservers)
		return false;
	if (!budget_retry(&p->budget, p->conf->retry_budget, state_now())) {
		table_add(&p->line->retries_refused, 1);
		log_warn("pool %s: no retry for a request that a server failed: the retry-budget is used up", p->conf->name);
		return false;
	}
	table_add(&p->line->retries, 1);
	return true;
}

/* At the end of the line, until a server has room. */
static enum exchange_result wait_in_line(struct exchange *x, unsigned status)
{
	struct session *s = x->s;

	if (queue_join(x->pool, x) < 0) {
		access_who(s, ACCESS_PROXY);
		log_warn("pool %s: all servers have their maxconn and the queue is full: a client gets 503", x->pool->conf->name);
		x->blame = SEEN_QUEUE_FULL;
		return exchange_refuse(x, 503);
	}
	x->state = X_QUEUE;
	x->client_moved = 0;	/* the session's timer is ours now: whoever wants it next sets it */
	x->queue_status = (uint16_t)status;
	x->turn = false;
	x->how |= SHM_HOW_QUEUED;
	if (conn_arm(&s->c) < 0) {
		exchange_abort(x);
		return EXCHANGE_CLOSE;
	}
	timer_set(&worker.loop.wheel, &s->timer, state_now() + x->pool->conf->queue_timeout_ns);
	return EXCHANGE_WAIT;
}

static struct server *choose(struct exchange *x, bool *full)
{
	struct ask ask = {
		.tried = &x->tried, .key = x->key, .sticky = x->sticky,
		.how = x->how & (SHM_HOW_RETRY | SHM_HOW_QUEUED | SHM_HOW_HEDGE),
	};

	struct choice c;
	struct server *sv;

	if (x->queued.prev && state_now() > x->queued.since_ns)
		ask.waited_us = (uint32_t)((state_now() - x->queued.since_ns) / 1000);
	sv = choose_server(x->pool, &ask, &c);
	*full = c.full;
	if (sv) {
		x->rule = c.rule;
		x->how = c.how;
		if (c.number)
			witness_choice(x, &c);
	}
	return sv;
}

/* Begins with a server that is counted as ours already. GO, or what failing led to; *failed: try the next. */
static enum exchange_result begin(struct exchange *x, struct server *sv, bool *failed)
{
	*failed = false;
	x->server = sv;
	x->chosen_ns = state_now();
	access_chosen(x);
	learning_asked(x);
	x->reached = x->timed_out = x->wait_server = x->hedge_due = false;
	x->server_moved = 0;
	x->u = upstream_get(sv, x, x->fresh, !http_idempotent(x->method));
	if (x->u && conn_arm(&x->u->c) == 0) {
		x->state = X_CONNECT;
		return EXCHANGE_GO;
	}
	if (attempt_outcome(errno) == SHM_OUT_LOCAL)
		log_error("server %s/%s: no connection can be made: %s; the lack is on this side, the server is not blamed",
		    sv->pool->conf->name, sv->conf->name, strerror(errno));
	attempt_failed(x, attempt_outcome(errno));
	*failed = true;
	if (paid(x, CONF_RETRY_CONNECT)) {
		witness_failed(x, sv, (enum seen_cause)x->blame, SEEN_RETRIED, 0, NULL);
		forget_attempt(x);
		return EXCHANGE_GO;
	}
	forget_attempt(x);
	return exchange_refuse(x, 502);
}

static enum exchange_result attempt(struct exchange *x, unsigned status)
{
	enum exchange_result r;
	bool failed = true;

	do {
		bool full = queue_busy(x->pool);
		struct server *sv = full ? NULL : choose(x, &full);
		if (sv == NULL && full)
			return wait_in_line(x, status);
		if (sv == NULL) {
			x->blame = SEEN_NO_SERVER;
			return exchange_refuse(x, status);
		}
		r = begin(x, sv, &failed);
		status = 502;
	} while (failed && r == EXCHANGE_GO);
	return r;
}

enum exchange_result attempt_first(struct exchange *x, unsigned status)
{
	budget_request(&x->pool->budget, x->pool->conf->retry_budget, state_now());
	return attempt(x, status);
}

enum exchange_result attempt_again(struct exchange *x, enum shm_outcome outcome, unsigned status)
{
	struct server *sv = x->server;
	bool safe = !x->reached || (x->replay && http_idempotent(x->method) && !x->interim);
	unsigned kind = x->state == X_CONNECT ? CONF_RETRY_CONNECT :
	    outcome == SHM_OUT_WORKER_TIMEOUT ? CONF_RETRY_TIMEOUT : CONF_RETRY_RESET;
	bool stale = attempt_failed(x, outcome), reached = x->reached;

	if (x->hedge == NULL && (!safe || (!stale && !paid(x, kind)))) {
		exchange_leave(x, reached, false);
		return exchange_refuse(x, status);
	}
	if (!stale)
		witness_failed(x, sv, (enum seen_cause)x->blame, SEEN_RETRIED, 0, NULL);
	if (!stale || x->hedge)
		table_add(&sv->cell->retries, 1);
	if (hedge_instead(x))		/* paid for, and on its way */
		return EXCHANGE_GO;
	forget_attempt(x);
	return attempt(x, status);
}

enum exchange_result attempt_late(struct exchange *x)
{
	/* It may still be working on the request: a second try only where that was asked for, or a slow request would
	 * visit all servers. */
	return attempt_again(x, SHM_OUT_WORKER_TIMEOUT, 504);
}

/* enum conf_retry of an answer; 0: none. */
static unsigned retry_kind(unsigned status)
{
	switch (status) {
	case 429: return CONF_RETRY_429;
	case 500: return CONF_RETRY_500;
	case 502: return CONF_RETRY_502;
	case 503: return CONF_RETRY_503;
	case 504: return CONF_RETRY_504;
	default: return 0;
	}
}

bool attempt_instead(struct exchange *x, enum exchange_result *r)
{
	unsigned status = x->head->status, kind = retry_kind(status);
	struct server *sv = x->server, *other;
	bool full, failed;

	if (x->hedge && x->pool->conf->retry_on & kind) {
		table_add(&sv->cell->retries, 1);
		table_add(&sv->cell->responses[status / 100], 1);
		learning_answered(x, status);
		*r = EXCHANGE_GO;
		return hedge_instead(x);
	}
	if (!(x->pool->conf->retry_on & kind) || !x->replay || x->interim || !http_idempotent(x->method) ||
	    x->tried.n == CHOOSE_TRIED || queue_busy(x->pool))
		return false;
	choose_tried(&x->tried, sv);
	other = choose(x, &full);	/* first of all: without another one the answer that is here is the best there is */
	if (other == NULL)
		return false;
	x->failures++;
	x->how |= SHM_HOW_RETRY;
	if (!paid(x, kind)) {
		choose_done(other, false);
		return false;
	}
	table_add(&sv->cell->retries, 1);
	table_add(&sv->cell->responses[status / 100], 1);
	witness_failed(x, sv, SEEN_STATUS, SEEN_RETRIED, status, NULL);
	learning_answered(x, status);
	forget_attempt(x);
	x->fresh = false;
	*r = begin(x, other, &failed);
	if (failed && *r == EXCHANGE_GO)
		*r = attempt(x, status);
	return true;
}

/* Out of the line, and on. */
static void called(struct exchange *x, struct server *sv)
{
	struct session *s = x->s;

	x->server = sv;
	x->turn = true;
	queue_leave(x->pool, x);
	timer_cancel(&worker.loop.wheel, &s->timer);
	session_run(s);
}

void exchange_shed(struct exchange *x)
{
	x->queue_status = 503;
	called(x, NULL);
}

bool exchange_turn(struct exchange *x)
{
	uint64_t wait_ns;
	bool full;
	struct server *sv = choose(x, &full);

	/* Where only servers have room that have failed it already, it must not hold up all behind it. */
	if (sv == NULL && full && (x->tried.n == 0 || !choose_room(x->pool)))
		return false;
	wait_ns = loop_clock_ns() - x->queued.since_ns;
	table_add(&x->pool->line->wait_ns, wait_ns);
	queue_waited(x->pool, wait_ns);
	called(x, sv);
	return true;
}

enum exchange_result attempt_queued(struct exchange *x)
{
	enum exchange_result r;
	struct server *sv = x->server;
	bool failed;

	if (!x->turn)
		return EXCHANGE_WAIT;
	x->turn = false;
	if (sv == NULL) {
		x->blame = SEEN_NO_SERVER;
		return exchange_refuse(x, x->queue_status);
	}
	r = begin(x, sv, &failed);
	return failed && r == EXCHANGE_GO ? attempt(x, 502) : r;
}

enum exchange_result attempt_waited(struct exchange *x)
{
	table_add(&x->pool->line->timeouts, 1);
	log_warn("pool %s: no server had room within the queue-timeout: a client gets 503", x->pool->conf->name);
	x->blame = SEEN_QUEUE_LATE;
	return exchange_refuse(x, 503);
}
