/* Where a request wants to go. Worker only. */
#include "worker/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "balance/balance.h"
#include "balance/hash.h"

#define COOKIE_SIZE 16	/* hexadecimal digits of server.cookie */

/* ---- cookies ---- */

/* One NAME=VALUE of a Cookie field (RFC 6265 4.2.1); at..next has it whole, with what separates it from the next. */
struct pair {
	const char *name, *value;
	size_t name_size, value_size;
	const char *next;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool next_pair(struct pair *p, const char *at, const char *end)
{
	const char *semicolon, *equals, *stop;

	while (at < end && (is_blank(*at) || *at == ';'))
		at++;
	if (at == end)
		return false;
	semicolon = memchr(at, ';', (size_t)(end - at));
	stop = semicolon ? semicolon : end;
	p->next = semicolon ? semicolon + 1 : end;
	while (stop > at && is_blank(stop[-1]))
		stop--;
	equals = memchr(at, '=', (size_t)(stop - at));
	p->name = at;
	p->name_size = (size_t)((equals ? equals : stop) - at);
	p->value = equals ? equals + 1 : stop;
	p->value_size = (size_t)(stop - p->value);
	return true;
}

static bool named(const struct pair *p, const char *name)
{
	return p->name_size == strlen(name) && memcmp(p->name, name, p->name_size) == 0;
}

/* The first cookie of that name in all fields. */
static bool find_cookie(const struct http_head *h, const char *at, const char *name, struct pair *p)
{
	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->field[i];
		const char *v = at + f->value_at, *end = v + f->value_size;

		if (f->id != HTTP_F_COOKIE)
			continue;
		for (; next_pair(p, v, end); v = p->next)
			if (named(p, name))
				return true;
	}
	return false;
}

/* The field without the cookies of that name: what stays is written over what was there. */
static void strip_cookie(struct http_field *f, char *at, const char *name)
{
	char *v = at + f->value_at, *end = v + f->value_size, *to = v;
	const char *from = v;
	struct pair p;
	bool found = false;

	for (; next_pair(&p, from, end); from = p.next)
		found = found || named(&p, name);
	if (!found)
		return;		/* whatever it looks like, it stays as it came */
	for (from = v; next_pair(&p, from, end); from = p.next) {
		size_t size = (size_t)(p.value + p.value_size - p.name);
		if (named(&p, name))
			continue;
		if (to > v) {
			*to++ = ';';
			*to++ = ' ';
		}
		memmove(to, p.name, size);
		to += size;
	}
	f->value_size = (uint32_t)(to - v);
	if (to == v)
		f->drop = 1;
}

/* ---- requests ---- */

static int by_cookie(const struct pool *p, const struct pair *cookie)
{
	uint64_t v = 0;

	if (cookie->value_size != COOKIE_SIZE)
		return -1;
	for (unsigned i = 0; i < COOKIE_SIZE; i++) {
		char c = cookie->value[i];
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return -1;
	}
	for (unsigned i = 0; i < p->conf->nservers; i++)
		if (p->server[i].cookie == v)
			return (int)i;
	return -1;
}

/* An address is the same whether it came over IPv4 or mapped into IPv6. */
static uint64_t source_key(const struct session *s)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (s->peer_family == AF_INET)
		return hash_bytes(HASH_KEY, s->peer, 4);
	if (s->peer_family == AF_INET6 && memcmp(s->peer, mapped, sizeof mapped) == 0)
		return hash_bytes(HASH_KEY, s->peer + 12, 4);
	if (s->peer_family == AF_INET6)
		return hash_bytes(HASH_KEY, s->peer, 16);
	return balance_draw(&worker.rng);	/* a unix socket has no address: anywhere */
}

static bool find_field(const struct http_head *h, const char *at, const char *name, struct http_span *value)
{
	size_t size = strlen(name);

	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->field[i];
		if (f->name_size == size && strncasecmp(at + f->name_at, name, size) == 0) {
			*value = (struct http_span){ f->value_at, f->value_size };
			return true;
		}
	}
	return false;
}

static uint64_t key(const struct exchange *x, const struct http_head *h, const char *at)
{
	const struct conf_pool *pool = x->pool->conf;
	struct http_span span;
	const char *query;
	struct pair p;

	switch (pool->hash) {
	case CONF_HASH_SOURCE:
		return source_key(x->s);
	case CONF_HASH_PATH:
		if (h->target.size == 0)
			return hash_bytes(HASH_KEY, "/", 1);	/* of http://host */
		query = memchr(at + h->target.at, '?', h->target.size);
		return hash_bytes(HASH_KEY, at + h->target.at, query ? (size_t)(query - at) - h->target.at : h->target.size);
	case CONF_HASH_HEADER:
		if (find_field(h, at, pool->hash_name, &span))
			return hash_bytes(HASH_KEY, at + span.at, span.size);
		break;
	case CONF_HASH_COOKIE:
		if (find_cookie(h, at, pool->hash_name, &p))
			return hash_bytes(HASH_KEY, p.value, p.value_size);
		break;
	}
	return balance_draw(&worker.rng);
}

void place_http(struct exchange *x, struct http_head *h, char *at)
{
	const char *cookie = x->pool->conf->sticky.cookie;
	struct pair p;

	if (x->pool->maglev)
		x->key = key(x, h, at);
	if (cookie == NULL || h->first[HTTP_F_COOKIE] < 0)
		return;
	if (!find_cookie(h, at, cookie, &p))
		return;
	x->sticky = by_cookie(x->pool, &p);
	for (unsigned i = 0; i < h->nfields; i++)
		if (h->field[i].id == HTTP_F_COOKIE)
			strip_cookie(&h->field[i], at, cookie);
}

void place_tcp(struct exchange *x)
{
	if (x->pool->maglev)
		x->key = source_key(x->s);
}

/* ---- answers ---- */

void place_cookie(const struct exchange *x, struct buf *out)
{
	static const char *const samesite[] = {
		[CONF_SAMESITE_LAX] = "Lax", [CONF_SAMESITE_STRICT] = "Strict", [CONF_SAMESITE_NONE] = "None",
	};
	const struct conf_sticky *sticky = &x->pool->conf->sticky;
	char line[512], age[40] = "";
	int n;

	if (sticky->cookie == NULL || x->sticky == x->server - x->pool->server)
		return;
	if (sticky->max_age_ns)
		snprintf(age, sizeof age, "; Max-Age=%" PRIu64, sticky->max_age_ns / CONF_SECOND);
	n = snprintf(line, sizeof line, "Set-Cookie: %s=%016" PRIx64 "; Path=/%s; HttpOnly%s; SameSite=%s\r\n\r\n", sticky->cookie,
	    x->server->cookie, age, sticky->secure ? "; Secure" : "", samesite[sticky->samesite]);
	/* Without room the client goes without, and is given one next time. */
	if (n < 0 || (size_t)n >= sizeof line || out->end < 2 || buf_room(out) < (size_t)n)
		return;
	memcpy(out->data + out->end - 2, line, (size_t)n);
	out->end += (uint32_t)n - 2;
}
