/*
 * Where a request goes. Worker only.
 *
 * Paths are compared as they were sent. But "/%61dmin", "//admin", "/x/../admin" and "/admin;x" are
 * "/admin" to some servers and not to others, and routes are used to keep clients out. So a path that could
 * be read in more than one way is read in all of them, and when they do not take the same route the request
 * is refused. Paths without such signs, which is nearly all, are matched once.
 */
#include "worker/route.h"

#include <string.h>
#include <strings.h>

#include "http/chars.h"
#include "http/meaning.h"

/* What servers do to a path, each or not; dots are resolved last. */
enum { DECODE = 1, MERGE = 2, STRIP = 4, READINGS = 8 };

struct request {
	const struct http_head *h;
	const char *at;
	struct http_text host, path;
	bool odd_host;		/* a host that somebody might decode was compared */
};

struct http_text route_path(const struct http_head *h, const char *at)
{
	const char *path = at + h->target.at, *query;

	if (h->target.size == 0 || *path == '?')	/* of an absolute target */
		return (struct http_text){ "/", 1 };
	query = memchr(path, '?', h->target.size);
	return (struct http_text){ path, query ? (size_t)(query - path) : h->target.size };
}

struct http_text route_host(const struct http_head *h, const char *at)
{
	struct http_text host = { at + h->authority.at, h->authority.size };
	const char *colon = memrchr(host.at, ':', host.size);

	if (colon && !memchr(colon, ']', host.size - (size_t)(colon - host.at)))
		host.size = (size_t)(colon - host.at);
	if (host.size > 1 && host.at[host.size - 1] == '.')
		host.size--;
	return host;
}

/* ---- conditions ---- */

static bool host_matches(const struct conf_route *r, struct request *q)
{
	if (memchr(q->host.at, '%', q->host.size))
		q->odd_host = true;
	if (r->host_size > 2 && r->host[0] == '*') {
		size_t tail = r->host_size - 1;	/* with its dot */
		return q->host.size > tail && strncasecmp(q->host.at + q->host.size - tail, r->host + 1, tail) == 0;
	}
	return q->host.size == r->host_size && strncasecmp(q->host.at, r->host, r->host_size) == 0;
}

/* "/a" takes "/a" and "/a/b", not "/ab"; "/a/" takes what is below it. */
static bool path_matches(const struct conf_route *r, struct http_text path)
{
	if (path.size < r->path_size || memcmp(path.at, r->path, r->path_size) != 0)
		return false;
	return r->path[r->path_size - 1] == '/' || path.size == r->path_size || path.at[r->path_size] == '/';
}

static bool method_matches(const struct conf_route *r, const struct request *q)
{
	const char *text = q->at + q->h->method_text.at, *p;
	size_t size = q->h->method_text.size;

	if (!(r->method_bits & 1u << q->h->method))
		return false;
	if (q->h->method != HTTP_METHOD_OTHER)
		return true;
	for (p = r->methods;; p++) {
		const char *end = strchrnul(p, ',');

		if ((size_t)(end - p) == size && memcmp(p, text, size) == 0)
			return true;
		if (*end == '\0')
			return false;
		p = end;
	}
}

/* Some field of this name has this value. What Connection names does not reach the server, and does not count. */
static bool header_matches(const struct conf_route_header *c, const struct request *q)
{
	const struct http_head *h = q->h;
	bool upgrade = c->id == HTTP_F_UPGRADE;

	if (upgrade ? !h->upgrade : c->id != HTTP_FIELD_OTHER && !(h->seen & HTTP_BIT(c->id)))
		return false;
	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http_field *f = &h->field[i];

		if (f->id != c->id || (f->drop && !upgrade))
			continue;
		if (c->id == HTTP_FIELD_OTHER && (f->name_size != c->name_size ||
		    !http_chars_same_name(q->at + f->name_at, c->name, c->name_size)))
			continue;
		if (!c->value)
			return true;
		if (f->value_size == c->value_size && (upgrade ?
		    strncasecmp(q->at + f->value_at, c->value, c->value_size) :	/* RFC 9110 7.8 */
		    memcmp(q->at + f->value_at, c->value, c->value_size)) == 0)
			return true;
	}
	return false;
}

static int first_match(const struct conf_listener *l, struct request *q)
{
	for (unsigned i = 0; i < l->nroutes; i++) {
		const struct conf_route *r = &l->route[i];
		unsigned k;

		if (r->path && !path_matches(r, q->path))
			continue;
		if (r->methods && !method_matches(r, q))
			continue;
		if (r->host && !host_matches(r, q))
			continue;
		for (k = 0; k < r->nheaders && header_matches(&r->header[k], q); k++)
			;
		if (k == r->nheaders)
			return (int)i;
	}
	return ROUTE_DEFAULT;
}

/* ---- other readings of a path ---- */

static bool readable_differently(struct http_text path)
{
	const char *p = path.at, *end = p + path.size;

	for (; p < end; p++)
		if (*p == '%' || *p == ';' || (*p == '/' && p + 1 < end && (p[1] == '/' || p[1] == '.')))
			return true;
	return false;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes "." and ".." out, in place. RFC 3986 5.2.4 */
static size_t resolve(char *path, size_t size)
{
	size_t from = 0, to = 0;

	while (from < size) {
		size_t end = from + 1, segment;
		bool last;

		while (end < size && path[end] != '/')
			end++;
		segment = end - from - 1;	/* behind its slash */
		last = end == size;
		if (segment == 1 && path[from + 1] == '.') {
			if (last)
				path[to++] = '/';
		} else if (segment == 2 && path[from + 1] == '.' && path[from + 2] == '.') {
			while (to > 0 && path[--to] != '/')
				;
			if (last)
				path[to++] = '/';
		} else {
			memmove(path + to, path + from, end - from);
			to += end - from;
		}
		from = end;
	}
	if (to == 0)
		path[to++] = '/';
	return to;
}

/* The path as a server reads it that does `how`. out has room for all of it; it begins with "/". */
static size_t read_as(char *out, struct http_text path, unsigned how)
{
	size_t n = 0;
	bool parameter = false;

	for (size_t i = 0; i < path.size; i++) {
		char c = path.at[i];

		int high = how & DECODE && c == '%' && path.size - i > 2 ? hex(path.at[i + 1]) : -1;
		int low = high >= 0 ? hex(path.at[i + 2]) : -1;

		if (high >= 0 && low >= 0) {
			c = (char)(high * 16 + low);
			i += 2;
			if (c == '\\')
				c = '/';
		}
		if (c == '/')
			parameter = false;
		else if (how & STRIP && c == ';')
			parameter = true;
		if (parameter || (how & MERGE && c == '/' && n > 0 && out[n - 1] == '/'))
			continue;
		out[n++] = c;
	}
	return resolve(out, n);
}

static bool all_readings_agree(const struct conf_listener *l, const struct request *q, int found)
{
	struct request other = *q;
	char out[16 * 1024];	/* what a head may have at most: see max-head in conf/words.c */

	if (q->path.size > sizeof(out))
		return false;
	other.path.at = out;
	for (unsigned how = 0; how < READINGS; how++) {
		other.path.size = read_as(out, q->path, how);
		if (first_match(l, &other) != found)
			return false;
	}
	return true;
}

int route_find(const struct conf_listener *l, const struct http_head *h, const char *at)
{
	struct request q = { .h = h, .at = at, .host = route_host(h, at), .path = route_path(h, at) };
	int found = first_match(l, &q);

	if (l->http.has_paths && q.path.at[0] == '/' && readable_differently(q.path) && !all_readings_agree(l, &q, found))
		return ROUTE_AMBIGUOUS;
	return q.odd_host ? ROUTE_AMBIGUOUS : found;
}
