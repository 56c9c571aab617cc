/* worker/route: which route takes a request, and what is refused because servers may read it differently. */
#include "worker/route.h"

#include <stdlib.h>

#include "conf/parse.h"
#include "tests/unit/edge.h"
#include "tests/unit/tap.h"
#include "worker/reply.h"

#define POOLS "pool a {\nserver one 1\n}\npool b {\nserver one 2\n}\n"

static struct edge room;

static struct conf *configure(const char *routes)
{
	static char text[8192];
	char *said = NULL;
	size_t size;
	FILE *err = open_memstream(&said, &size);
	struct conf *c;
	int n = snprintf(text, sizeof(text), POOLS "listen l {\nbind 127.0.0.1:80\nto a\n%s}\n", routes);

	c = parse_buffer(text, (size_t)n, "F", err);
	fclose(err);
	if (!c) {
		ok(false, "configuration");
		tap_show("said:", said);
		exit(1);
	}
	free(said);
	return c;
}

static struct http_head head;

/* Head and bytes of a request whose last byte is followed by an unreadable page. */
static const char *request(const char *text)
{
	const char *at = edge_put(&room, text, strlen(text));

	http_request_start(&head, &http_limits_default);
	if (http_request_parse(&head, at, strlen(text)) != HTTP_DONE) {
		ok(false, "a good request");
		tap_show("it is:", text);
		exit(1);
	}
	return at;
}

struct route_case { const char *request; int want; };

static void run(const char *name, const char *routes, const struct route_case *c, size_t n)
{
	struct conf *conf = configure(routes);

	for (size_t i = 0; i < n; i++) {
		char label[128];
		const char *at = request(c[i].request);

		snprintf(label, sizeof(label), "%s: %.*s", name, (int)strcspn(c[i].request, "\r"), c[i].request);
		for (char *p = label; *p; p++)
			if (*p == '#')
				*p = '_';
		if (!is_int(route_find(&conf->listener[0], &head, at), c[i].want, label))
			tap_show("request:", c[i].request);
	}
	conf_free(conf);
}

#define RUN(name, routes, cases)	run((name), (routes), (cases), sizeof(cases) / sizeof(*(cases)))
#define GET(target, fields)	"GET " target " HTTP/1.1\r\nHost: www.example.org\r\n" fields "\r\n"
#define HOST(host)	"GET / HTTP/1.1\r\nHost: " host "\r\n\r\n"

static void test_paths(void)
{
	static const struct route_case c[] = {
		{ GET("/", ""), ROUTE_DEFAULT },
		{ GET("/static", ""), 0 },
		{ GET("/static/", ""), 0 },
		{ GET("/static/a/b", ""), 0 },
		{ GET("/static?a", ""), 0 },
		{ GET("/statics", ""), ROUTE_DEFAULT },
		{ GET("/Static", ""), ROUTE_DEFAULT },
		{ GET("/stat", ""), ROUTE_DEFAULT },
		{ GET("/x/static/", ""), ROUTE_DEFAULT },
		{ GET("/?/static", ""), ROUTE_DEFAULT },
		{ GET("/dir", ""), ROUTE_DEFAULT },
		{ GET("/dir/", ""), 1 },
		{ GET("/dir/x", ""), 1 },
		{ GET("/dir?/", ""), ROUTE_DEFAULT },
		{ GET("http://www.example.org/static/x", ""), 0 },
		{ GET("http://www.example.org", ""), ROUTE_DEFAULT },
		{ GET("http://www.example.org?/static/", ""), ROUTE_DEFAULT },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ROUTE_DEFAULT },
	};
	static const struct route_case all[] = {
		{ GET("/", ""), 0 },
		{ GET("/x", ""), 0 },
		{ GET("http://www.example.org", ""), 0 },
		{ GET("http://www.example.org?x", ""), 0 },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ROUTE_DEFAULT },
	};

	RUN("path", "route path /static to b\nroute path /dir/ to b\n", c);
	RUN("every path", "route path / to b\n", all);
}

/* "/admin" is kept from others: whatever a server might take for it must not go to the default pool, nor the reverse. */
static void test_readings(void)
{
	static const struct route_case c[] = {
		{ GET("/admin", ""), 0 },
		{ GET("/admin/%2e", ""), 0 },
		{ GET("/admin//x", ""), 0 },
		{ GET("/admin/a%20b;c", ""), 0 },
		{ GET("/admin/.hidden", ""), 0 },
		{ GET("/admin/x/../y", ""), 0 },
		{ GET("/x%20y", ""), ROUTE_DEFAULT },
		{ GET("/a%2Fb", ""), ROUTE_DEFAULT },
		{ GET("/.well-known/acme", ""), ROUTE_DEFAULT },
		{ GET("//x", ""), ROUTE_DEFAULT },
		{ GET("/a;b=c/d", ""), ROUTE_DEFAULT },
		{ GET("/%zz/%", ""), ROUTE_DEFAULT },
		{ GET("/a/../b", ""), ROUTE_DEFAULT },
		{ GET("/x?y=/../admin", ""), ROUTE_DEFAULT },
		{ GET("/x?%61dmin//", ""), ROUTE_DEFAULT },
		{ GET("//admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/./admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/x/../admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/../admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/../../admin/", ""), ROUTE_AMBIGUOUS },
		{ GET("/x/%2e%2E/admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/x%2f..%2fadmin", ""), ROUTE_AMBIGUOUS },
		{ GET("/x%5c..%5Cadmin", ""), ROUTE_AMBIGUOUS },
		{ GET("/%61dmin", ""), ROUTE_AMBIGUOUS },
		{ GET("/admin%2fx", ""), ROUTE_AMBIGUOUS },
		{ GET("/admin;x", ""), ROUTE_AMBIGUOUS },
		{ GET("/admin;x/y", ""), ROUTE_AMBIGUOUS },
		{ GET("/;/admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/x/..;/admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/x/%2e.;y/admin", ""), ROUTE_AMBIGUOUS },
		{ GET("/%2fadmin", ""), ROUTE_AMBIGUOUS },
		{ GET("/admin/..", ""), ROUTE_AMBIGUOUS },
		{ GET("/admin/../x", ""), ROUTE_AMBIGUOUS },
		{ GET("/admin/%2e%2e/x", ""), ROUTE_AMBIGUOUS },
		{ GET("/admin/x/../../y", ""), ROUTE_AMBIGUOUS },
		{ GET("http://www.example.org//admin", ""), ROUTE_AMBIGUOUS },
	};
	static const struct route_case none[] = {
		{ GET("//admin", ""), ROUTE_DEFAULT },
		{ GET("/x/../admin", ""), ROUTE_DEFAULT },
	};

	RUN("readings", "route path /admin to b\n", c);
	RUN("without routes by path nothing is refused", "route method POST to b\n", none);
}

static void test_hosts(void)
{
	static const struct route_case c[] = {
		{ HOST("www.example.org"), 0 },
		{ HOST("WWW.Example.ORG"), 0 },
		{ HOST("www.example.org:8080"), 0 },
		{ HOST("www.example.org:"), 0 },
		{ HOST("www.example.org."), 0 },
		{ HOST("www.example.org.:80"), 0 },
		{ HOST("example.org"), ROUTE_DEFAULT },
		{ HOST("xwww.example.org"), ROUTE_DEFAULT },
		{ HOST("a.example.net"), 1 },
		{ HOST("a.b.example.net:1"), 1 },
		{ HOST("example.net"), ROUTE_DEFAULT },
		{ HOST("xexample.net"), ROUTE_DEFAULT },
		{ HOST("[::1]:80"), ROUTE_DEFAULT },
		{ HOST("www.ex%61mple.org"), ROUTE_AMBIGUOUS },
		{ "GET / HTTP/1.0\r\n\r\n", ROUTE_DEFAULT },
		{ "GET http://www.example.org/ HTTP/1.1\r\nHost: other\r\n\r\n", 0 },
		{ "GET http://other/ HTTP/1.1\r\nHost: www.example.org\r\n\r\n", ROUTE_DEFAULT },
	};

	RUN("host", "route host www.Example.org to b\nroute host *.example.net to b\n", c);
}

static void test_methods_and_fields(void)
{
	static const struct route_case m[] = {
		{ "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "PUT / HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "PURG / HTTP/1.1\r\nHost: a\r\n\r\n", ROUTE_DEFAULT },
		{ "BAN / HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "post / HTTP/1.1\r\nHost: a\r\n\r\n", ROUTE_DEFAULT },
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ROUTE_DEFAULT },
	};
	static const struct route_case f[] = {
		{ GET("/", "X-Tenant: blue\r\n"), 0 },
		{ GET("/", "x-tenant:blue\r\n"), 0 },
		{ GET("/", "X-Tenant: green\r\nX-Tenant: blue\r\n"), 0 },
		{ GET("/", "X-Tenant: blue2\r\n"), ROUTE_DEFAULT },
		{ GET("/", "X-Tenant: Blue\r\n"), ROUTE_DEFAULT },
		{ GET("/", "X-Tenant:\r\n"), ROUTE_DEFAULT },
		{ GET("/", "X-Tenan: blue\r\n"), ROUTE_DEFAULT },
		{ GET("/", "X-Tenant: blue\r\nConnection: x-tenant\r\n"), ROUTE_DEFAULT },
		{ GET("/", "X-Beta: whatever\r\n"), 1 },
		{ GET("/", "X-Beta:\r\n"), 1 },
		{ GET("/", "Upgrade: WebSocket\r\nConnection: upgrade\r\n"), 2 },
		{ GET("/", "Upgrade: websocket\r\n"), ROUTE_DEFAULT },
		{ GET("/", "Upgrade: other\r\nConnection: upgrade\r\n"), ROUTE_DEFAULT },
		{ GET("/", "User-Agent: a b\r\n"), 3 },
		{ GET("/", "X-To: to\r\n"), 4 },
	};

	RUN("method", "route method POST,PUT,PURGE,BAN to b\n", m);
	RUN("header", "route header X-Tenant blue to b\nroute header X-Beta to b\nroute header Upgrade websocket to b\n"
	    "route header User-Agent \"a b\" to b\nroute header X-To \"to\" to b\n", f);
}

static void test_together(void)
{
	static const struct route_case c[] = {
		{ "POST /api/x HTTP/1.1\r\nHost: a.org\r\nX-A: 1\r\nX-B: 2\r\n\r\n", 0 },
		{ "GET /api/x HTTP/1.1\r\nHost: a.org\r\nX-A: 1\r\nX-B: 2\r\n\r\n", 1 },
		{ "POST /api/x HTTP/1.1\r\nHost: a.org\r\nX-A: 1\r\n\r\n", 1 },
		{ "POST /api/x HTTP/1.1\r\nHost: b.org\r\nX-A: 1\r\nX-B: 2\r\n\r\n", 1 },
		{ "POST /ap/x HTTP/1.1\r\nHost: a.org\r\nX-A: 1\r\nX-B: 2\r\n\r\n", ROUTE_DEFAULT },
	};

	RUN("all conditions, first match", "route header X-B 2 method POST path /api host a.org header X-A to b\nroute path /api to a\n", c);
}

/* ---- Location ---- */

struct location_case { const char *route, *request, *want; };

static void test_locations(void)
{
	static const struct location_case c[] = {
		{ "redirect 301 https://{host}{path}", "GET /a/b?c=d HTTP/1.1\r\nHost: x.org:8080\r\n\r\n", "https://x.org/a/b?c=d" },
		{ "redirect 301 https://{host}{path}", "GET http://y.org HTTP/1.1\r\nHost: x.org\r\n\r\n", "https://y.org/" },
		{ "redirect 301 https://{host}{path}", "GET http://y.org?q HTTP/1.1\r\nHost: x.org\r\n\r\n", "https://y.org/?q" },
		{ "redirect 301 https://{host}{path}", "OPTIONS * HTTP/1.1\r\nHost: x.org\r\n\r\n", "https://x.org/*" },
		{ "redirect 301 https://{host}{path}", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "https://[::1]/" },
		{ "redirect 301 https://{host}{path}", "GET / HTTP/1.0\r\n\r\n", "" },
		{ "redirect 302 https://{host}:8443{path}", "GET //evil.org HTTP/1.1\r\nHost: x.org\r\n\r\n", "https://x.org:8443//evil.org" },
		{ "path /old redirect 307 https://new.org{rest}", "GET /old/x?y HTTP/1.1\r\nHost: x\r\n\r\n", "https://new.org/x?y" },
		{ "path /old redirect 307 https://new.org{rest}", "GET /old?@evil HTTP/1.1\r\nHost: x\r\n\r\n", "https://new.org?@evil" },
		{ "path /old redirect 307 https://new.org{rest}", "GET /old HTTP/1.1\r\nHost: x\r\n\r\n", "https://new.org" },
		{ "path /old/ redirect 308 /new/{rest}", "GET /old/x/y HTTP/1.1\r\nHost: x\r\n\r\n", "/new/x/y" },
		{ "path /old/ redirect 308 /{rest}", "GET /old//evil.org/x HTTP/1.1\r\nHost: x\r\n\r\n", "/evil.org/x" },
		{ "path /old/ redirect 308 /{rest}", "GET /old///evil.org HTTP/1.1\r\nHost: x\r\n\r\n", "/evil.org" },
		{ "path /old/ redirect 308 /{rest}", "GET /old/ HTTP/1.1\r\nHost: x\r\n\r\n", "/" },
		{ "path / redirect 308 /new/{rest}", "GET http://x?q HTTP/1.1\r\nHost: x\r\n\r\n", "/new/?q" },
		{ "redirect 308 https://x.org{rest}", "GET http://x?q HTTP/1.1\r\nHost: x\r\n\r\n", "https://x.org/?q" },
		{ "redirect 308 https://x.org{rest}", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "https://x.org/*" },
		{ "redirect 302 /login?from={path}", "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", "/login?from=/a?b=c" },
		{ "redirect 302 https://x.org{path}", "GET /a|b{c}[d]^`?\\ HTTP/1.1\r\nHost: x\r\n\r\n",
		  "https://x.org/a%7Cb%7Bc%7D%5Bd%5D%5E%60?%5C" },
		{ "redirect 302 /a%20b/", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "/a%20b/" },
		{ "redirect 302 https://x.org{path}", "GET /%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: x\r\n\r\n", "https://x.org/%0d%0aSet-Cookie:x" },
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(*c); i++) {
		char text[512], out[256], label[128], copy[256];
		struct http_head again;
		struct conf *conf;
		const char *at;
		size_t n, all;
		int wrong = 0;

		snprintf(text, sizeof(text), "route header X-Never to b\nroute %s\n", c[i].route);
		/* What takes everything leaves nothing for the listener's pool. */
		if (strncmp(c[i].route, "redirect", 8) == 0)
			snprintf(text, sizeof(text), "route header User-Agent %s\n", c[i].route);
		conf = configure(text);
		at = request(c[i].request);
		again = head;
		struct conf_route *r = &conf->listener[0].route[conf->listener[0].nroutes - 1];
		all = reply_location(out, sizeof(out) - 1, r, &head, at);
		out[all] = '\0';
		snprintf(label, sizeof(label), "%s: %.*s", c[i].route, (int)strcspn(c[i].request, "\r"), c[i].request);
		is_str(out, c[i].want, label);
		/* In less room it is nothing, and does not go beyond. */
		for (n = 1; n < all; n++)
			wrong += reply_location(edge_room(&room, n), n, r, &again, strcpy(copy, c[i].request)) != 0;
		is_int(wrong, 0, "and nothing where it does not fit");
		conf_free(conf);
	}
}

int main(void)
{
	room = edge_make(16384);
	test_paths();
	test_readings();
	test_hosts();
	test_methods_and_fields();
	test_together();
	test_locations();
	return done_testing();
}
