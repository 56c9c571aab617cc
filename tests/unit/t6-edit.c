/*
 * Fields that the configuration changes: http/template, http/edit through http/forward, and what
 * worker/fields tells of clients. Heads and texts end at an unreadable page.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "conf/parse.h"
#include "http/forward.h"
#include "tests/unit/edge.h"
#include "tests/unit/tap.h"
#include "worker/fields.h"

static struct edge in_room, out_room;
static struct http_head head;

#define T(text)	{ (text), sizeof(text) - 1 }

/* ---- templates ---- */

struct template_case { const char *text, *bad, *want; };

static void test_templates(void)
{
	static const struct template_case c[] = {
		{ "", NULL, "" },
		{ "plain", NULL, "plain" },
		{ "{client}", NULL, "192.0.2.1" },
		{ "a{client}b", NULL, "a192.0.2.1b" },
		{ "{host}{client}{host}", NULL, "www192.0.2.1www" },
		{ "{{", NULL, "{" },
		{ "{{{{", NULL, "{{" },
		{ "{{client}", NULL, "{client}" },
		{ "{{{client}}", NULL, "{192.0.2.1}" },
		{ "}", NULL, "}" },
		{ "{{\"a\":{{\"b\":1}}", NULL, "{\"a\":{\"b\":1}}" },
		{ "{request-id}", NULL, NULL },		/* there is none */
		{ "{", "\"{\" without \"}\"", NULL },
		{ "a{client", "\"{\" without \"}\"", NULL },
		{ "{}", "unknown place", NULL },
		{ "{Client}", "unknown place", NULL },
		{ "{client }", "unknown place", NULL },
		{ "{path}", "unknown place", NULL },	/* not asked for */
		{ "{client}{client}{client}{client}{client}{client}{client}{client}{client}{client}{client}{client}", NULL,
		  "192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1192.0.2.1" },
		{ "{client}{client}{client}{client}{client}{client}{client}{client}{client}{client}{client}{client}{client}",
		  "too many places and braces", NULL },
	};
	struct http_values v = { .of = { [HTTP_PLACE_CLIENT] = T("192.0.2.1"), [HTTP_PLACE_HOST] = T("www") } };

	for (size_t i = 0; i < sizeof(c) / sizeof(*c); i++) {
		struct http_template t;
		char out[200];
		struct http_out o = { .at = out, .end = out + sizeof(out) - 1 };
		size_t at;
		const char *bad = http_template_parse(&t, edge_put(&in_room, c[i].text, strlen(c[i].text) + 1), HTTP_EDIT_PLACES, &at);

		is_str(bad, c[i].bad, c[i].text[0] ? c[i].text : "empty");
		if (bad) {
			ok(at <= strlen(c[i].text), "  says where");
			continue;
		}
		is_int(http_template_ready(&t, &v), c[i].want != NULL, "  its places are filled");
		if (!c[i].want)
			continue;
		http_template_put(&o, &t, c[i].text, &v);
		*o.at = '\0';
		is_str(out, c[i].want, "  put together");
	}
}

/* ---- names ---- */

struct refused_case { const char *name; bool set, add, remove, response_set; };	/* allowed? */

static void test_names(void)
{
	static const struct refused_case c[] = {
		{ "X-A", true, true, true, true },
		{ "x_a.b~c", true, true, true, true },
		{ "Cookie", true, true, true, true },
		{ "Server", true, true, true, true },
		{ "Date", true, true, true, true },
		{ "Host", true, false, false, false },
		{ "hOST", true, false, false, false },
		{ "Content-Length", false, false, false, false },
		{ "content-length", false, false, false, false },
		{ "Transfer-Encoding", false, false, false, false },
		{ "Connection", false, false, false, false },
		{ "Keep-Alive", false, false, false, false },
		{ "Proxy-Connection", false, false, false, false },
		{ "Upgrade", false, false, false, false },
		{ "TE", false, false, false, false },
		{ "Trailer", false, false, false, false },
		{ "HTTP2-Settings", false, false, false, false },
		{ "Via", false, false, false, false },
		{ "Expect", false, false, false, true },
		{ "X-Forwarded-For", false, false, false, true },
		{ "Forwarded", false, false, false, true },
		{ "X-Request-Id", false, false, false, true },
		{ "", false, false, false, false },
		{ "X A", false, false, false, false },
		{ "X-A:", false, false, false, false },
		{ "X\r\nY", false, false, false, false },
		{ "\xc3\xa4", false, false, false, false },
	};

	for (size_t i = 0; i < sizeof(c) / sizeof(*c); i++) {
		const char *n = edge_put(&in_room, c[i].name, strlen(c[i].name) + 1);

		ok(!http_edit_refused(n, HTTP_EDIT_SET, true) == c[i].set && !http_edit_refused(n, HTTP_EDIT_ADD, true) == c[i].add &&
		    !http_edit_refused(n, HTTP_EDIT_REMOVE, true) == c[i].remove &&
		    !http_edit_refused(n, HTTP_EDIT_SET, false) == c[i].response_set, "field number %zu", i);
	}
}

/* ---- edits, as the configuration says them ---- */

#define HEAD	"pool p {\nserver a 1\n"
#define MIDDLE	"}\nlisten l {\nbind 127.0.0.1:80\nto p\nrequest-id on\n"

static struct conf *configure(const char *pool, const char *listener)
{
	static char text[4096];
	char *said = NULL;
	size_t size;
	FILE *err = open_memstream(&said, &size);
	int n = snprintf(text, sizeof(text), "%s%s%s%s}\n", HEAD, pool, MIDDLE, listener);
	struct conf *c = parse_buffer(text, (size_t)n, "F", err);

	fclose(err);
	if (!c) {
		ok(false, "configuration");
		tap_show("said:", said);
		exit(1);
	}
	free(said);
	return c;
}

struct edit_case { const char *name, *first, *second, *in, *want; };

#define OK	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
#define GET	"GET / HTTP/1.1\r\nHost: a\r\n"

/* `first` stands in the block that is applied first. */
static const struct edit_case requests[] = {
	{ "add", "request-field add X-A b\n", "", GET "X-A: a\r\n\r\n", GET "X-A: a\r\nX-A: b\r\n\r\n" },
	{ "set", "request-field set X-A b\n", "", GET "x-a: a\r\nB: c\r\nX-A: d\r\n\r\n", GET "B: c\r\nX-A: b\r\n\r\n" },
	{ "set what is not there", "request-field set X-A b\n", "", GET "\r\n", GET "X-A: b\r\n\r\n" },
	{ "set to nothing", "request-field set X-A \"\"\n", "", GET "X-A: c\r\n\r\n", GET "X-A: \r\n\r\n" },
	{ "remove", "request-field remove X-A\n", "", GET "X-a: a\r\nX-Ab: c\r\nx-A: b\r\n\r\n", GET "X-Ab: c\r\n\r\n" },
	{ "remove one that is known", "request-field remove cookie\n", "", GET "Cookie: a\r\nCOOKIE: b\r\n\r\n", GET "\r\n" },
	{ "remove, then add", "request-field remove X-A\nrequest-field add X-A b\nrequest-field add X-A c\n", "", GET "X-A: a\r\n\r\n",
	  GET "X-A: b\r\nX-A: c\r\n\r\n" },
	{ "places", "request-field set X-Client \"{client} via {host}\"\n", "", GET "\r\n", GET "X-Client: 192.0.2.1 via www\r\n\r\n" },
	{ "a place without a text leaves the line out", "request-field set X-A {request-id}\n", "", GET "X-A: theirs\r\n\r\n", GET "\r\n" },
	{ "both blocks", "request-field add X-A 1\n", "request-field add X-A 2\n", GET "\r\n", GET "X-A: 1\r\nX-A: 2\r\n\r\n" },
	{ "the second takes back what the first put in", "request-field add X-A 1\nrequest-field set X-B 1\n",
	  "request-field set x-a 2\nrequest-field remove X-b\n", GET "\r\n", GET "x-a: 2\r\n\r\n" },
	{ "Host", "request-field set Host app.internal:8080\n", "", GET "A: b\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: app.internal:8080\r\nA: b\r\n\r\n" },
};

static const struct edit_case answers[] = {
	{ "set", "response-field set Server x\n", "", OK "server: nginx\r\n\r\n", OK "Server: x\r\n\r\n" },
	{ "remove", "response-field remove X-Powered-By\n", "", OK "X-Powered-By: z\r\nA: b\r\n\r\n", OK "A: b\r\n\r\n" },
	{ "remove one of many", "response-field remove Set-Cookie\n", "", OK "Set-Cookie: a\r\nA: b\r\nSet-Cookie: c\r\n\r\n", OK "A: b\r\n\r\n" },
	{ "add", "response-field add Strict-Transport-Security \"max-age=1; preload\"\n", "", OK "\r\n",
	  OK "Strict-Transport-Security: max-age=1; preload\r\n\r\n" },
	{ "both", "response-field set X-A 1\n", "response-field set X-A 2\n", OK "X-A: 0\r\n\r\n", OK "X-A: 2\r\n\r\n" },
	{ "not in interim answers", "response-field set X-A 1\n", "", "HTTP/1.1 103 Early Hints\r\nX-A: 0\r\n\r\n",
	  "HTTP/1.1 103 Early Hints\r\nX-A: 0\r\n\r\n" },
};

static void run(const struct edit_case *c, bool request)
{
	struct conf *conf = request ? configure(c->second, c->first) : configure(c->first, c->second);
	const struct conf_edits *first = request ? &conf->listener->http.request : &conf->pool->response;
	const struct conf_edits *second = request ? &conf->pool->request : &conf->listener->http.response;
	struct http_values v = { .of = { [HTTP_PLACE_CLIENT] = T("192.0.2.1"), [HTTP_PLACE_HOST] = T("www") } };
	struct http_edits one = { first->edit, first->n }, two = { second->edit, second->n };
	struct http_request_edit e = { .edits = one, .later = two, .values = &v, .keep_alive = true };
	struct http_response_edit re = { .edits = one, .later = two, .values = &v, .minor = 1, .framing = HTTP_LENGTH, .keep_alive = true };
	const char *at = edge_put(&in_room, c->in, strlen(c->in));
	char out[512];
	size_t n, want = strlen(c->want);
	int wrong = 0;

	if (first->host)
		e.set_host = (struct http_text){ first->host, strlen(first->host) };
	if (request) {
		http_request_start(&head, &http_limits_default);
		ok(http_request_parse(&head, at, strlen(c->in)) == HTTP_DONE, "%s: a request", c->name);
	} else {
		http_response_start(&head, &http_limits_default);
		ok(http_response_parse(&head, at, strlen(c->in), HTTP_GET) == HTTP_DONE, "%s: an answer", c->name);
	}
	if (request || head.status >= 200) {
		http_edit_take_out(&head, at, one);
		http_edit_take_out(&head, at, two);
	}
	n = request ? http_forward_request(out, sizeof(out) - 1, &head, at, &e) : http_forward_response(out, sizeof(out) - 1, &head, at, &re);
	out[n] = '\0';
	is_str(out, c->want, c->name);
	for (n = 0; n < want; n++)
		wrong += (request ? http_forward_request(edge_room(&out_room, n), n, &head, at, &e) :
		    http_forward_response(edge_room(&out_room, n), n, &head, at, &re)) != 0;
	is_int(wrong, 0, "nothing in less room");
	conf_free(conf);
}

/* ---- clients ---- */

static void test_forwarded(void)
{
	static const struct { struct http_text client, host; const char *proto, *want; } c[] = {
		{ T("192.0.2.1"), T("www.example.org"), "http", "for=192.0.2.1;host=\"www.example.org\";proto=http" },
		{ T("2001:db8::1"), T("[::1]:80"), "https", "for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=https" },
		{ { NULL, 0 }, { NULL, 0 }, "http", "for=unknown;proto=http" },
	};
	char out[384], host[300];

	for (size_t i = 0; i < sizeof(c) / sizeof(*c); i++) {
		out[fields_forwarded(out, sizeof(out) - 1, c[i].client, c[i].host, c[i].proto)] = '\0';
		is_str(out, c[i].want, "Forwarded");
	}
	memset(host, 'h', sizeof(host));
	out[fields_forwarded(out, sizeof(out) - 1, c[0].client, (struct http_text){ host, 255 }, "http")] = '\0';
	is_int(strlen(out), 255 + 32, "a long host");
	out[fields_forwarded(out, sizeof(out) - 1, c[0].client, (struct http_text){ host, 256 }, "http")] = '\0';
	is_str(out, "for=192.0.2.1;proto=http", "a longer one is left out");
}

static bool trusted(const struct conf *c, const char *address)
{
	uint8_t peer[16] = { 0 };
	int family = strchr(address, ':') ? AF_INET6 : strchr(address, '.') ? AF_INET : AF_UNIX;

	if (family != AF_UNIX && inet_pton(family, address, peer) != 1)
		abort();
	return fields_trusted(&c->listener->http.trust, (uint8_t)family, peer);
}

static void test_trust(void)
{
	struct conf *c = configure("", "trusted-proxies 10.0.0.0/8 192.0.2.7 198.51.100.64/27 2001:db8::/33 ::1 unix\n");

	ok(trusted(c, "10.0.0.0") && trusted(c, "10.255.255.255") && !trusted(c, "11.0.0.0") && !trusted(c, "9.255.255.255"), "bytes");
	ok(trusted(c, "192.0.2.7") && !trusted(c, "192.0.2.6") && !trusted(c, "192.0.2.8"), "one address");
	ok(trusted(c, "198.51.100.64") && trusted(c, "198.51.100.95") && !trusted(c, "198.51.100.96") &&
	    !trusted(c, "198.51.100.63"), "bits");
	ok(trusted(c, "2001:db8::1") && trusted(c, "2001:db8:7fff::") && !trusted(c, "2001:db8:8000::"), "bits of IPv6");
	ok(trusted(c, "::1") && !trusted(c, "::2") && !trusted(c, "::"), "one address of IPv6");
	ok(trusted(c, "::ffff:10.1.2.3") && !trusted(c, "::ffff:11.1.2.3"), "IPv4 in IPv6 is IPv4");
	ok(!trusted(c, "a00::"), "the same bytes in the other family are not");
	ok(trusted(c, "unix"), "unix sockets");
	conf_free(c);

	c = configure("", "trusted-proxies 0.0.0.0/0\n");
	ok(trusted(c, "1.2.3.4") && !trusted(c, "::1") && !trusted(c, "unix"), "all of IPv4");
	conf_free(c);
	c = configure("", "trusted-proxies none\n");
	ok(!trusted(c, "127.0.0.1") && !trusted(c, "unix"), "none");
	conf_free(c);
	c = configure("", "trusted-proxies all\n");
	ok(trusted(c, "127.0.0.1") && trusted(c, "unix"), "all");
	conf_free(c);
}

int main(void)
{
	in_room = edge_make(4096);
	out_room = edge_make(4096);
	test_templates();
	test_names();
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		run(&requests[i], true);
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		run(&answers[i], false);
	test_forwarded();
	test_trust();
	return done_testing();
}
