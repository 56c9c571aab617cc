/* conf/: routes, fields, trust, error bodies, limits of requests: what is understood, refused, and printed. */
#include <netinet/in.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "conf/parse.h"
#include "tests/unit/tap.h"

static char *messages;
static size_t messages_size;

static struct conf *parse(const char *text)
{
	size_t size = strlen(text);
	char *buf = malloc(size + 1);
	struct conf *c;
	FILE *err;

	free(messages);
	messages = NULL;
	err = open_memstream(&messages, &messages_size);
	memcpy(buf, text, size);
	c = parse_buffer(buf, size, "F", err);
	fclose(err);
	free(buf);
	return c;
}

static char *printed(const struct conf *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	conf_print(c, out);
	fclose(out);
	return text;
}

#define POOLS	"pool p {\nserver a 1\n}\npool q {\nserver a 2\n}\n"	/* lines 1 to 6 */
#define LISTEN	"listen l {\nbind 127.0.0.1:80\nto p\n"			/* 7 to 9 */

/* A listener with these lines; it must be good, and printed so that it reads back as the same. */
static struct conf *good(const char *lines)
{
	static char text[8192];
	struct conf *c, *again;
	char *first, *second;

	snprintf(text, sizeof(text), POOLS LISTEN "%s}\n", lines);
	c = parse(text);
	if (!c) {
		ok(false, "a good configuration");
		tap_show("lines:", lines);
		tap_show("said:", messages);
		exit(1);
	}
	first = printed(c);
	again = parse(first);
	ok(again != NULL, "what is printed can be read");
	if (!again) {
		tap_show("printed:", first);
		tap_show("said:", messages);
	} else {
		second = printed(again);
		is_str(second, first, "and is printed the same");
		free(second);
		conf_free(again);
	}
	free(first);
	return c;
}

/* The line of what is printed that begins with a word. */
static void prints(const char *lines, const char *want)
{
	struct conf *c = good(lines);
	char *text = printed(c);

	if (!ok(strstr(text, want) != NULL, "prints what it was given"))
		tap_show("want:", want), tap_show("got:", text);
	free(text);
	conf_free(c);
}

static void test_defaults(void)
{
	struct conf *c = good("");
	const struct conf_http *h = &c->listener[0].http;

	ok(h->forwarded_for == CONF_FORWARDED_APPEND && h->forwarded_proto == CONF_FORWARDED_OFF &&
	    h->forwarded_host == CONF_FORWARDED_OFF && h->forwarded == CONF_FORWARDED_OFF && h->scheme == CONF_SCHEME_HTTP, "fields");
	ok(!h->trust.listed && !h->request_id && !h->trace && !h->request.n && !h->response.n && !h->errors.n && !c->errors.n,
	    "trust, ids, edits, errors");
	is_str(h->via, "loadbalancer", "via");
	ok(h->max_fields == 128 && h->max_requests == UINT_MAX && h->max_request_line == 8192, "limits");
	conf_free(c);
}

static void test_routes(void)
{
	struct conf *c = good(
	    "route method GET,PURGE header X-A header X-B \"to\" path /a/b host *.Example.ORG to q\n"
	    "route path /old redirect 301 /new{rest}\n"
	    "route path /x answer 200 \"/etc/a b.html\"\n"
	    "route path /y answer 503 /etc/z type \"text/x; a=\\\"b\\\"\"\n"
	    "route path /z answer 404\n"
	    "route header X-C \"redirect\" to q\n");
	const struct conf_listener *l = &c->listener[0];
	const struct conf_route *r = l->route;

	is_int(l->nroutes, 6, "routes");
	ok(r[0].action == CONF_ROUTE_TO && r[0].pool == 1 && !strcmp(r[0].host, "*.example.org") && r[0].host_size == 13 &&
	    !strcmp(r[0].path, "/a/b") && r[0].path_size == 4 && r[0].method_bits == (1u << HTTP_GET | 1u) && r[0].nheaders == 2,
	    "all conditions");
	ok(!strcmp(r[0].header[0].name, "X-A") && !r[0].header[0].value && !strcmp(r[0].header[1].name, "X-B") &&
	    !strcmp(r[0].header[1].value, "to") && r[0].header[1].value_size == 2, "a quoted word is a value");
	ok(r[1].action == CONF_ROUTE_REDIRECT && r[1].status == 301 && r[1].target_template.n == 2, "redirect");
	ok(r[2].action == CONF_ROUTE_ANSWER && r[2].status == 200 && !strcmp(r[2].body.path, "/etc/a b.html") &&
	    !strcmp(r[2].body.type, "text/html; charset=utf-8"), "answer, its type by its name");
	is_str(r[3].body.type, "text/x; a=\"b\"", "its type as given");
	ok(r[4].status == 404 && !r[4].body.path, "answer without a body");
	ok(l->http.has_paths, "some have paths");
	conf_free(c);
}

static void test_catch_all(void)
{
	struct conf *c = parse("listen l {\nbind 127.0.0.1:80\nroute path /x answer 404\nroute redirect 308 https://{host}{path}\n}\n");

	ok(c && c->npools == 0 && c->listener[0].pool == CONF_NO_POOL, "a listener that needs no pool");
	if (c) {
		char *text = printed(c);
		struct conf *again = parse(text);
		ok(again && again->listener[0].pool == CONF_NO_POOL, "  reads back");
		free(text);
		conf_free(again);
	}
	conf_free(c);
}

static void test_fields(void)
{
	struct conf *c = good("request-field set X-A \"a {client} b\"\nrequest-field add X-A {{}\nrequest-field remove Cookie\n"
	    "request-field set host App:80\nresponse-field set Server \"\"\nresponse-field add X-B {host}\n");
	const struct conf_http *h = &c->listener[0].http;

	ok(h->request.n == 4 && h->response.n == 2 && h->request.places == HTTP_PLACE_BIT(HTTP_PLACE_CLIENT) &&
	    h->response.places == HTTP_PLACE_BIT(HTTP_PLACE_HOST), "counted");
	ok(h->request.edit[0].op == HTTP_EDIT_SET && h->request.edit[0].value_template.n == 3 && h->request.edit[1].op == HTTP_EDIT_ADD &&
	    h->request.edit[2].op == HTTP_EDIT_REMOVE && h->request.edit[2].id == HTTP_F_COOKIE && !h->request.edit[2].value, "prepared");
	is_str(h->request.host, "App:80", "the host");
	conf_free(c);
}

static void test_others(void)
{
	struct conf *c = good("forwarded-for on\nforwarded-proto keep\nforwarded-host set\nforwarded append\nscheme https\n"
	    "trusted-proxies 10.0.0.0/8 192.0.2.1 2001:db8::/32 unix\nrequest-id on\nvia lb.1\ntrace on\nretry-after 90s\n"
	    "max-head 2k\nmax-fields 1\nmax-requests 1\nerror-file 503 /etc/a\nerror-file 400 /etc/b.json type x/y\n");
	const struct conf_http *h = &c->listener[0].http;

	ok(h->forwarded_for == CONF_FORWARDED_APPEND && h->forwarded_proto == CONF_FORWARDED_KEEP &&
	    h->forwarded_host == CONF_FORWARDED_SET && h->forwarded == CONF_FORWARDED_APPEND && h->scheme == CONF_SCHEME_HTTPS, "forwarded");
	ok(h->trust.listed && h->trust.unix_sockets && h->trust.nnets == 3 && h->trust.net[0].bits == 8 && h->trust.net[1].bits == 32 &&
	    h->trust.net[2].bits == 32 && h->trust.net[2].family == AF_INET6, "trust");
	ok(h->request_id && h->trace && !strcmp(h->via, "lb.1") && h->retry_after_ns == 90 * CONF_SECOND, "id, trace, via");
	ok(h->max_request_line == 2048 && h->max_fields == 1 && h->max_requests == 1, "limits; the line is not longer than the head");
	ok(h->errors.n == 2 && h->errors.error[0].status == 503 && !strcmp(h->errors.error[1].body.type, "x/y"), "errors");
	conf_free(c);

	prints("trusted-proxies none\n", "\ttrusted-proxies none\n");
	prints("trusted-proxies all\n", "\ttrusted-proxies all\n");
	prints("trusted-proxies unix\n", "\ttrusted-proxies unix\n");
	prints("trusted-proxies 10.1.2.3\n", "\ttrusted-proxies 10.1.2.3/32\n");
	prints("forwarded-for on\n", "\tforwarded-for append\n");
	prints("via off\n", "\tvia off\n");
	prints("retry-after off\n", "\tretry-after off\n");
	prints("max-requests unlimited\n", "\tmax-requests unlimited\n");
	prints("route host a.b path /c method GET header X-D e redirect 302 /f\n",
	    "\troute host a.b path /c method GET header X-D \"e\" redirect 302 /f\n");
	prints("route path /s serve status\nserve-to 127.0.0.0/8 unix\n", "\troute path /s serve status\n\tserve-to 127.0.0.0/8 unix\n");
	prints("route path /s serve status\n", "\tserve-to all\n");
	prints("route path /c answer 200 /x.png\n", "\troute path /c answer 200 /x.png type image/png\n");
}

/* ---- what is refused ---- */

struct bad { const char *lines, *want; };	/* lines of the listener, from line 10; the message behind "F:" */

static const struct bad bads[] = {
	{ "route\n", "10:6: the line ends too early; expected route CONDITION ... to POOL, redirect STATUS TARGET, answer STATUS [FILE] or serve status" },
	{ "route path\n", "10:11: the line ends too early; expected route CONDITION" },
	{ "route path /x\n", "10:14: the line ends too early" },
	{ "route path /x path /y to q\n", "10:15: \"path\" again; expected it once in a route" },
	{ "route host a host b to q\n", "10:14: \"host\" again" },
	{ "route method GET method PUT to q\n", "10:18: \"method\" again" },
	{ "route path /x to q q\n", "10:20: \"q\" is one word too many" },
	{ "route path /x to\n", "10:17: the line ends too early; expected to POOL" },
	{ "route path /x to r\n", "10:18: there is no pool \"r\"; expected" },
	{ "route path /%61 to q\n", "10:12: \"/%61\" can be written in other ways" },
	{ "route path //x to q\n", "10:12: \"//x\" can be written in other ways" },
	{ "route path /x/../y to q\n", "10:12: \"/x/../y\" can be written in other ways" },
	{ "route path /x/. to q\n", "10:12: \"/x/.\" can be written in other ways" },
	{ "route path /x;y to q\n", "10:12: \"/x;y\" can be written in other ways" },
	{ "route method G(T to q\n", "10:14: \"G(T\" is not a method" },
	{ "route method GET, to q\n", "10:14: \"GET,\" is not a method" },
	{ "route method CONNECT to q\n", "10:14: \"CONNECT\" has a method that is always refused" },
	{ "route header X: to q\n", "10:14: \"X:\" is not the name of a field" },
	{ "route header Host a to q\n", "10:14: \"Host\" is no field to route by; expected a condition host HOST" },
	{ "route header connection close to q\n", "10:14: \"connection\" is no field to route by" },
	{ "route header Content-Length 0 to q\n", "10:14: \"Content-Length\" is no field to route by" },
	{ "route header X-A \" b\" to q\n", "10:18: \" b\" begins or ends with a blank" },
	{ "route header A header B header C header D header E header F header G header H header I to q\n", "10:86: \"I\" is one field too many" },
	{ "route to q\n", "9:1: nothing is left for this pool, the route of line 10 takes everything" },
	{ "route to q\nroute path /x to q\n", "11:7: this route is never taken, the one of line 10 takes everything first" },
	{ "route path /a to q\nroute path /a/b method GET to q\n", "11:7: this route is never taken" },
	{ "route method GET,PUT to q\nroute method PUT path /x to q\n", "11:7: this route is never taken" },
	{ "route header X-A to q\nroute header x-a 1 to q\n", "11:7: this route is never taken" },
	{ "route path /x redirect 303 /y\n", "10:24: \"303\" is not a status of redirects" },
	{ "route path /x redirect 301\n", "10:27: the line ends too early; expected redirect STATUS TARGET" },
	{ "route path /x redirect 301 y\n", "10:28: \"y\" is not a place" },
	{ "route path /x redirect 301 //evil/\n", "10:28: \"//evil/\" begins with \"//\"" },
	{ "route path /x redirect 301 /{path}\n", "10:28: \"/{path}\" has \"/\" before {path}" },
	{ "route path /x redirect 301 {path}\n", "10:28: \"{path}\" is not a place" },
	{ "route path /x redirect 301 javascript:x\n", "10:28: \"javascript:x\" is not a place" },
	{ "route path /x redirect 301 https://\n", "10:28: \"https://\" has no host" },
	{ "route path /x redirect 301 https://{path}\n", "10:28: \"https://{path}\" has no host" },
	{ "route path /x redirect 301 https://a@b/\n", "10:28: \"https://a@b/\" has no host, or one that is not valid" },
	{ "route path /x/ redirect 301 https://a.b{rest}\n", "10:29: \"https://a.b{rest}\" needs \"/\" before {rest}" },
	{ "route path /x redirect 301 \"/a b\"\n", "10:28: \"/a b\" has a character that must be written as %XX" },
	{ "route path /x redirect 301 /{client}\n", "10:28: the target of a redirect: unknown place at \"{client}\"" },
	{ "route path /x redirect 301 /{host\n", "10:28: the target of a redirect: \"{\" without \"}\" at \"{host\"" },
	{ "route path /x answer 600\n", "10:22: \"600\" is not a status" },
	{ "route path /x answer 100\n", "10:22: \"100\" is not a status" },
	{ "route path /x answer 301\n", "10:22: \"301\" is not a status" },
	{ "route path /x answer 401\n", "10:22: \"401\" is not a status" },
	{ "route path /x answer ok\n", "10:22: \"ok\" is not a status" },
	{ "route path /x answer 204 /f\n", "10:26: \"/f\" cannot go with status 204" },
	{ "route path /x answer 200 f\n", "10:26: \"f\" is not an absolute path" },
	{ "route path /x answer 200 /f typ a/b\n", "10:29: \"typ\" is in the wrong place" },
	{ "route path /x answer 200 /f type\n", "10:33: the line ends too early" },
	{ "route path /x answer 200 /f type ab\n", "10:34: \"ab\" is not a type of content" },
	{ "request-field set X-A\n", "10:22: the line ends too early; expected set NAME VALUE" },
	{ "request-field put X-A b\n", "10:15: \"put\" is nothing to do with a field" },
	{ "request-field remove X-A b\n", "10:26: \"b\" is one word too many" },
	{ "request-field set Content-Length 1\n", "10:19: \"Content-Length\" says where messages end" },
	{ "request-field set Transfer-Encoding chunked\n", "10:19: \"Transfer-Encoding\" says where messages end" },
	{ "response-field remove content-length\n", "10:23: \"content-length\" says where messages end" },
	{ "response-field set Connection close\n", "10:20: \"Connection\" belongs to one connection" },
	{ "response-field add Host x\n", "10:20: \"Host\" is not a field of answers" },
	{ "request-field add Host x\n", "10:19: \"Host\" can only be set" },
	{ "request-field set Host {host}\n", "10:24: \"{host}\" is not valid in Host" },
	{ "request-field set X-Forwarded-For x\n", "10:19: \"X-Forwarded-For\" has a directive of its own" },
	{ "request-field set Via x\n", "10:19: \"Via\" has a directive of its own" },
	{ "request-field set \"X A\" x\n", "10:19: \"X A\" is not the name of a field" },
	{ "request-field set X-A \" b\"\n", "10:23: \" b\" begins or ends with a blank" },
	{ "request-field set X-A {path}\n", "10:23: the value of a field: unknown place at \"{path}\"" },
	{ "request-field set X-A 1\nrequest-field set x-a 2\n", "11:19: \"x-a\" is changed already by a line above" },
	{ "request-field add X-A 1\nrequest-field remove X-A\n", "11:22: \"X-A\" is changed already by a line above" },
	{ "request-field set X-A {request-id}\n", "7:8: a value has {request-id}, and requests get none; expected request-id on" },
	{ "trusted-proxies\n", "10:16: the line ends too early" },
	{ "trusted-proxies all 10.0.0.0/8\n", "10:21: \"10.0.0.0/8\" is one word too many" },
	{ "trusted-proxies none unix\n", "10:22: \"unix\" is one word too many" },
	{ "trusted-proxies 10.0.0\n", "10:17: \"10.0.0\" is not an address" },
	{ "trusted-proxies 10.0.0.0/33\n", "10:17: \"10.0.0.0/33\" has no valid number of bits" },
	{ "trusted-proxies 10.0.0.1/8\n", "10:17: \"10.0.0.1/8\" has bits of the address behind those that count" },
	{ "trusted-proxies 10.0.0.128/24\n", "10:17: \"10.0.0.128/24\" has bits" },
	{ "trusted-proxies 2001:db8::1/64\n", "10:17: \"2001:db8::1/64\" has bits" },
	{ "trusted-proxies 10.0.0.0/\n", "10:17: \"10.0.0.0/\" has no valid number of bits" },
	{ "error-file 404 /f\n", "10:12: \"404\" is no status that the balancer answers with" },
	{ "error-file 503 f\n", "10:16: \"f\" is not an absolute path" },
	{ "error-file 503 /f\nerror-file 503 /g\n", "11:12: \"503\" again; expected each status once in a block" },
	{ "max-fields 129\n", "10:12: \"129\" is out of range; expected a number from 1 to 128" },
	{ "max-request-line 8\n", "10:18: \"8\" is out of range" },
	{ "max-head 1k\nmax-request-line 2k\n", "11:1: the request line is part of the head; expected at most max-head" },
	{ "max-requests 0\n", "10:14: \"0\" is out of range" },
	{ "retry-after 10ms\n", "10:13: \"10ms\" is out of range" },
	{ "via \"a b\"\n", "10:5: \"a b\" is not one word" },
	{ "forwarded-proto https\n", "10:17: \"https\" is not known" },
	{ "mode tcp\nrequest-field set X-A b\n", "11:1: \"request-field\" in mode tcp" },
	{ "mode tcp\ntrusted-proxies none\n", "11:1: \"trusted-proxies\" in mode tcp" },
	{ "serve status\n", "10:1: nothing is left to be served, the pool of line 9 takes everything; expected one of them, or a line route "
	    "path /status serve status" },
	{ "route path /s serve statsu\n", "10:21: \"statsu\" is nothing that can be served; did you mean \"status\"?" },
	{ "route path /s serve\n", "10:20: the line ends too early; expected serve status" },
	{ "route path /s serve status now\n", "10:28: \"now\" is one word too many" },
	{ "serve-to 127.0.0.1\n", "10:1: serve-to, and nothing is served here; expected a line serve status as well" },
	{ "route serve status\n", "9:1: nothing is left for this pool, the route of line 10 takes everything" },
	{ "mode tcp\nroute path /s serve status\n", "11:7: a route in mode tcp" },
	{ "mode tcp\nerror-file 503 /f\n", "11:1: \"error-file\" in mode tcp" },
};

static void test_bad(void)
{
	static char text[4096], want[512];

	for (size_t i = 0; i < sizeof(bads) / sizeof(*bads); i++) {
		struct conf *c;

		snprintf(text, sizeof(text), POOLS LISTEN "%s}\n", bads[i].lines);
		snprintf(want, sizeof(want), "F:%s", bads[i].want);
		c = parse(text);
		ok(!c, "refused: number %zu", i);
		if (!ok(messages && strncmp(messages, want, strlen(want)) == 0, "  says why")) {
			tap_show("lines:", bads[i].lines);
			tap_show("got:  ", messages);
			tap_show("want: ", want);
		}
		conf_free(c);
	}
}

static void test_global_errors(void)
{
	struct conf *c = parse("error-file 503 /f\nerror-file 400 /g\n" POOLS LISTEN "}\n");

	ok(c && c->errors.n == 2 && !c->listener[0].http.errors.n, "error files outside of blocks");
	conf_free(c);
	c = parse("error-status 500\nerror-file 503 /f\n" POOLS LISTEN "}\n");
	ok(!c, "not together with error-status 500");
	is_str(messages, "F:2:1: an error-file, and error-status 500, which leaves no room for it; expected one of them\n", "  says why");
	conf_free(c);
}

/* A listener that serves and has no pool; a file that has no pool at all. */
static void test_serve(void)
{
	struct conf *c = parse("listen s {\nbind 127.0.0.1:80\nserve status\nserve-to 10.0.0.0/8\n}\n"), *again;
	char *text;

	if (!ok(c && c->listener[0].serve && c->listener[0].pool == CONF_NO_POOL && c->listener[0].serve_to.nnets == 1, "serve status alone"))
		return;
	text = printed(c);
	again = parse(text);
	ok(again && again->listener[0].serve && again->listener[0].serve_to.nnets == 1, "is printed and read back");
	free(text);
	conf_free(c);
	conf_free(again);
	c = parse("listen s {\nbind 127.0.0.1:80\nmode tcp\nserve status\n}\n");
	ok(!c && messages && strstr(messages, "F:4:1: \"serve\" in mode tcp"), "not in mode tcp");
	conf_free(c);
	c = parse("listen s {\nbind 127.0.0.1:80\nroute answer 404\nserve status\n}\n");
	ok(!c && messages && strstr(messages, "F:4:1: nothing is left for this page, the route of line 3 takes everything"), "nor behind a route for all");
	conf_free(c);
}

static void test_limits(void)
{
	size_t room = 200000, n;
	char *text = malloc(room);

	for (unsigned count = CONF_EDITS_MAX; count <= CONF_EDITS_MAX + 1; count++) {
		struct conf *c;

		n = (size_t)snprintf(text, room, "%s", POOLS LISTEN);
		for (unsigned i = 0; i < count; i++)
			n += (size_t)snprintf(text + n, room - n, "request-field add X-A %u\n", i);
		snprintf(text + n, room - n, "}\n");
		c = parse(text);
		is_int(c != NULL, count == CONF_EDITS_MAX, "number of edits");
		conf_free(c);
	}
	free(text);
}

int main(void)
{
	test_defaults();
	test_routes();
	test_catch_all();
	test_fields();
	test_others();
	test_bad();
	test_global_errors();
	test_serve();
	test_limits();
	free(messages);
	return done_testing();
}
