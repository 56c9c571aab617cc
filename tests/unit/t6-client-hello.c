/* The name in a ClientHello, read whole, byte by byte and cut everywhere, at an unreadable page, in one record and in many. */
#include "http/client_hello.h"

#include "tests/unit/edge.h"
#include "tests/unit/tap.h"

#define LIMIT	16384

static struct edge edge;

/* Bytes under construction; put_size() fills in what open_size() left room for. */
struct bytes {
	unsigned char b[70000];
	size_t n;
};

static void put(struct bytes *m, const void *p, size_t n)
{
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static void put8(struct bytes *m, unsigned v)
{
	m->b[m->n++] = (unsigned char)v;
}

static void put16(struct bytes *m, unsigned v)
{
	put8(m, v >> 8);
	put8(m, v & 0xff);
}

static void fix16(struct bytes *m, size_t at)
{
	size_t v = m->n - at - 2;

	m->b[at] = (unsigned char)(v >> 8);
	m->b[at + 1] = (unsigned char)v;
}

/* What a hello is made of; the defaults are those of a good one. */
struct recipe {
	unsigned session, ciphers, compressions;	/* sizes */
	bool no_extensions;
	unsigned padding;		/* an extension of so many bytes before the name; 0: none */
	const char *name, *second;	/* in one list */
	const char *third;		/* in a second extension */
	unsigned second_type;
};

static void server_name(struct bytes *m, const struct recipe *r, const char *name)
{
	put16(m, 0);
	size_t ext = m->n;
	put16(m, 0);
	size_t list = m->n;
	put16(m, 0);
	put8(m, 0);
	put16(m, (unsigned)strlen(name));
	put(m, name, strlen(name));
	if (r->second) {
		put8(m, r->second_type);
		put16(m, (unsigned)strlen(r->second));
		put(m, r->second, strlen(r->second));
	}
	fix16(m, list);
	fix16(m, ext);
}

/* The handshake message, without records. */
static void message(struct bytes *m, const struct recipe *r)
{
	m->n = 0;
	put8(m, 1);
	put8(m, 0);
	size_t all = m->n;
	put16(m, 0);
	put16(m, 0x303);
	for (int i = 0; i < 32; i++)
		put8(m, (unsigned)i);
	put8(m, r->session);
	for (unsigned i = 0; i < r->session; i++)
		put8(m, i);
	put16(m, r->ciphers);
	for (unsigned i = 0; i < r->ciphers; i++)
		put8(m, i);
	put8(m, r->compressions);
	for (unsigned i = 0; i < r->compressions; i++)
		put8(m, 0);
	if (!r->no_extensions) {
		size_t exts = m->n;
		put16(m, 0);
		if (r->padding) {
			put16(m, 21);
			put16(m, r->padding);
			for (unsigned i = 0; i < r->padding; i++)
				put8(m, 0);
		}
		if (r->name)
			server_name(m, r, r->name);
		if (r->third)
			server_name(m, r, r->third);
		put16(m, 16);		/* ALPN, which nobody looks at */
		put16(m, 5);
		put(m, "\0\3\2h2", 5);
		fix16(m, exts);
	}
	fix16(m, all);
}

/* In records of at most `size` bytes. */
static void records(struct bytes *out, const struct bytes *m, size_t size)
{
	out->n = 0;
	for (size_t at = 0; at < m->n; at += size) {
		size_t n = m->n - at < size ? m->n - at : size;
		put8(out, 22);
		put16(out, at ? 0x303 : 0x301);
		put16(out, (unsigned)n);
		put(out, m->b + at, n);
	}
}

static enum http_result parse(struct client_hello *h, const void *p, size_t n)
{
	return client_hello_parse(h, edge_put(&edge, p, n), n);
}

static const char *text_of(enum http_result r, const struct client_hello *h)
{
	return r == HTTP_PARTIAL ? "partial" : r == HTTP_BAD ? h->why : h->name_size ? h->name : "(none)";
}

/* want is what every way of cutting must come to; it is decided at the last byte when that is a name. */
static void all_ways(const char *name, const void *p, size_t n, const char *want)
{
	static struct client_hello h, whole;
	enum http_result r, got = HTTP_PARTIAL;
	size_t at = 0, bad = 0;

	client_hello_start(&whole, LIMIT);
	r = parse(&whole, p, n);
	is_str(text_of(r, &whole), want, name);
	client_hello_start(&h, LIMIT);
	for (at = 0; at <= n && got == HTTP_PARTIAL; at++)
		got = parse(&h, p, at);
	bad += got != r || strcmp(text_of(got, &h), want) != 0 || h.used != whole.used;
	bad += parse(&h, p, n) != r;
	for (size_t cut = 0; cut < n; cut += n > 3000 ? 97 : 1) {
		client_hello_start(&h, LIMIT);
		parse(&h, p, cut);
		bad += parse(&h, p, n) != r || strcmp(text_of(r, &h), want) != 0 || h.used != whole.used;
	}
	ok(bad == 0, "%s: the same in pieces", name);
}

static struct bytes m, out;
static const struct recipe plain = { .session = 32, .ciphers = 8, .compressions = 1, .name = "www.example.org" };

static void hello(const char *name, struct recipe r, const char *want)
{
	message(&m, &r);
	records(&out, &m, 16384);
	all_ways(name, out.b, out.n, want);
}

static void good(void)
{
	char long_name[300];
	struct recipe r = plain;
	char text[60];

	hello("a hello", r, "www.example.org");
	for (size_t size = 1; size < 40; size += 1 + size / 4) {
		records(&out, &m, size);
		snprintf(text, sizeof text, "in records of %zu", size);
		all_ways(text, out.b, out.n, "www.example.org");
	}
	records(&out, &m, 16384);
	put(&out, "\x14\x03\x03\0\1\1", 6);
	all_ways("with more behind it", out.b, out.n, "www.example.org");
	r.name = "WWW.Example.ORG.";
	hello("case, and a dot at the end", r, "www.example.org");
	r.name = "a_b-1.x";
	hello("underscore", r, "a_b-1.x");
	r.name = NULL;
	hello("no name", r, "(none)");
	r.no_extensions = true;
	hello("no extensions", r, "(none)");
	r = plain;
	r.session = 0;
	hello("no session", r, "www.example.org");
	r.second = "other";
	r.second_type = 7;
	hello("a name of another kind beside it", r, "www.example.org");
	r = plain;
	r.padding = 5000;
	hello("a large one", r, "www.example.org");
	r.padding = 0;
	memset(long_name, 'a', sizeof long_name);
	long_name[255] = '\0';
	r.name = long_name;
	hello("a name of 255 bytes", r, long_name);
}

/* The good hello with one byte changed. */
static void broken(const char *name, size_t at, unsigned v, const char *want)
{
	struct recipe r = plain;

	message(&m, &r);
	records(&out, &m, 16384);
	out.b[at] = (unsigned char)v;
	all_ways(name, out.b, out.n, want);
}

static void bad(void)
{
	char long_name[300];
	struct recipe r = plain;

	all_ways("nothing", "", 0, "partial");
	all_ways("a request", "GET / HTTP/1.1\r\n", 16, "not TLS");
	all_ways("SSL 2", "\x80\x2e\1\0\2", 5, "not TLS");
	all_ways("an alert", "\x15\3\1\0\2\2\50", 7, "not TLS");
	broken("another handshake", 5, 2, "not a ClientHello");
	broken("another version", 1, 2, "not TLS");
	broken("an empty record", 4, 0, "invalid size of a record");
	broken("a huge record", 3, 0x41, "invalid size of a record");
	broken("a huge hello", 6, 1, "ClientHello too long");
	broken("a session that is too long", 43, 33, "invalid session id");
	broken("odd cipher suites", 77, 7, "invalid cipher suites");
	broken("no cipher suites", 77, 0, "invalid cipher suites");
	broken("too many cipher suites", 76, 200, "ClientHello cut short");
	broken("no compression methods", 86, 0, "invalid compression methods");
	broken("extensions too short", 89, 1, "invalid size of extensions");
	broken("a name too long for its list", 98, 200, "invalid list of server names");
	r.name = "";
	hello("empty name", r, "empty server name");
	r.name = ".";
	hello("a dot", r, "empty server name");
	r.name = "a b";
	hello("a blank in the name", r, "invalid server name");
	r.name = "a\nb";
	hello("a newline in the name", r, "invalid server name");
	r.name = "\xc3\xa4.example";
	hello("not ASCII", r, "invalid server name");
	memset(long_name, 'a', sizeof long_name);
	long_name[256] = '\0';
	r.name = long_name;
	hello("a name of 256 bytes", r, "server name too long");
	r = plain;
	r.second = "other.example.org";
	hello("two names in the list", r, "two server names");
	r = plain;
	r.third = "other.example.org";
	hello("two extensions with names", r, "two server names");
	r = plain;
	r.padding = 16100;
	message(&m, &r);
	records(&out, &m, 16384);
	all_ways("just short enough", out.b, out.n, "www.example.org");
	r.padding = 16300;
	message(&m, &r);
	records(&out, &m, 16384);
	all_ways("too long", out.b, out.n, "ClientHello too long");
	r = plain;
	message(&m, &r);
	records(&out, &m, 40);
	out.b[45] = 23;
	all_ways("other data between the records", out.b, out.n, "not TLS");
	/* The message ends in the middle of everything. */
	size_t wrong = 0;
	r = plain;
	message(&m, &r);
	size_t whole = m.n;
	for (size_t n = 4; n < whole; n++) {
		static struct client_hello h;
		message(&m, &r);
		m.n = n;
		m.b[2] = (unsigned char)((n - 4) >> 8);
		m.b[3] = (unsigned char)(n - 4);
		records(&out, &m, 16384);
		client_hello_start(&h, LIMIT);
		/* Without extensions a hello may end behind its compression methods. */
		wrong += parse(&h, out.b, out.n) != (n == 4 + 34 + 33 + 10 + 2 ? HTTP_DONE : HTTP_BAD);
	}
	ok(wrong == 0, "a message that is cut anywhere is invalid");
}

int main(void)
{
	edge = edge_make(sizeof out.b);
	good();
	bad();
	return done_testing();
}
