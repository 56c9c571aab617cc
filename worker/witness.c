/* What went wrong, written down. Worker only. */
#include "worker/witness.h"

#include <string.h>

#include "worker/access.h"

#define REFILL_NS	(50 * CONF_MS)	/* one record more */
#define BURST		32
#define COMMON		16	/* so many are kept from answers of a status of 500 and more, which may be thousands */

static struct {
	uint64_t since_ns;
	unsigned left;
} budget;

/* Whether one more may be written; counts it if not. */
static bool affordable(enum seen_cause cause)
{
	struct seen_slot *slot = &worker.table->seen[worker.slot];
	uint64_t earned = (state_now() - budget.since_ns) / REFILL_NS;

	if (earned) {
		budget.left = earned + budget.left > BURST ? BURST : budget.left + (unsigned)earned;
		budget.since_ns = state_now();
	}
	if (budget.left > (cause == SEEN_STATUS ? COMMON : 0)) {
		budget.left--;
		return true;
	}
	table_add(&slot->errors_held, 1);
	return false;
}

static struct seen_client client(const struct session *s)
{
	struct seen_client c = { .family = s->peer_family, .port = s->peer_port };

	memcpy(c.addr, s->peer, sizeof c.addr);
	return c;
}

/* The first line of what is at `from`. Returns its size. */
static uint32_t line(char to[static SEEN_TEXT_MAX], const char *from, size_t size)
{
	uint32_t n = 0;

	while (n < size && n < SEEN_TEXT_MAX && from[n] != '\r' && from[n] != '\n')
		n++;
	memcpy(to, from, n);
	return n;
}

/* As far as it is still there: once the answer has begun, or where it is too large to be repeated, it is not. */
static uint32_t request_line(char to[static SEEN_TEXT_MAX], const struct exchange *x)
{
	if (x->req == NULL || x->s->listener->mode == CONF_MODE_TCP || (x->reached && !x->replay))
		return 0;
	return line(to, x->req->data, x->req->end);
}

uint32_t witness_text(const struct session *s, char to[static SEEN_TEXT_MAX])
{
	if (s->log && s->log->request.size)
		return line(to, s->log->text + s->log->request.at, s->log->request.size);
	if (s->x)
		return request_line(to, s->x);
	return s->phase == SESSION_HEAD && s->c.in ? line(to, s->c.in->data + s->c.in->at, buf_size(s->c.in)) : 0;
}

void witness_choice(const struct exchange *x, const struct choice *c)
{
	struct seen_request r = { .number = c->number, .client = client(x->s), .listener = x->s->listener->row };

	r.size = request_line(r.text, x);
	seen_put_request(worker.table, worker.slot, c->how != 0, c->place, &r);
}

static uint32_t micro(uint64_t since_ns)
{
	uint64_t us = state_now() > since_ns ? (state_now() - since_ns) / 1000 : 0;

	return since_ns == 0 || us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void put(const struct session *s, struct seen_error *e, enum seen_cause cause, enum seen_done done, unsigned status,
    const char *why)
{
	e->at_ns = state_now();
	e->client = client(s);
	e->listener = s->listener->row;
	e->cause = (uint32_t)cause;
	e->done = (uint32_t)done;
	e->status = status;
	if (why)
		memcpy(e->why, why, strnlen(why, sizeof e->why));	/* need not end with NUL */
	seen_put_error(worker.table, worker.slot, e);
}

void witness_failed(const struct exchange *x, const struct server *sv, enum seen_cause cause, enum seen_done done, unsigned status,
    const char *why)
{
	struct seen_error e = { .pool = x->pool->conf->row, .server = sv ? sv->conf->row : SEEN_NONE, .failures = x->failures };

	if (!affordable(cause))
		return;
	e.took_us = micro(x->chosen_ns);
	e.size = request_line(e.text, x);
	put(x->s, &e, cause, done, status, why);
}

void witness_refused(struct exchange *x, unsigned status)
{
	struct seen_error e = { .pool = x->pool->conf->row, .server = SEEN_NONE, .failures = x->failures };
	enum seen_cause cause = (enum seen_cause)x->blame;

	if (x->blame == WITNESS_TOLD)
		return;
	if (x->blame == 0)
		cause = status == 503 ? SEEN_NO_SERVER : status == 408 ? SEEN_REQUEST_LATE : status == 400 ? SEEN_BAD_REQUEST :
		    status == 413 || status == 431 ? SEEN_TOO_LARGE : SEEN_NO_MEMORY;
	else if (x->blame < SEEN_OWN)
		e.server = x->blamed;
	if (!affordable(cause))
		return;
	e.took_us = micro(cause == SEEN_QUEUE_LATE ? x->queued.since_ns : cause < SEEN_OWN ? x->chosen_ns : 0);
	e.size = request_line(e.text, x);
	put(x->s, &e, cause, x->s->listener->mode == CONF_MODE_TCP ? SEEN_CLOSED : SEEN_ANSWERED, status, NULL);
}

void witness_request(const struct session *s, enum seen_cause cause, unsigned status, const char *why)
{
	struct seen_error e = { .pool = SEEN_NONE, .server = SEEN_NONE, .took_us = UINT32_MAX };

	if (!affordable(cause))
		return;
	if (s->c.in)
		e.size = line(e.text, s->c.in->data + s->c.in->at, buf_size(s->c.in));
	put(s, &e, cause, SEEN_ANSWERED, status, why);
}
