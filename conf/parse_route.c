/* Routes of a listener. */
#include "conf/parse_route.h"

#include <stdlib.h>
#include <string.h>

#include "conf/address.h"
#include "conf/body.h"
#include "conf/parse_listen.h"
#include "conf/value.h"
#include "http/authority.h"
#include "http/chars.h"
#include "http/meaning.h"
#include "http/name.h"

enum { ROUTE_HOST, ROUTE_PATH, ROUTE_METHOD, ROUTE_HEADER, ROUTE_TO, ROUTE_REDIRECT, ROUTE_ANSWER, ROUTE_SERVE };

const char *const parse_route_words[] = { "host", "path", "method", "header", "to", "redirect", "answer", "serve", NULL };

/* ---- conditions ---- */

static int parse_route_host(struct parse *p, unsigned i, struct conf_route *r)
{
	char *text = p->line.word[i].text;

	for (char *at = text; *at; at++)	/* as hosts are compared */
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at | 0x20);
	if (!address_is_host(strncmp(text, "*.", 2) == 0 ? text + 2 : text)) {
		parse_bad_word(p, i, "is not a host name", "a name such as www.example.org, or *.example.org");
		return -1;
	}
	r->host = parse_copy(p, text);
	r->host_size = strlen(text);
	return r->host ? 0 : -1;
}

/* What matching a path as it was sent cannot find, or finds only where servers find something else. */
static bool parse_route_plain_path(const char *text)
{
	if (strchr(text, '%') || strchr(text, ';') || strchr(text, '\\') || strstr(text, "//"))
		return false;
	for (const char *at = text; (at = strstr(at, "/.")); at++)
		if (at[2] == '\0' || at[2] == '/' || (at[2] == '.' && (at[3] == '\0' || at[3] == '/')))
			return false;
	return true;
}

static int parse_route_path(struct parse *p, unsigned i, struct conf_route *r)
{
	const char *text = p->line.word[i].text;

	if (!value_is_url_path(text, false)) {
		parse_bad_word(p, i, "is not the beginning of a path", "\"/\" and at most 999 printable characters, "
		    "no blank, \"?\" or \"#\"");
		return -1;
	}
	if (!parse_route_plain_path(text)) {
		parse_bad_word(p, i, "can be written in other ways", "a path without \"%\", \";\", \"\\\", \"//\", \"/./\" and \"/../\"");
		return -1;
	}
	r->path = parse_copy(p, text);
	r->path_size = strlen(text);
	return r->path ? 0 : -1;
}

static int parse_route_methods(struct parse *p, unsigned i, struct conf_route *r)
{
	const char *text = p->line.word[i].text, *at = text, *end;

	for (;; at = end + 1) {
		end = http_chars_span(at, at + strlen(at), HTTP_C_TOKEN);
		if (end == at || (*end && *end != ','))
			break;
		r->method_bits |= 1u << http_name_method(at, (size_t)(end - at));
		if (!*end)
			goto good;
	}
	parse_bad_word(p, i, "is not a method, nor methods with commas between them", "GET, or as in GET,HEAD");
	return -1;
good:
	if (r->method_bits & 1u << HTTP_CONNECT) {
		parse_bad_word(p, i, "has a method that is always refused", "other methods than CONNECT");
		return -1;
	}
	r->methods = parse_copy(p, text);
	return r->methods ? 0 : -1;
}

/* `header NAME [VALUE]`: *i is at NAME, and is left behind the last word taken. */
static int parse_route_header(struct parse *p, unsigned *i, struct conf_route *r)
{
	const char *name = p->line.word[*i].text;
	size_t size = strlen(name);
	struct conf_route_header *h;
	uint32_t bit;

	if (size == 0 || size > 255 || http_chars_span(name, name + size, HTTP_C_TOKEN) != name + size) {
		parse_bad_word(p, *i, "is not the name of a field", "a name such as X-Tenant");
		return -1;
	}
	bit = HTTP_BIT(http_name_field(name, size));
	if (bit & (HTTP_BIT(HTTP_F_HOST) | HTTP_BIT(HTTP_F_CONTENT_LENGTH) | HTTP_BIT(HTTP_F_TRANSFER_ENCODING) |
	    (HTTP_HOP_BY_HOP & ~HTTP_BIT(HTTP_F_UPGRADE)))) {
		parse_bad_word(p, *i, "is no field to route by", bit == HTTP_BIT(HTTP_F_HOST) ? "a condition host HOST" :
		    "a field that goes on to the server, or Upgrade");
		return -1;
	}
	if (r->nheaders == CONF_ROUTE_HEADERS_MAX) {
		parse_bad_word(p, *i, "is one field too many", "at most 8 in a route");
		return -1;
	}
	if (parse_grow(p, &r->header, r->nheaders, sizeof(*r->header)) < 0)
		return -1;
	h = &r->header[r->nheaders++];
	h->id = (uint8_t)http_name_field(name, size);
	h->name_size = size;
	h->name = parse_copy(p, name);
	++*i;
	/* A word that goes on with the route is not a value, unless it is quoted. */
	if (*i < p->line.nwords && (p->line.word[*i].quoted || words_choice(parse_route_words, p->line.word[*i].text) < 0)) {
		const char *value = p->line.word[*i].text;

		h->value_size = strlen(value);
		if (h->value_size && (http_char_is_blank(value[0]) || http_char_is_blank(value[h->value_size - 1]))) {
			parse_bad_word(p, *i, "begins or ends with a blank, as no value does", "it without");
			return -1;
		}
		h->value = parse_copy(p, value);
		++*i;
	}
	return p->no_memory ? -1 : 0;
}

/* ---- redirects ---- */

#define ROUTE_TARGET_FORM "https://HOST/PATH or /PATH, with {host}, {path} or {rest} in it"

/*
 * The place of a redirect must be fixed by the configuration alone: what the client sent fills in a path, or
 * its own host. NULL, or what is wrong.
 */
static const char *parse_route_check_target(const struct conf_route *r)
{
	const struct http_template *t = &r->target_template;
	const char *text = r->target, *at;
	char host[300];
	size_t n = 0;

	for (unsigned i = 0; i < t->n; i++)
		for (at = text + t->piece[i].at; at < text + t->piece[i].at + t->piece[i].size; at++)
			if (*at <= 0x20 || *at >= 0x7f || strchr("\"<>\\^`{|}", *at))
				return "has a character that must be written as %XX";
	if (text[0] == '/') {
		if (text[1] == '/')
			return "begins with \"//\", which means another host";
		if (strncmp(text, "/{path}", 7) == 0)
			return "has \"/\" before {path}, which begins with one";
		return NULL;
	}
	if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
		return "is not a place";
	/* Up to the path: {host} and what is a host in itself. */
	for (at = strchr(text, '/') + 2; *at && !strchr("/?#", *at) && strncmp(at, "{path}", 6) != 0; at++) {
		if (strncmp(at, "{host}", 6) == 0) {
			host[n++] = 'h';
			at += 5;
		} else if (strncmp(at, "{rest}", 6) == 0) {
			if (r->path && r->path[r->path_size - 1] == '/')
				return "needs \"/\" before {rest}, which begins without one";
			break;
		} else {
			host[n++] = *at;
		}
		if (n == sizeof(host))
			return "has a host that is too long";
	}
	if (!http_authority_valid(host, n))
		return "has no host, or one that is not valid";
	return NULL;
}

static int parse_route_redirect(struct parse *p, unsigned i, struct conf_route *r)
{
	static const char *const statuses[] = { "301", "302", "307", "308", NULL };
	const char *expected = "redirect STATUS TARGET", *bad;
	size_t at;

	if (parse_count(p, i + 3, i + 3, expected) < 0)
		return -1;
	if (words_choice(statuses, p->line.word[i + 1].text) < 0) {
		parse_bad_word(p, i + 1, "is not a status of redirects", "301, 302, 307 or 308");
		return -1;
	}
	r->status = (unsigned)strtoul(p->line.word[i + 1].text, NULL, 10);
	r->target = parse_copy(p, p->line.word[i + 2].text);
	if (!r->target)
		return -1;
	bad = http_template_parse(&r->target_template, r->target, HTTP_PLACE_BIT(HTTP_PLACE_HOST) |
	    HTTP_PLACE_BIT(HTTP_PLACE_PATH) | HTTP_PLACE_BIT(HTTP_PLACE_REST), &at);
	if (bad) {
		char word[DIAG_QUOTE_MAX];

		diag_at(&p->diag, p->line.line, p->line.word[i + 2].column, "%s: %s at %s; expected " ROUTE_TARGET_FORM,
		    "the target of a redirect", bad, diag_quote(word, r->target + at));
		return -1;
	}
	bad = parse_route_check_target(r);
	if (bad) {
		parse_bad_word(p, i + 2, bad, ROUTE_TARGET_FORM);
		return -1;
	}
	return 0;
}

/* ---- answers ---- */

int parse_route_body(struct parse *p, unsigned i, struct conf_body *b)
{
	const char *expected = "FILE, or FILE type TYPE";
	const char *path = p->line.word[i].text;

	if (path[0] != '/' || strlen(path) > 4095) {
		parse_bad_word(p, i, "is not an absolute path", "the path of a file");
		return -1;
	}
	if (p->line.nwords > i + 1) {
		if (strcmp(p->line.word[i + 1].text, "type") != 0) {
			parse_bad_word(p, i + 1, "is in the wrong place", "type TYPE, or the end of the line");
			return -1;
		}
		if (parse_count(p, i + 3, i + 3, expected) < 0)
			return -1;
		if (!body_is_type(p->line.word[i + 2].text)) {
			parse_bad_word(p, i + 2, "is not a type of content", "one such as text/html, or \"text/html; charset=utf-8\"");
			return -1;
		}
	}
	b->path = parse_copy(p, path);
	b->type = parse_copy(p, p->line.nwords > i + 1 ? p->line.word[i + 2].text : body_type(path));
	b->line = p->line.line;
	b->column = p->line.word[i].column;
	return p->no_memory ? -1 : 0;
}

/* Statuses that mean nothing without fields or bodies of their own. RFC 9110 15.3.6, 15.3.7, 15.5 */
static bool parse_route_plain_status(unsigned status)
{
	switch (status) {
	case 205: case 206:
	case 401: case 405: case 407: case 416: case 426:
		return false;
	}
	return (status >= 200 && status < 300) || (status >= 400 && status < 600);
}

static int parse_route_answer(struct parse *p, unsigned i, struct conf_route *r)
{
	uint64_t status;

	if (parse_count(p, i + 2, i + 5, "answer STATUS, and maybe FILE type TYPE") < 0)
		return -1;
	if (value_number(p->line.word[i + 1].text, &status) < 0 || status > 599 || !parse_route_plain_status((unsigned)status)) {
		parse_bad_word(p, i + 1, "is not a status for an answer like that",
		    "200 to 299 but 205 and 206, or 400 to 599 but 401, 405, 407, 416 and 426");
		return -1;
	}
	r->status = (unsigned)status;
	if (p->line.nwords == i + 2)
		return 0;
	if (status == 204) {
		parse_bad_word(p, i + 2, "cannot go with status 204, which has no body", "the end of the line");
		return -1;
	}
	return parse_route_body(p, i + 2, &r->body);
}

/* ---- what is served here ---- */

int parse_route_serve(struct parse *p, unsigned i)
{
	static const char *const served[] = { "status", NULL };

	if (parse_count(p, i + 2, i + 2, "serve status") < 0)
		return -1;
	if (words_choice(served, p->line.word[i + 1].text) >= 0)
		return 0;
	parse_unknown_word(p, i + 1, "is nothing that can be served", served);
	return -1;
}

/* ---- the line ---- */

/* True: it is the first of its kind in the line. */
static bool parse_route_once(struct parse *p, unsigned i, const void *already)
{
	if (already)
		parse_bad_word(p, i, "again", "it once in a route");
	return !already;
}

/* Conditions from word 1 on. Index of the word that is the action, or -1. */
static int parse_route_conditions(struct parse *p, struct conf_route *r)
{
	unsigned i = 1;

	while (i < p->line.nwords) {
		unsigned at = i;
		int kind = words_choice(parse_route_words, p->line.word[i].text), e = 0;

		if (kind < 0) {
			parse_unknown_word(p, i, "is nothing to route by", parse_route_words);
			return -1;
		}
		if (kind >= ROUTE_TO)
			return (int)i;
		if (++i == p->line.nwords)
			break;
		switch (kind) {
		case ROUTE_HOST:
			e = parse_route_once(p, at, r->host) ? parse_route_host(p, i++, r) : -1;
			break;
		case ROUTE_PATH:
			e = parse_route_once(p, at, r->path) ? parse_route_path(p, i++, r) : -1;
			break;
		case ROUTE_METHOD:
			e = parse_route_once(p, at, r->methods) ? parse_route_methods(p, i++, r) : -1;
			break;
		case ROUTE_HEADER:
			e = parse_route_header(p, &i, r);
			break;
		}
		if (e < 0)
			return -1;
	}
	diag_at(&p->diag, p->line.line, p->line.end_column, "the line ends too early; expected " PARSE_ROUTE_FORM);
	return -1;
}

void parse_route(struct parse *p, struct conf_listener *l)
{
	struct conf_route r = { .action = CONF_ROUTE_TO };
	int at, kind;

	if (l->nroutes == CONF_ROUTES_MAX) {
		diag_at(&p->diag, p->line.line, p->line.word[0].column, "too many routes; expected at most %u in a listener",
		    CONF_ROUTES_MAX);
		return;
	}
	at = parse_route_conditions(p, &r);
	if (at < 0)
		goto fail;
	kind = words_choice(parse_route_words, p->line.word[at].text);
	if (kind == ROUTE_TO) {
		if (parse_count(p, (unsigned)at + 2, (unsigned)at + 2, "to POOL at the end of the line") < 0)
			goto fail;
	} else if (kind == ROUTE_REDIRECT) {
		r.action = CONF_ROUTE_REDIRECT;
		if (parse_route_redirect(p, (unsigned)at, &r) < 0)
			goto fail;
	} else if (kind == ROUTE_SERVE) {
		r.action = CONF_ROUTE_SERVE;
		if (parse_route_serve(p, (unsigned)at) < 0)
			goto fail;
	} else {
		r.action = CONF_ROUTE_ANSWER;
		if (parse_route_answer(p, (unsigned)at, &r) < 0)
			goto fail;
	}
	if (parse_grow(p, &l->route, l->nroutes, sizeof(*l->route)) < 0)
		goto fail;
	/* Positions outlive their listener and are overwritten by the next one's. */
	if (!p->route_at && !(p->route_at = calloc(CONF_ROUTES_MAX, sizeof(*p->route_at)))) {
		p->no_memory = true;
		goto fail;
	}
	p->route_at[l->nroutes] = (struct parse_position){ p->line.line, p->line.word[1].column };
	l->http.has_paths = l->http.has_paths || r.path;
	l->route[l->nroutes++] = r;
	if (r.action == CONF_ROUTE_TO)
		parse_listen_refer(p, (unsigned)at + 1, (int)l->nroutes - 1);
	return;
fail:
	parse_route_free(&r);
}

void parse_route_free(struct conf_route *r)
{
	free(r->host);
	free(r->path);
	free(r->methods);
	for (unsigned i = 0; i < r->nheaders; i++) {
		free(r->header[i].name);
		free(r->header[i].value);
	}
	free(r->header);
	free(r->target);
	body_free(&r->body);
}

/* ---- one route before another ---- */

static bool parse_route_covers_host(const struct conf_route *a, const struct conf_route *b)
{
	if (!a->host)
		return true;
	if (!b->host || a->host_size > b->host_size)
		return false;
	if (strcmp(a->host, b->host) == 0)
		return true;
	/* "*.example.org" takes every name that ends in ".example.org", but not that alone. */
	return a->host[0] == '*' && b->host_size > a->host_size - 1 &&
	    strcmp(a->host + 1, b->host + b->host_size - (a->host_size - 1)) == 0;
}

static bool parse_route_covers_path(const struct conf_route *a, const struct conf_route *b)
{
	if (!a->path)
		return true;
	return b->path && a->path_size <= b->path_size && memcmp(a->path, b->path, a->path_size) == 0 &&
	    (a->path[a->path_size - 1] == '/' || a->path_size == b->path_size || b->path[a->path_size] == '/');
}

static bool parse_route_covers_methods(const struct conf_route *a, const struct conf_route *b)
{
	if (!a->methods || (b->methods && strcmp(a->methods, b->methods) == 0))
		return true;
	/* Of methods that are not among the known ones the bits do not say which. */
	return b->methods && !(b->method_bits & 1) && (b->method_bits & ~a->method_bits) == 0;
}

static bool parse_route_has_header(const struct conf_route *r, const struct conf_route_header *h)
{
	for (unsigned i = 0; i < r->nheaders; i++) {
		const struct conf_route_header *o = &r->header[i];

		if (o->name_size == h->name_size && http_chars_same_name(o->name, h->name, h->name_size) &&
		    (!h->value || (o->value && strcmp(h->value, o->value) == 0)))
			return true;
	}
	return false;
}

bool parse_route_covers(const struct conf_route *earlier, const struct conf_route *later)
{
	for (unsigned i = 0; i < earlier->nheaders; i++)
		if (!parse_route_has_header(later, &earlier->header[i]))
			return false;
	return parse_route_covers_host(earlier, later) && parse_route_covers_path(earlier, later) &&
	    parse_route_covers_methods(earlier, later);
}
