/*
 * The access log's records: what is noted of requests on their way. Worker only; what is noted comes from
 * outside and is kept as it came. access_line.c makes lines of it, access_sink.c writes them.
 */
#include "worker/access.h"

#include <string.h>

#include "balance/hash.h"
#include "http/chars.h"
#include "worker/access_line.h"
#include "worker/access_sink.h"
#include "worker/fields.h"

#define LINE_MAX_KEPT	2048	/* bytes of a request line */
#define FIELD_MAX_KEPT	1024	/* of a field */

_Static_assert(LINE_MAX_KEPT + FIELD_MAX_KEPT < ACCESS_TEXT_MAX && ACCESS_TEXT_MAX <= UINT16_MAX, "spans");

static struct slab records = { .size = sizeof(struct access) };

void access_init(void)
{
	sink_init();
}

void access_adopt(unsigned log, int fd)
{
	sink_adopt(log, fd);
}

void access_stop(void)
{
	sink_stop();
}

/* A copy of at most `most` bytes, with dots at its end where it was cut. */
static struct access_span keep(struct access *r, const char *at, size_t size, size_t most)
{
	size_t room = ACCESS_TEXT_MAX - r->used;
	struct access_span s = { .at = r->used };

	if (most > room)
		most = room;
	s.size = (uint16_t)(size < most ? size : most);
	if (s.size == 0)
		return s;
	memcpy(r->text + s.at, at, s.size);
	if (s.size < size && s.size > 3)
		memcpy(r->text + s.at + s.size - 3, "...", 3);
	r->used = (uint16_t)(r->used + s.size);
	return s;
}

void access_note_begin(struct session *s, uint64_t begin_ns)
{
	struct access *r = slab_take(&records);

	if (r == NULL) {	/* no memory for the line: it is as lost as one that cannot be written */
		table_add(&worker.row->log_dropped, 1);
		return;
	}
	memset(r, 0, offsetof(struct access, text));
	r->begin_ns = begin_ns;
	if (s->listener->mode == CONF_MODE_TCP)
		r->ready_ns = state_now();
	s->log = r;
}

/* ---- the request ---- */

/* First line of what has come, for a head that is not whole or cannot be understood. */
static void keep_raw(struct session *s, struct access *r)
{
	const char *at, *end, *stop;

	if (r->request.size || s->c.in == NULL || s->listener->mode == CONF_MODE_TCP)
		return;
	at = s->c.in->data + s->c.in->at;
	end = s->c.in->data + s->c.in->end;
	while (at < end && (*at == '\r' || *at == '\n'))
		at++;
	stop = memchr(at, '\n', (size_t)(end - at));
	if (stop == NULL)
		stop = end;
	if (stop > at && stop[-1] == '\r')
		stop--;
	r->request = keep(r, at, (size_t)(stop - at), LINE_MAX_KEPT);
}

static const struct http_field *find(const struct http_head *h, const char *at, const struct conf_access_field *f)
{
	if (f->id != HTTP_FIELD_OTHER)
		return h->first[f->id] < 0 ? NULL : &h->field[h->first[f->id]];
	for (unsigned i = 0; i < h->nfields; i++)
		if (h->field[i].id == HTTP_FIELD_OTHER && h->field[i].name_size == f->size &&
		    http_chars_same_name(at + h->field[i].name_at, f->name, f->size))
			return &h->field[i];
	return NULL;
}

void access_note_head(struct session *s)
{
	const struct conf_access *a = &s->listener->access;
	const char *at = s->c.in->data + s->c.in->at, *line, *end;
	const struct http_head *h = s->head;
	struct access *r = s->log;

	r->ready_ns = state_now();
	r->in = h->size;
	r->minor = h->minor;
	line = at + h->method_text.at;
	end = memchr(line, '\r', h->size - h->method_text.at);	/* a head that is whole has one behind its first line */
	if (end == NULL)
		return;
	r->request = keep(r, line, (size_t)(end - line), LINE_MAX_KEPT);
	r->method = (struct access_span){ r->request.at, (uint16_t)h->method_text.size };
	/* The target as it was sent: what stands between the blanks. */
	size_t from = h->method_text.size + 1, to = r->request.size;
	if ((size_t)(end - line) == to && to >= from + sizeof " HTTP/1.1" - 1)
		to -= sizeof " HTTP/1.1" - 1;
	if (from < to)
		r->target = (struct access_span){ (uint16_t)(r->request.at + from), (uint16_t)(to - from) };
	r->host = keep(r, at + h->authority.at, h->authority.size, FIELDS_HOST_MAX);
	for (unsigned i = 0; i < a->nfields; i++) {
		const struct http_field *f = find(h, at, &a->field[i]);
		if (f)
			r->field[i] = keep(r, at + f->value_at, f->value_size, FIELD_MAX_KEPT);
	}
}

/* ---- how it ends ---- */

static enum access_phase phase_of(const struct session *s)
{
	const struct exchange *x = s->x;

	if (s->phase == SESSION_ANSWER)
		return ACCESS_AT_LAST;
	if (x == NULL)
		return ACCESS_AT_REQUEST;
	switch ((enum exchange_state)x->state) {
	case X_QUEUE:
		return ACCESS_AT_QUEUE;
	case X_CONNECT:
		return ACCESS_AT_CONNECT;
	case X_TALK:
		return x->answered ? ACCESS_AT_DATA : ACCESS_AT_HEAD;
	case X_TUNNEL:
		break;
	}
	return ACCESS_AT_DATA;
}

/* A wait in the line is over. */
static void count_wait(struct exchange *x)
{
	struct access *r = x->s->log;
	uint64_t now = state_now();

	if (x->queued.since_ns == r->counted_ns)
		return;
	r->counted_ns = x->queued.since_ns;
	if (now > r->counted_ns)
		r->queue_ns += now - r->counted_ns;
}

static void note(struct session *s, enum access_who who, enum access_phase phase)
{
	struct access *r = s->log;

	if (r->who != ACCESS_NOBODY && r->who != ACCESS_LOCAL)	/* an answer that is in order may yet be cut */
		return;
	r->who = (uint8_t)who;
	r->phase = (uint8_t)phase;
	if (s->x && s->x->queued.prev)
		count_wait(s->x);
}

void access_note_who(struct session *s, enum access_who who)
{
	note(s, who, phase_of(s));
}

void access_note_refused(struct exchange *x, unsigned status)
{
	struct session *s = x->s;
	/* Before a connection was begun, and not in the line. */
	bool early = x->state == X_QUEUE && x->queued.prev == NULL;
	enum access_phase phase = phase_of(s);

	switch (status) {
	case 408:
		note(s, ACCESS_CLIENT_LATE, phase);
		break;
	case 503:
		if (x->queued.prev)
			note(s, ACCESS_SERVER_LATE, ACCESS_AT_QUEUE);
		else
			note(s, ACCESS_SERVER, ACCESS_AT_CONNECT);
		break;
	case 504:
		note(s, ACCESS_SERVER_LATE, phase);
		break;
	case 502:
		note(s, s->log->failure == SHM_OUT_LOCAL ? ACCESS_RESOURCE : ACCESS_SERVER, early ? ACCESS_AT_CONNECT : phase);
		break;
	default:
		note(s, ACCESS_PROXY, early ? ACCESS_AT_REQUEST : phase);
		break;
	}
}

void access_note_answer(struct session *s, unsigned status)
{
	struct access *r = s->log;

	keep_raw(s, r);
	note(s, status == 408 ? ACCESS_CLIENT_LATE : status == 503 ? ACCESS_RESOURCE : ACCESS_PROXY, phase_of(s));
}

void access_note_own(struct session *s, unsigned status, size_t head)
{
	s->log->status = (uint16_t)status;
	s->log->out_heads += head;
	note(s, ACCESS_LOCAL, ACCESS_AT_REQUEST);
}

/* ---- the server ---- */

void access_note_chosen(struct exchange *x)
{
	struct access *r = x->s->log;

	if (x->how & SHM_HOW_QUEUED)
		count_wait(x);
	r->chosen_ns = x->chosen_ns;
	r->connected_ns = r->first_ns = 0;
	r->server = x->server;
	r->pool = x->pool;
	if (!x->fresh)	/* else a kept connection was found dead: no attempt in itself */
		r->attempts++;
}

void access_note_answered(struct exchange *x, size_t head)
{
	struct access *r = x->s->log;

	r->first_ns = state_now();
	r->status = x->status;
	r->out_heads += head;
}

static void keep_id(struct exchange *x)
{
	if (x->notes && x->s->log->id.size == 0)
		x->s->log->id = keep(x->s->log, x->notes->id, x->notes->id_size, FIELDS_ID_MAX);
}

void access_note_leave(struct exchange *x)
{
	struct access *r = x->s->log;

	/* Of two attempts at a time (hedge.c) the one that leaves last is the one that counts. */
	if (x->server) {
		r->server = x->server;
		r->chosen_ns = x->chosen_ns;
		if (r->connected_ns && r->connected_ns < r->chosen_ns)	/* that was the other one's */
			r->connected_ns = r->chosen_ns;
		r->rule = x->rule;
		r->how = x->how;
		r->in = r->in_before + x->up.moved;
	}
	r->out += x->down.moved;
	if (x->u)
		r->reused = x->u->uses > 0;
	r->pool = x->pool;
	keep_id(x);
}

/* ---- the end ---- */

void access_forget(struct session *s)
{
	if (s->log)
		slab_give(&records, s->log);
	s->log = NULL;
}

void access_note_end(struct session *s)
{
	struct access *r = s->log;

	keep_raw(s, r);
	/* Empty lines behind a request are no further one. */
	if (r->request.size || r->status || s->listener->mode == CONF_MODE_TCP || s->phase == SESSION_PREAMBLE)
		access_line(s);
	access_forget(s);
}

/* ---- moving ---- */

/* Tells formats that keep other fields apart. */
static uint32_t fields_key(const struct conf_access *a)
{
	uint64_t key = a->nfields;

	for (unsigned i = 0; i < a->nfields; i++)
		key = hash_bytes(key, a->field[i].name, a->field[i].size);
	return (uint32_t)key;
}

size_t access_pack(char *out, struct exchange *x)
{
	struct access *r = x->s->log, copy;

	if (r == NULL)
		return 0;
	keep_id(x);
	copy = *r;
	copy.in = copy.in_before += x->up.moved;
	copy.rule = x->rule;
	copy.how = x->how;
	copy.chosen_ns = x->chosen_ns;
	copy.out += x->down.moved;
	copy.server = NULL;
	copy.pool = NULL;
	copy.fields_key = fields_key(&x->s->listener->access);
	if (x->u)
		copy.reused = x->u->uses > 0;
	memcpy(out, &copy, offsetof(struct access, text) + r->used);
	return offsetof(struct access, text) + r->used;
}

static bool fits(const struct access *r, struct access_span s)
{
	return s.at + s.size <= r->used;
}

void access_unpack(struct exchange *x, const char *in, size_t size)
{
	struct session *s = x->s;
	struct access *r;

	/* Of another worker, which may have been taken over: nothing in it is believed beyond its bounds. */
	if (size < offsetof(struct access, text) || size > sizeof *r || s->listener->access.log == CONF_NO_LOG)
		return;
	access_note_begin(s, 0);
	r = s->log;
	if (r == NULL)
		return;
	memcpy(r, in, size);
	r->server = x->server;
	r->pool = x->pool;
	x->rule = r->rule;
	x->how = r->how;
	if (r->used != size - offsetof(struct access, text) || !fits(r, r->request) || !fits(r, r->method) || !fits(r, r->target) ||
	    !fits(r, r->host) || !fits(r, r->id)) {
		access_forget(s);
		return;
	}
	for (unsigned i = 0; i < CONF_ACCESS_FIELDS_MAX; i++)
		if (r->fields_key != fields_key(&s->listener->access) || !fits(r, r->field[i]))
			r->field[i].size = 0;
}
