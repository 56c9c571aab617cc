/*
 * Fuzz target: routes. A request goes through listeners whose routes keep it from a path, redirect it, or
 * look at its fields. A second reader of paths, which shares nothing with worker/route.c, does all that
 * servers do to a path; no request may get past a route for a path by being written differently, and no
 * redirect may lead to a host that the configuration and Host did not name.
 */
#include <stdint.h>
#include <stdio.h>

#include "conf/parse.h"
#include "tests/fuzz/same.h"
#include "worker/reply.h"
#include "worker/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char configuration[] =
    "pool p {\nserver a 1\n}\n"
    "listen guard {\nbind 127.0.0.1:1\nroute path /a to p\nroute path /b/c/ to p\nto p\n}\n"
    "listen all {\nbind 127.0.0.1:2\nroute redirect 301 https://{host}{path}\n}\n"
    "listen old {\nbind 127.0.0.1:3\nroute path /a redirect 302 https://new.org{rest}\nto p\n}\n"
    "listen local {\nbind 127.0.0.1:4\nroute path /a/ redirect 307 /{rest}\nto p\n}\n"
    "listen fields {\nbind 127.0.0.1:5\nroute host *.a method X,GET header B header C d to p\n"
    "route header Upgrade websocket to p\nroute host a path /a header Cookie to p\nto p\n}\n";

static struct http_head head;

static int digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

struct segment { const char *at; size_t size; };

/* The path as the most obliging of servers reads it: decoded, without parameters, empty segments and dots. */
static size_t oblige(char *out, const char *p, size_t n)
{
	static char plain[4096];
	static struct segment segment[4096];
	size_t size = 0, count = 0, end = 0;
	bool open = false;	/* ends with a slash */

	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)p[i];

		if (c == '%' && i + 2 < n && digit(p[i + 1]) >= 0 && digit(p[i + 2]) >= 0) {
			c = digit(p[i + 1]) * 16 + digit(p[i + 2]);
			i += 2;
			if (c == '\\')
				c = '/';
		}
		plain[size++] = (char)c;
	}
	for (size_t i = 0; i < size;) {
		struct segment s = { plain + i + 1, 0 };
		const char *parameter;

		for (i++; i < size && plain[i] != '/'; i++)
			s.size++;
		parameter = memchr(s.at, ';', s.size);
		if (parameter)
			s.size = (size_t)(parameter - s.at);
		open = s.size == 0 || (s.size == 1 && *s.at == '.') || (s.size == 2 && s.at[0] == '.' && s.at[1] == '.');
		if (open && s.size == 2 && count)
			count--;
		if (!open)
			segment[count++] = s;
	}
	for (size_t i = 0; i < count; i++) {
		out[end++] = '/';
		memcpy(out + end, segment[i].at, segment[i].size);
		end += segment[i].size;
	}
	if (open || end == 0)
		out[end++] = '/';
	return end;
}

static bool under_a(const char *p, size_t n)
{
	return n >= 2 && p[0] == '/' && p[1] == 'a' && (n == 2 || p[2] == '/');
}

static bool below_b_c(const char *p, size_t n)
{
	return n >= 5 && !memcmp(p, "/b/c/", 5);
}

static void guarded(const struct conf_listener *l, const char *at)
{
	static char read[8192];
	struct http_text path = route_path(&head, at);
	int found = route_find(l, &head, at);
	size_t n;

	if (path.at[0] != '/')
		return;		/* "*" */
	n = oblige(read, path.at, path.size);
	MUST(found >= -2 && found <= 1);
	MUST(found != ROUTE_DEFAULT || (!under_a(read, n) && !below_b_c(read, n)));
	MUST(found != 0 || under_a(read, n));
	MUST(found != 1 || below_b_c(read, n));
	/* Nothing is refused without a reason. */
	MUST(found != ROUTE_AMBIGUOUS || memchr(path.at, '%', path.size) || memchr(path.at, ';', path.size) ||
	    memmem(path.at, path.size, "//", 2) || memmem(path.at, path.size, "/.", 2));
}

/* Where a redirect leads; empty: it is not taken, or there is none. */
static struct http_text redirected(const struct conf_listener *l, const char *at)
{
	static char out[16384];
	int found = route_find(l, &head, at);
	size_t n;

	if (found != 0)
		return (struct http_text){ 0 };
	n = reply_location(out, sizeof(out), &l->route[0], &head, at);
	for (size_t i = 0; i < n; i++)
		MUST(out[i] > ' ' && out[i] < 0x7f && !strchr("\"<>\\^`{|}", out[i]));
	return (struct http_text){ out, n };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf *conf;
	struct http_text to, host;
	const char *at = (const char *)data;

	if (!conf) {
		char *text = strdup(configuration);

		conf = parse_buffer(text, strlen(text), "fuzz", stderr);
		MUST(conf != NULL);
		free(text);
	}
	same_start(&head, true);
	if (size > 1500 || http_request_parse(&head, at, size) != HTTP_DONE)
		return 0;
	guarded(&conf->listener[0], at);

	host = route_host(&head, at);
	to = redirected(&conf->listener[1], at);
	MUST((to.size > 0) == (host.size > 0));
	if (to.size)
		MUST(to.size > 8 + host.size && !memcmp(to.at, "https://", 8) && !memcmp(to.at + 8, host.at, host.size) &&
		    to.at[8 + host.size] == '/');
	to = redirected(&conf->listener[2], at);
	if (to.size)
		MUST(to.size >= 15 && !memcmp(to.at, "https://new.org", 15) && (to.size == 15 || to.at[15] == '/' || to.at[15] == '?'));
	to = redirected(&conf->listener[3], at);
	if (to.size)
		MUST(to.at[0] == '/' && (to.size == 1 || to.at[1] != '/'));
	MUST(route_find(&conf->listener[4], &head, at) >= ROUTE_AMBIGUOUS);
	return 0;
}
