/*
 * The status page and what lies behind it. Worker only.
 *
 * /status.json and /metrics are written from a look at the table that stays the same from the first byte to
 * the last. Looks are shared by those who ask within STATUS_FRESH_NS, there are at most STATUS_LOOKS of them, and
 * whoever comes when all are in use gets 503: memory stays bounded, however many slow clients there are. A look
 * is taken some servers a turn, and written some buffers a turn, so that requests go on in between.
 * /history.json reads the rings of the table as it goes: what was does not change, it only goes away.
 *
 * An answer takes at most STATUS_DEADLINE_NS in all, whatever its client does.
 */
#include "worker/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/forward.h"
#include "ipc/history_json.h"
#include "ipc/metrics.h"
#include "ipc/view_json.h"
#include "os/log.h"
#include "worker/access.h"
#include "worker/fields.h"
#include "worker/reply.h"
#include "worker/route.h"
#include "worker/status_page.h"

#define STATUS_FRESH_NS		(200 * CONF_MS)
#define STATUS_LOOKS		4
#define STATUS_STREAMS		64		/* answers under way */
#define STATUS_DEADLINE_NS	(60 * CONF_SECOND)
#define STATUS_TURN_CELLS	768		/* of servers times workers, looked at in a turn */
#define STATUS_TURN_BUFFERS	2		/* written in a turn */
#define STATUS_STEP_MAX		10240
#define CHUNK_HEAD		6		/* "3f00\r\n" */
#define CHUNK_TAIL		7		/* "\r\n", and the last chunk */

_Static_assert(METRICS_STEP_MAX <= STATUS_STEP_MAX && VIEW_JSON_STEP_MAX <= STATUS_STEP_MAX &&
    HISTORY_JSON_STEP_MAX <= STATUS_STEP_MAX, "a step fits a buffer");
_Static_assert(STATUS_STEP_MAX + CHUNK_HEAD + CHUNK_TAIL < BUF_SIZE, "with its framing");

enum { STATUS_METRICS, STATUS_JSON, STATUS_HISTORY };

struct look {
	struct view view;
	uint64_t taken_ns;
	unsigned users;
	bool whole;
};

struct status {
	struct session *s;
	struct status *next;
	struct look *look;		/* NULL: of history */
	uint64_t deadline_ns;
	uint64_t turn_ns;
	unsigned turn;			/* buffers written in the turn of that time */
	uint8_t kind;
	bool chunked;
	union {
		struct metrics metrics;
		struct view_json json;
		struct history_json history;
	} at;
};

static struct slab streams = { .size = sizeof(struct status) };
static struct status *first;		/* those under way */
static unsigned count;
static struct look look[STATUS_LOOKS];

/* ---- text into a buffer ---- */

static FILE *out;
static struct { char *at, *end; bool full; } sink;

static ssize_t to_sink(void *cookie, const char *text, size_t size)
{
	(void)cookie;
	if (size > (size_t)(sink.end - sink.at)) {
		sink.full = true;
		return (ssize_t)size;
	}
	memcpy(sink.at, text, size);
	sink.at += size;
	return (ssize_t)size;
}

static bool open_out(void)
{
	static char buffer[4096];

	if (out)
		return true;
	out = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = to_sink });
	if (out == NULL)
		return false;
	setvbuf(out, buffer, _IOFBF, sizeof buffer);
	return true;
}

/* ---- looks at the table ---- */

static struct look *take_look(void)
{
	struct look *free = NULL;

	for (unsigned i = 0; i < STATUS_LOOKS; i++) {
		if (look[i].users > 0 && state_now() - look[i].taken_ns < STATUS_FRESH_NS) {
			look[i].users++;
			return &look[i];
		}
		if (look[i].users == 0 && free == NULL)
			free = &look[i];
	}
	if (free == NULL)
		return NULL;
	free->view.inside = free->view.recall = true;
	if (view_begin(&free->view, worker.table) < 0)
		return NULL;
	free->taken_ns = state_now();
	free->whole = false;
	free->users = 1;
	return free;
}

static void give_look(struct look *l)
{
	if (l && --l->users == 0 && l != &look[0])	/* one is kept for the next who asks */
		view_free(&l->view);
}

/* 0: all is there; 1: there is more to do; -1: no memory. */
static int look_on(struct look *l)
{
	unsigned columns = 1;
	int r;

	if (l->whole)
		return 0;
	for (uint32_t slot = table_next_live(worker.table, 1); slot < worker.table->max_workers;
	     slot = table_next_live(worker.table, slot + 1))
		columns++;
	r = view_more(&l->view, worker.table, true, STATUS_TURN_CELLS / columns + 1);
	l->whole = r == 0;
	return r;
}

/* ---- answers ---- */

static const char common[] = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n";

/* The head into s->out. size: of the body, or as http_own_head() has it. */
static void put_head(struct session *s, unsigned status, size_t size, const char *type, const char *fields)
{
	char extra[2048];
	struct http_out o = { .at = extra, .end = extra + sizeof extra };
	size_t n;

	reply_date(&o);
	HTTP_OUT_PUT(&o, "Content-Type: ");
	http_out_put(&o, type, strlen(type));
	HTTP_OUT_PUT(&o, "\r\n");
	http_out_put(&o, common, sizeof common - 1);
	http_out_put(&o, fields, strlen(fields));
	n = http_own_head(s->out->data, BUF_SIZE, status, (struct http_text){ extra, http_out_size(&o, extra) }, size,
	    s->close_after);
	s->out->at = 0;
	s->out->end = (uint32_t)n;
	access_own(s, status, n);
	if (n == 0)
		s->close_after = true;
}

static void refuse(struct session *s, unsigned status, const char *fields, const char *text)
{
	size_t size = strlen(text);

	put_head(s, status, size, "text/plain; charset=utf-8", fields);
	if (!s->head_request && s->out->end) {
		memcpy(s->out->data + s->out->end, text, size);
		s->out->end += (uint32_t)size;
	}
	if (status < 500)
		table_add(&worker.row->refused, 1);
}

static void page(struct session *s)
{
	char fields[1024];
	struct http_out o = { .at = fields, .end = fields + sizeof fields - 1 };

	HTTP_OUT_PUT(&o, "Content-Security-Policy: ");
	http_out_put(&o, status_page_policy, status_page_policy_size);
	HTTP_OUT_PUT(&o, "\r\n");
	*o.at = '\0';
	put_head(s, 200, status_page_size, "text/html; charset=utf-8", fields);
	if (s->head_request || s->out->end == 0)
		return;
	s->out->tail = status_page;
	s->out->tail_size = (uint32_t)status_page_size;
}

/* ---- what was asked for ---- */

static bool is(struct http_text t, const char *word)
{
	return t.size == strlen(word) && memcmp(t.at, word, t.size) == 0;
}

static bool number(struct http_text t, uint64_t *n)
{
	*n = 0;
	if (t.size == 0 || t.size > 19)
		return false;
	for (size_t i = 0; i < t.size; i++) {
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
		*n = *n * 10 + (uint64_t)(t.at[i] - '0');
	}
	return true;
}

/* range=10m|1h|24h, since=STEP, event=NUMBER, pool=NAME; others are left alone. False: something is not that. */
static bool read_query(struct history_json *q, struct http_text query)
{
	while (query.size > 0) {
		const char *amp = memchr(query.at, '&', query.size);
		struct http_text key = { query.at, amp ? (size_t)(amp - query.at) : query.size }, value = { "", 0 };
		const char *equals = memchr(key.at, '=', key.size);
		size_t used = key.size + (amp != NULL);
		unsigned span;

		if (equals) {
			value = (struct http_text){ equals + 1, key.size - (size_t)(equals - key.at) - 1 };
			key.size = (size_t)(equals - key.at);
		}
		if (is(key, "range")) {
			for (span = 0; span < HISTORY_SPANS && !is(value, history_spans[span].name); span++)
				;
			if (span == HISTORY_SPANS)
				return false;
			q->span = span;
		} else if (is(key, "since")) {
			if (!number(value, &q->since))
				return false;
		} else if (is(key, "event")) {
			if (!number(value, &q->event))
				return false;
		} else if (is(key, "pool")) {
			if (value.size >= sizeof q->pool)
				return false;
			memset(q->pool, 0, sizeof q->pool);
			memcpy(q->pool, value.at, value.size);
		}
		query = (struct http_text){ query.at + used, query.size - used };
	}
	return true;
}

/* The answer is made piece by piece: says its head, and remembers what comes. */
static void stream(struct session *s, int kind, const struct history_json *asked, bool http10)
{
	static const char *const type[] = { METRICS_TYPE, "application/json", "application/json" };
	struct status *st;
	struct look *l = NULL;

	if (!s->head_request) {
		if (count >= STATUS_STREAMS || !open_out() || (kind != STATUS_HISTORY && (l = take_look()) == NULL) ||
		    (st = slab_take(&streams)) == NULL) {
			give_look(l);
			refuse(s, 503, "Retry-After: 1\r\n", "503 too many ask at once, or read too slowly\n");
			return;
		}
		memset(st, 0, sizeof *st);
		st->s = s;
		st->kind = (uint8_t)kind;
		st->look = l;
		st->deadline_ns = state_now() + STATUS_DEADLINE_NS;
		st->chunked = !http10;
		if (kind == STATUS_JSON)
			st->at.json.what = "";
		else if (kind == STATUS_HISTORY)
			st->at.history = *asked;
		st->next = first;
		first = st;
		count++;
		s->streamed = true;
	}
	put_head(s, 200, http10 ? HTTP_OWN_UNTIL_CLOSE : HTTP_OWN_CHUNKED, type[kind], "");
	if (s->out->end == 0 && s->streamed)
		status_forget(s);
}

void status_serve(struct session *s, const struct http_head *h, const char *at, size_t skip)
{
	struct http_text path = route_path(h, at), query = { "", 0 };
	struct history_json asked = { .span = HISTORY_MINUTES };
	char place[1200];

	if (!fields_trusted(&s->listener->serve_to, s->peer_family, s->peer)) {
		refuse(s, 403, "", "403 not for this address\n");
		return;
	}
	if (h->method != HTTP_GET && h->method != HTTP_HEAD) {
		refuse(s, 405, "Allow: GET, HEAD\r\n", "405 only GET and HEAD\n");
		return;
	}
	if (h->target.size > path.size && path.at == at + h->target.at)
		query = (struct http_text){ path.at + path.size + 1, h->target.size - path.size - 1 };
	if (skip > 0 && path.size == skip && path.at[skip - 1] != '/') {
		/* The page asks for what lies beside it, so it must lie in a folder. */
		snprintf(place, sizeof place, "Location: %.*s/\r\n", (int)skip, path.at);
		refuse(s, 308, place, "308 it is behind a slash\n");
		return;
	}
	if (skip > 0 && path.at[skip - 1] == '/')
		skip--;
	path.at += skip;
	path.size -= skip;
	if (is(path, "/"))
		page(s);
	else if (is(path, "/metrics"))
		stream(s, STATUS_METRICS, NULL, h->minor == 0);
	else if (is(path, "/status.json"))
		stream(s, STATUS_JSON, NULL, h->minor == 0);
	else if (!is(path, "/history.json"))
		refuse(s, 404, "", "404 here are /, /status.json, /history.json and /metrics\n");
	else if (read_query(&asked, query))
		stream(s, STATUS_HISTORY, &asked, h->minor == 0);
	else
		refuse(s, 400, "", "400 range is 10m, 1h or 24h, since and event are numbers, pool is a name\n");
}

/* ---- piece by piece ---- */

static struct status *find(const struct session *s)
{
	struct status *st = first;

	while (st && st->s != s)
		st = st->next;
	return st;
}

void status_forget(struct session *s)
{
	for (struct status **p = &first; *p; p = &(*p)->next) {
		struct status *st = *p;

		if (st->s != s)
			continue;
		*p = st->next;
		count--;
		give_look(st->look);
		slab_give(&streams, st);
		break;
	}
	s->streamed = false;
}

uint64_t status_until(const struct session *s, uint64_t until_ns)
{
	const struct status *st = s->streamed ? find(s) : NULL;

	return st && st->deadline_ns < until_ns ? st->deadline_ns : until_ns;
}

static bool step(struct status *st)
{
	switch (st->kind) {
	case STATUS_METRICS:
		return metrics_step(out, &st->look->view, &st->at.metrics);
	case STATUS_JSON:
		return view_json_step(out, &st->look->view, &st->at.json);
	default:
		return history_json_step(out, worker.table, &st->at.history);
	}
}

/* Writes as much as fits, and its framing. False: something was larger than it may be. */
static bool fill(struct status *st, struct buf *b, bool *more)
{
	char *data = b->data + CHUNK_HEAD;
	char head[CHUNK_HEAD + 1];
	size_t size;

	sink.at = data;
	sink.end = b->data + b->size - CHUNK_TAIL;
	sink.full = false;
	do {
		*more = step(st);
		if (fflush(out) != 0)
			return false;
	} while (*more && !sink.full && sink.end - sink.at >= STATUS_STEP_MAX);
	if (sink.full)
		return false;
	size = (size_t)(sink.at - data);
	b->at = CHUNK_HEAD;
	if (st->chunked && size > 0) {
		snprintf(head, sizeof head, "%04x\r\n", (unsigned)size & 0xffff);
		memcpy(b->data, head, CHUNK_HEAD);
		b->at = 0;
		memcpy(sink.at, "\r\n", 2);
		sink.at += 2;
	}
	if (st->chunked && !*more) {
		memcpy(sink.at, "0\r\n\r\n", 5);
		sink.at += 5;
	}
	b->end = (uint32_t)(sink.at - b->data);
	return true;
}

enum status_more status_more(struct session *s)
{
	struct status *st = find(s);
	bool more = false;
	int r;

	if (st == NULL || state_now() >= st->deadline_ns)
		return STATUS_FAILED;
	if (st->turn_ns != state_now()) {
		st->turn_ns = state_now();
		st->turn = 0;
	}
	if (st->turn++ >= STATUS_TURN_BUFFERS)
		return STATUS_YIELD;
	r = st->look ? look_on(st->look) : 0;
	if (r > 0)
		return STATUS_YIELD;
	if (r < 0 || (s->out == NULL && (s->out = buf_take()) == NULL))
		return STATUS_FAILED;
	if (!fill(st, s->out, &more)) {
		log_error("status: a piece of an answer is larger than a buffer, or cannot be written");
		return STATUS_FAILED;
	}
	if (!more)
		status_forget(s);
	return STATUS_FILLED;
}
