/* What the balancer says itself. Worker only. */
#include "worker/reply.h"

#include <string.h>

#include "http/chars.h"
#include "http/forward.h"
#include "worker/access.h"
#include "worker/date.h"
#include "worker/route.h"

#define SEED_ANSWER	"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
#define METHODS		"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#define HEAD_MAX	(BUF_SIZE - 256)	/* of fields that are put together here */

static const struct http_text none;

/* RFC 9110 6.6.1 */
void reply_date(struct http_out *o)
{
	struct http_text date;

	if (!date_wanted())
		return;
	date = date_now();
	HTTP_OUT_PUT(o, "Date: ");
	http_out_put(o, date.at, date.size);
	HTTP_OUT_PUT(o, "\r\n");
}

/*
 * Head and body. A body of the configuration is sent from where it is, one of `text` is put behind the head.
 * `fields` are whole lines without Content-Type.
 */
static void put(struct session *s, unsigned status, struct http_text fields, const struct conf_body *body, const char *text)
{
	char extra[BUF_SIZE];
	struct http_out o = { .at = extra, .end = extra + sizeof extra };
	size_t size = body ? body->size : strlen(text), n;

	reply_date(&o);
	if (fields.size)
		http_out_put(&o, fields.at, fields.size);
	if (body) {
		HTTP_OUT_PUT(&o, "Content-Type: ");
		http_out_put(&o, body->type, strlen(body->type));
		HTTP_OUT_PUT(&o, "\r\n");
	} else if (size)
		HTTP_OUT_PUT(&o, "Content-Type: text/plain\r\n");
	n = http_own_head(s->out->data, BUF_SIZE, status, (struct http_text){ extra, http_out_size(&o, extra) }, size,
	    s->close_after);
	s->out->at = 0;
	s->out->end = (uint32_t)n;
	access_own(s, status, n);
	if (n == 0)
		s->close_after = true;	/* never to be taken for the answer to the next request */
	if (s->head_request || n == 0)
		return;
	if (body) {
		s->out->tail = body->data;
		s->out->tail_size = (uint32_t)body->size;
	} else if (size <= buf_room(s->out)) {
		memcpy(s->out->data + n, text, size);
		s->out->end += (uint32_t)size;
	}
}

/* ---- errors ---- */

static const struct conf_body *error_body(const struct conf_errors *e, unsigned status)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->error[i].status == status)
			return &e->error[i].body;
	return NULL;
}

void reply_error(struct session *s, unsigned status)
{
	const struct conf_body *body;
	char text[64], fields[128];
	struct http_out o = { .at = text, .end = text + sizeof text - 1 };
	struct http_out f = { .at = fields, .end = fields + sizeof fields };
	const char *reason = http_reason(status);

	if (worker.conf->seed) {
		memcpy(s->out->data, SEED_ANSWER, sizeof SEED_ANSWER - 1);
		s->out->end = sizeof SEED_ANSWER - 1;
		access_own(s, 500, sizeof SEED_ANSWER - 1);
		s->out->at = 0;
		return;
	}
	body = error_body(&s->listener->http.errors, status);
	if (body == NULL)
		body = error_body(&worker.conf->errors, status);
	if (status == 405)
		HTTP_OUT_PUT(&f, "Allow: " METHODS "\r\n");
	if (status == 503 && s->listener->http.retry_after_ns) {
		HTTP_OUT_PUT(&f, "Retry-After: ");
		http_out_number(&f, (s->listener->http.retry_after_ns + CONF_SECOND - 1) / CONF_SECOND);
		HTTP_OUT_PUT(&f, "\r\n");
	}
	http_out_number(&o, status);
	HTTP_OUT_PUT(&o, " ");
	http_out_put(&o, reason, strlen(reason));
	HTTP_OUT_PUT(&o, "\n");
	*o.at = '\0';
	put(s, status, (struct http_text){ fields, http_out_size(&f, fields) }, body, text);
}

/* ---- routes ---- */

/* What a URI cannot hold goes as %XX: readers of targets are more patient than readers of Location. */
static void put_uri(struct http_out *o, struct http_text t)
{
	for (size_t i = 0; i < t.size; i++) {
		unsigned char c = (unsigned char)t.at[i];

		if (c > 0x20 && c < 0x7f && !strchr("\"<>\\^`{|}[]", c)) {
			http_out_put(o, t.at + i, 1);
			continue;
		}
		HTTP_OUT_PUT(o, "%");
		http_out_put(o, &"0123456789ABCDEF"[c >> 4], 1);
		http_out_put(o, &"0123456789ABCDEF"[c & 15], 1);
	}
}

size_t reply_location(char *out, size_t room, const struct conf_route *r, const struct http_head *h, const char *at)
{
	struct http_out o = { .at = out, .end = out + room };
	struct http_text path = route_path(h, at), host = route_host(h, at), sent = { at + h->target.at, h->target.size };
	const struct http_template *t = &r->target_template;

	for (unsigned i = 0; i < t->n; i++) {
		const struct http_piece *p = &t->piece[i];
		struct http_text rest = sent;
		size_t skip = r->path_size;

		switch ((enum http_place)p->place) {
		case HTTP_PLACE_TEXT:
			http_out_put(&o, r->target + p->at, p->size);
			break;
		case HTTP_PLACE_HOST:
			if (!host.size)
				return 0;
			http_out_put(&o, host.at, host.size);	/* valid as it is; brackets stay */
			break;
		case HTTP_PLACE_PATH:
			if (!sent.size || sent.at[0] != '/')	/* "*", or of an absolute target */
				HTTP_OUT_PUT(&o, "/");
			put_uri(&o, sent);
			break;
		case HTTP_PLACE_REST:
			if (!r->path && path.at != sent.at)
				HTTP_OUT_PUT(&o, "/");
			if (path.at != sent.at)		/* an absolute target without a path: nothing of it was matched */
				skip = 0;
			rest.at += skip;
			rest.size -= skip;
			if (!r->path && rest.size && rest.at[0] == '*')
				HTTP_OUT_PUT(&o, "/");
			put_uri(&o, rest);
			break;
		case HTTP_PLACE_CLIENT:
		case HTTP_PLACE_REQUEST_ID:
		case HTTP_PLACES:
			break;
		}
	}
	/* "//host/" is another place: what came must not make one of "/". */
	if (!o.full && o.at > out && out[0] == '/') {
		size_t slashes = 1, n = (size_t)(o.at - out);

		while (slashes < n && out[slashes] == '/')
			slashes++;
		memmove(out + 1, out + slashes, n - slashes);
		o.at -= slashes - 1;
	}
	return http_out_size(&o, out);
}

static void redirect(struct session *s, const struct conf_route *r, const struct http_head *h, const char *at)
{
	static const char name[] = "Location: ";
	char line[HEAD_MAX];
	size_t n = reply_location(line + sizeof name - 1, sizeof line - sizeof name - 1, r, h, at);

	if (n == 0) {
		reply_error(s, h->authority.size ? 414 : 400);
		return;
	}
	memcpy(line, name, sizeof name - 1);
	memcpy(line + sizeof name - 1 + n, "\r\n", 2);
	put(s, r->status, (struct http_text){ line, sizeof name - 1 + n + 2 }, NULL, "");
}

void reply_route(struct session *s, const struct conf_route *r, const struct http_head *h, const char *at)
{
	if (r->action == CONF_ROUTE_REDIRECT)
		redirect(s, r, h, at);
	else
		put(s, r->status, none, r->body.path ? &r->body : NULL, "");
}

/* ---- the last on the way ---- */

/* What nobody else is to see. RFC 9110 9.3.8 */
static bool secret(const struct http_field *f, const char *at)
{
	return f->id == HTTP_F_COOKIE || f->id == HTTP_F_PROXY_AUTHORIZATION ||
	    (f->id == HTTP_FIELD_OTHER && f->name_size == 13 && http_chars_same(at + f->name_at, "authorization", 13));
}

/* The request, as it came, is the body of the answer. */
static size_t echo(char *out, size_t room, const struct http_head *h, const char *at)
{
	struct http_out o = { .at = out, .end = out + room };
	const char *line = at + h->method_text.at;

	http_out_put(&o, line, (size_t)((const char *)memchr(line, '\r', h->size) - line) + 2);
	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->field[i];

		if (secret(f, at))
			continue;
		http_out_put(&o, at + f->name_at, f->name_size);
		HTTP_OUT_PUT(&o, ": ");
		http_out_put(&o, at + f->value_at, f->value_size);
		HTTP_OUT_PUT(&o, "\r\n");
	}
	HTTP_OUT_PUT(&o, "\r\n");
	return http_out_size(&o, out);
}

void reply_last(struct session *s, const struct http_head *h, const char *at)
{
	static const char allow[] = "Allow: " METHODS "\r\n";
	char body[BUF_SIZE], fields[128];
	struct http_out f = { .at = fields, .end = fields + sizeof fields };
	size_t n;

	if (h->method != HTTP_TRACE) {
		put(s, 200, (struct http_text){ allow, sizeof allow - 1 }, NULL, "");
		return;
	}
	reply_date(&f);
	HTTP_OUT_PUT(&f, "Content-Type: message/http\r\n");
	size_t echoed = n = echo(body, sizeof body, h, at);
	if (n)
		n = http_own_response(s->out->data, BUF_SIZE, 200, (struct http_text){ fields, http_out_size(&f, fields) },
		    (struct http_text){ body, n }, s->close_after, false);
	if (n == 0) {
		reply_error(s, 431);
		return;
	}
	s->out->at = 0;
	s->out->end = (uint32_t)n;
	access_own(s, 200, n - echoed);
}
