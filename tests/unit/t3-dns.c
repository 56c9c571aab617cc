/*
 * DNS messages: questions as they are written, answers read whole, cut everywhere, with bytes turned, at an
 * unreadable page; files of the system; which place gets which address.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "health/discover.h"
#include "health/dns.h"
#include "health/probe.h"
#include "health/system.h"
#include "tests/unit/edge.h"
#include "tests/unit/tap.h"

static struct edge edge;

/* ---- messages under construction ---- */

struct bytes {
	uint8_t b[70000];
	size_t n;
};

static void put8(struct bytes *m, unsigned v)
{
	m->b[m->n++] = (uint8_t)v;
}

static void put16(struct bytes *m, unsigned v)
{
	put8(m, v >> 8);
	put8(m, v & 0xff);
}

static void put32(struct bytes *m, uint32_t v)
{
	put16(m, v >> 16);
	put16(m, v & 0xffff);
}

/* "a.b" in labels; "a.b@12" with a pointer at the end, "@12" a pointer alone. */
static void put_name(struct bytes *m, const char *text)
{
	while (*text && *text != '@') {
		size_t n = strcspn(text, ".@");

		put8(m, (unsigned)n);
		memcpy(m->b + m->n, text, n);
		m->n += n;
		text += n + (text[n] == '.');
	}
	if (*text == '@')
		put16(m, 0xc000u | (unsigned)atoi(text + 1));
	else
		put8(m, 0);
}

/* id 0x1234, an answer without error; the question is name's. */
static void begin(struct bytes *m, const char *name, unsigned type, unsigned flags, unsigned answers, unsigned extra)
{
	m->n = 0;
	put16(m, 0x1234);
	put16(m, 0x8180 | flags);
	put16(m, 1);
	put16(m, answers);
	put16(m, 0);
	put16(m, extra);
	put_name(m, name);
	put16(m, type);
	put16(m, 1);
}

static size_t open_record(struct bytes *m, const char *owner, unsigned type, uint32_t ttl)
{
	put_name(m, owner);
	put16(m, type);
	put16(m, 1);
	put32(m, ttl);
	put16(m, 0);
	return m->n;
}

static void close_record(struct bytes *m, size_t at)
{
	size_t n = m->n - at;

	m->b[at - 2] = (uint8_t)(n >> 8);
	m->b[at - 1] = (uint8_t)n;
}

static void put_a(struct bytes *m, const char *owner, uint32_t ttl, uint32_t address)
{
	size_t at = open_record(m, owner, DNS_A, ttl);

	put32(m, address);
	close_record(m, at);
}

static void put_aaaa(struct bytes *m, const char *owner, uint32_t ttl)
{
	size_t at = open_record(m, owner, DNS_AAAA, ttl);

	put32(m, 0xfd000000);
	put32(m, 0);
	put32(m, 0);
	put32(m, 7);
	close_record(m, at);
}

static void put_cname(struct bytes *m, const char *owner, uint32_t ttl, const char *to)
{
	size_t at = open_record(m, owner, DNS_CNAME, ttl);

	put_name(m, to);
	close_record(m, at);
}

static void put_srv(struct bytes *m, const char *owner, unsigned priority, unsigned weight, unsigned port, const char *target)
{
	size_t at = open_record(m, owner, DNS_SRV, 60);

	put16(m, priority);
	put16(m, weight);
	put16(m, port);
	put_name(m, target);
	close_record(m, at);
}

/* ---- reading ---- */

static struct dns_record got[8];
static unsigned ngot, rcode;

static void keep(void *arg, const struct dns_record *r)
{
	(void)arg;
	if (ngot < 8)
		got[ngot] = *r;
	ngot++;
}

static enum dns_result answer_to(const void *msg, size_t size, const char *name, unsigned type)
{
	ngot = 0;
	return dns_answer((const uint8_t *)edge_put(&edge, msg, size), size, 0x1234, name, (uint16_t)type, keep, NULL, &rcode);
}

static enum dns_result answer(const struct bytes *m, const char *name, unsigned type)
{
	return answer_to(m->b, m->n, name, type);
}

static void test_question(void)
{
	static const uint8_t want[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\1\3www\7example\3org\0\0\x1c\0\1\0\0\x29\x04\xd0\0\0\0\0\0\0";
	uint8_t q[DNS_QUESTION_MAX];
	char name[600];
	size_t n = dns_question(q, 0x1234, "www.example.org", DNS_AAAA, true);

	ok(n == sizeof want - 1 && memcmp(q, want, n) == 0, "a question with EDNS");
	is_int(dns_question(q, 1, "www.example.org.", DNS_AAAA, false), n - 11, "a dot at the end, and no EDNS");
	is_int(q[11], 0, "nothing additional");
	is_int(dns_question(q, 1, "", DNS_A, false), 0, "the root is nobody");
	is_int(dns_question(q, 1, "a..b", DNS_A, false), 0, "an empty label");
	memset(name, 'a', sizeof name);
	name[63] = '\0';
	ok(dns_question(q, 1, name, DNS_A, false) > 0, "a label of 63");
	name[63] = 'a';
	name[64] = '\0';
	is_int(dns_question(q, 1, name, DNS_A, false), 0, "one of 64");
	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 2 ? '.' : 'a';
	name[254] = '\0';	/* 127 labels of one letter: 255 bytes */
	is_int(dns_question(q, 1, name, DNS_A, true), 12 + 255 + 4 + 11, "the longest name");
	name[254] = 'a';
	name[255] = '\0';
	is_int(dns_question(q, 1, name, DNS_A, false), 0, "one letter more");
}

static void test_addresses(void)
{
	struct bytes m;

	begin(&m, "App.Example.org", DNS_A, 0, 3, 0);
	put_a(&m, "@12", 60, 0x0a000001);
	put_a(&m, "app.EXAMPLE.org", 30, 0x0a000002);
	put_a(&m, "other.example.org", 1, 0x0a000003);
	is_int(answer(&m, "app.example.org", DNS_A), DNS_OK, "two addresses and somebody else's");
	is_int(ngot, 2, "are two");
	ok(got[0].ttl_s == 60 && got[1].ttl_s == 30 && got[0].address[3] == 1 && got[1].address[3] == 2 && !got[0].extra, "with their times");
	is_str(got[1].name, "app.example.org", "owners in lower case");
	is_int(answer(&m, "app.example.org.", DNS_A), DNS_OK, "the same, asked with a dot at the end");
	is_int(answer(&m, "app.example.com", DNS_A), DNS_NOT_OURS, "another question's");
	is_int(answer(&m, "app.example.org", DNS_AAAA), DNS_NOT_OURS, "another type's");
	m.b[1]++;
	is_int(answer(&m, "app.example.org", DNS_A), DNS_NOT_OURS, "another id");
	m.b[1]--;
	m.b[2] &= 0x7f;
	is_int(answer(&m, "app.example.org", DNS_A), DNS_NOT_OURS, "a question is no answer");

	begin(&m, "v6.test", DNS_AAAA, 0, 2, 0);
	put_aaaa(&m, "@12", 0x80000001);
	put_a(&m, "@12", 60, 1);
	is_int(answer(&m, "v6.test", DNS_AAAA), DNS_OK, "IPv6");
	ok(ngot == 1 && got[0].ttl_s == 0 && got[0].address[0] == 0xfd && got[0].address[15] == 7, "a time with the top bit set is none");

	begin(&m, "no.test", DNS_A, 3, 0, 0);
	is_int(answer(&m, "no.test", DNS_A), DNS_NO_NAME, "no such name");
	begin(&m, "no.test", DNS_A, 0, 0, 0);
	is_int(answer(&m, "no.test", DNS_A), DNS_NO_DATA, "no such record");
	begin(&m, "no.test", DNS_A, 2, 0, 0);
	is_int(answer(&m, "no.test", DNS_A), DNS_FAILED, "a server in trouble");
	is_int(rcode, 2, "says with what");
	begin(&m, "no.test", DNS_A, 0x200, 1, 0);
	is_int(answer(&m, "no.test", DNS_A), DNS_TRUNCATED, "cut by the server");
	is_int(answer_to("\x12\x34\x81\x81\0\0\0\0\0\0\0\0", 12, "no.test", DNS_A), DNS_FAILED, "who understands nothing repeats nothing");
	is_int(answer_to("\x12\x34\x81\x80\0\0\0\0\0\0\0\0", 12, "no.test", DNS_A), DNS_NOT_OURS, "else the question must be there");

	begin(&m, "a.test", DNS_A, 0, 2, 0);
	size_t at = open_record(&m, "@12", DNS_A, 60);
	put16(&m, 1);
	close_record(&m, at);
	put_a(&m, "@12", 60, 5);
	is_int(answer(&m, "a.test", DNS_A), DNS_OK, "an address of two bytes is passed over");
	is_int(ngot, 1, "the other counts");
}

static void test_aliases(void)
{
	struct bytes m;

	begin(&m, "www.test", DNS_A, 0, 4, 0);
	put_a(&m, "c.test", 60, 9);
	put_cname(&m, "b.test", 5, "c@16");	/* "c.test", by way of the question's own labels */
	put_cname(&m, "@12", 50, "b.test");
	put_a(&m, "b.test", 60, 8);
	is_int(answer(&m, "www.test", DNS_A), DNS_OK, "aliases in any order");
	ok(ngot == 1 && got[0].address[3] == 9 && got[0].ttl_s == 5, "the last one's address, for the shortest of their times");

	begin(&m, "www.test", DNS_A, 0, 2, 0);
	put_cname(&m, "@12", 50, "b.test");
	put_cname(&m, "b.test", 50, "www.test");
	is_int(answer(&m, "www.test", DNS_A), DNS_NO_DATA, "aliases of each other");

	begin(&m, "www.test", DNS_A, 0, 1, 0);
	size_t at = open_record(&m, "@12", DNS_CNAME, 50);
	put8(&m, 40);
	close_record(&m, at);
	is_int(answer(&m, "www.test", DNS_A), DNS_BAD, "an alias that is cut");

	begin(&m, "www.test", DNS_A, 0, 2, 0);
	put_cname(&m, "@12", 50, "a b.test");
	put_a(&m, "a b.test", 60, 8);
	is_int(answer(&m, "www.test", DNS_A), DNS_NO_DATA, "an alias that is no name");
}

static void test_services(void)
{
	struct bytes m;

	begin(&m, "_http._tcp.test", DNS_SRV, 0, 5, 3);
	put_srv(&m, "@12", 10, 60, 8080, "One.test");
	put_srv(&m, "@12", 10, 20, 8081, "two.test");
	put_srv(&m, "@12", 0, 0, 0, "three.test");
	put_srv(&m, "@12", 0, 0, 1, "");
	put_srv(&m, "@12", 20, 1, 65535, "a@23");	/* "test" of the question */
	put_a(&m, "one.test", 7, 0x7f000001);
	put_aaaa(&m, "two.test", 8);
	put_srv(&m, "x.test", 20, 1, 65535, "y");
	is_int(answer(&m, "_http._tcp.test", DNS_SRV), DNS_OK, "services");
	is_int(ngot, 5, "three that make sense, and two addresses");
	ok(got[0].priority == 10 && got[0].weight == 60 && got[0].port == 8080 && strcmp(got[0].name, "one.test") == 0, "the first");
	ok(got[2].port == 65535 && strcmp(got[2].name, "a.test") == 0, "the last, its name put together");
	ok(got[3].extra && got[3].type == DNS_A && strcmp(got[3].name, "one.test") == 0, "an address unasked");
	ok(got[4].extra && got[4].type == DNS_AAAA, "another");

	begin(&m, "_http._tcp.test", DNS_SRV, 0, 1, 0);
	put_srv(&m, "@12", 0, 0, 1, "");
	is_int(answer(&m, "_http._tcp.test", DNS_SRV), DNS_NO_DATA, "no service, said by a dot");
}

static void test_names(void)
{
	static const struct { const char *bytes; size_t size; const char *what; } bad[] = {
		{ "\xc0\x0c", 2, "a name that points at itself" },
		{ "\xc0\x20", 2, "forward" },
		{ "\xc0\xff", 2, "behind the end" },
		{ "\xc0", 1, "half a pointer" },
		{ "\x80", 1, "a label of no kind" },
		{ "\x40", 1, "another" },
		{ "\x3f" "abc", 4, "a label that is cut" },
		{ "\1a", 2, "no end" },
		{ "", 0, "nothing" },
	};
	struct bytes m;
	char what[100];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		begin(&m, "", DNS_A, 0, 0, 0);
		m.n = 12;
		memcpy(m.b + m.n, bad[i].bytes, bad[i].size);
		m.n += bad[i].size;
		snprintf(what, sizeof what, "%s: no question", bad[i].what);
		is_int(answer(&m, "a", DNS_A), DNS_NOT_OURS, what);
		begin(&m, "a.test", DNS_A, 0, 1, 0);
		memcpy(m.b + m.n, bad[i].bytes, bad[i].size);
		m.n += bad[i].size;
		if (i == 0)	/* the record's own place, in place of the question's */
			m.b[m.n - 1] = (uint8_t)(m.n - 2);
		if (i == 1)
			m.b[m.n - 1] = (uint8_t)m.n;
		snprintf(what, sizeof what, "%s: no record", bad[i].what);
		is_int(answer(&m, "a.test", DNS_A), DNS_BAD, what);
	}
	/* Pointers that step back one by one, through more than a name can be long. */
	begin(&m, "a.test", DNS_A, 0, 2, 0);
	size_t last = 12, at = open_record(&m, "@12", 99, 1);
	for (unsigned i = 0; i < 200; i++) {
		size_t here = m.n;

		put8(&m, 1);
		put8(&m, 'x');
		put16(&m, 0xc000 | (unsigned)last);
		last = here;
	}
	close_record(&m, at);
	put16(&m, 0xc000 | (unsigned)last);
	put16(&m, DNS_A);
	put16(&m, 1);
	put32(&m, 1);
	put16(&m, 0);
	ok(answer(&m, "a.test", DNS_A) == DNS_BAD, "a name of more than 255 bytes, in steps");
	ok(dns_same("a.B", "A.b") && dns_same("a.b.", "a.b") && dns_same("a", "a.") && !dns_same("a.b", "a.c") && !dns_same("a", "ab") &&
	    !dns_same("a..", "a") && !dns_same("", "a"), "names that are the same");
}

/* Whatever comes, it is read within its bounds, and cut anywhere it is never more than it was. */
static void test_cuts(void)
{
	struct bytes m;
	unsigned fine = 0, tries = 0;

	begin(&m, "_http._tcp.test", DNS_SRV, 0, 4, 2);
	put_cname(&m, "@12", 9, "svc@23");
	put_srv(&m, "svc.test", 10, 60, 8080, "one.test");
	put_srv(&m, "svc.test", 10, 60, 8080, "two@23");
	put_srv(&m, "svc@23", 10, 60, 8080, "three@23");
	put_a(&m, "one.test", 7, 0x7f000001);
	put_aaaa(&m, "two.test", 8);
	is_int(answer(&m, "_http._tcp.test", DNS_SRV), DNS_OK, "the whole");
	is_int(ngot, 5, "three services, two addresses");
	for (size_t n = 0; n < m.n; n++) {
		enum dns_result r = answer_to(m.b, n, "_http._tcp.test", DNS_SRV);

		tries++;
		fine += r == (n < 33 ? DNS_NOT_OURS : DNS_BAD) && ngot == 0;
	}
	is_int(fine, tries, "cut anywhere it is not an answer, or a bad one");
	for (size_t i = 0; i < m.n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct bytes turned = m;

			turned.b[i] ^= (uint8_t)(1u << bit);
			answer(&turned, "_http._tcp.test", DNS_SRV);
			for (unsigned k = 0; k < ngot && k < 8; k++)
				if (strlen(got[k].name) >= DNS_NAME_MAX || (got[k].type != DNS_SRV && !got[k].extra))
					ok(false, "bit %u of byte %zu", bit, i);
		}
}

/* ---- the system's files ---- */

static struct sockaddr_storage host[8];
static unsigned nhosts;

static void found_host(void *arg, const struct sockaddr_storage *ss)
{
	(void)arg;
	if (nhosts < 8)
		host[nhosts] = *ss;
	nhosts++;
}

static void test_files(void)
{
	struct system_resolv r;
	static const char hosts[] = "# nothing\n127.0.0.1 localhost\n::1\tlocalhost ip6-localhost\n 10.0.0.1 a.test A # b\nx b\n10.0.0.2 a.TEST a.test\n10.0.0.3 b";

	system_resolv(&r, "");
	ok(r.way.nservers == 1 && ((struct sockaddr_in *)(void *)&r.way.server[0].addr)->sin_port == htons(53) && r.ndots == 1 &&
	    r.way.attempts == 2 && r.way.timeout_ns == CONF_SECOND && r.nsearch == 0, "an empty resolv.conf: this machine");
	system_resolv(&r, "; comment\nnameserver 10.0.0.53\r\nnameserver fe80::1%lo # scope\nnameserver x\nnameserver ::1\nnameserver 1.1.1.1\n"
	    "domain old\nsearch a.test\tb.test\noptions ndots:5 timeout:2 attempts:3 use-vc rotate\noptions timeout:99\nnameserver");
	ok(r.way.nservers == 3 && ((struct sockaddr_in6 *)(void *)&r.way.server[1].addr)->sin6_scope_id == 1, "three name servers at most");
	ok(r.nsearch == 2 && strcmp(r.search[0], "a.test") == 0 && strcmp(r.search[1], "b.test") == 0, "the last search line counts");
	ok(r.ndots == 5 && r.way.attempts == 3 && r.way.timeout_ns == 5 * CONF_SECOND && r.way.tcp, "options, within bounds");

	nhosts = 0;
	is_int(system_hosts(hosts, "A.test", found_host, NULL), 2, "two addresses of a name");
	ok(nhosts == 2 && ((struct sockaddr_in *)(void *)&host[1])->sin_addr.s_addr == htonl(0x0a000002), "and which");
	is_int(system_hosts(hosts, "localhost.", found_host, NULL), 2, "of both families");
	is_int(system_hosts(hosts, "b", found_host, NULL), 1, "comments and nonsense do not count, a last line without an end does");
	is_int(system_hosts(hosts, "10.0.0.1", found_host, NULL), 0, "an address is no name");
	is_int(system_hosts("", "a", found_host, NULL), 0, "an empty file");
}

/* ---- places ---- */

static struct lookup_address address(unsigned last)
{
	return (struct lookup_address){ .family = AF_INET, .bytes = { 10, 0, 0, (uint8_t)last } };
}

static void test_places(void)
{
	struct discover_place p[4];
	struct lookup_address a[6];

	for (unsigned i = 0; i < 6; i++)
		a[i] = address(i + 1);
	for (unsigned i = 0; i < 4; i++)
		p[i] = (struct discover_place){ .ready = true, .since_ns = 100 - i };
	is_int(discover_assign(p, 4, a, 2), 0, "two servers, four places");
	ok(p[3].becomes == 0 && p[2].becomes == 1 && p[0].becomes == -1, "the longest free first");

	p[0] = (struct discover_place){ .taken = true, .is = address(2), .ready = true };
	p[1] = (struct discover_place){ .taken = true, .is = address(9), .ready = true };
	p[2] = (struct discover_place){ .ready = false, .since_ns = 1 };
	p[3] = (struct discover_place){ .ready = true, .inflight = 3, .since_ns = 2 };
	is_int(discover_assign(p, 4, a, 2), 0, "one stays, one goes, one comes");
	ok(p[0].becomes == 1 && p[1].becomes == -1 && p[3].becomes == 0 && p[2].becomes == -1,
	    "it stays where it is; who comes gets neither the drained place nor the one that is just left");
	is_int(discover_assign(p, 4, a, 6), 2, "six for four places");
	ok(p[0].becomes == 1 && p[1].becomes >= 0 && p[2].becomes >= 0 && p[3].becomes >= 0, "all are taken");
	is_int(discover_assign(p, 4, a, 0), 0, "nobody");
	ok(p[0].becomes == -1 && p[1].becomes == -1, "all go");
	a[1].port = 80;
	discover_assign(p, 4, a, 2);
	ok(p[0].becomes == -1, "another port is another server");

	a[0] = (struct lookup_address){ .priority = 1, .weight = 0 };
	a[1] = (struct lookup_address){ .priority = 1, .weight = 30 };
	a[2] = (struct lookup_address){ .priority = 2, .weight = 65535 };
	a[3] = (struct lookup_address){ .priority = 2, .weight = 32768 };
	a[4] = (struct lookup_address){ .priority = 2, .weight = 1 };
	ok(discover_weight(a, 5, 0) == 1 && discover_weight(a, 5, 1) == 30, "small weights as they are");
	ok(discover_weight(a, 5, 2) == 256 && discover_weight(a, 5, 3) == 128 && discover_weight(a, 5, 4) == 1, "large ones in proportion");
	ok(!discover_backup(a, 5, 0) && discover_backup(a, 5, 2), "all priorities but the first are backups");
}

/* ---- what is asked of servers that have names ---- */

static void test_host(void)
{
	static char path[] = "/", name[] = "app.test.", service[] = "_http._tcp.app.test", v6[] = "::1";
	struct conf_pool pool = { .check = { .kind = CONF_CHECK_HTTP, .path = path } };
	const struct { struct conf_server server; const char *host; } cases[] = {
		{ { .host = name, .port = 8080 }, "\r\nHost: app.test:8080\r\n" },
		{ { .host = service }, "\r\nHost: app.test\r\n" },
		{ { .host = v6, .port = 80 }, "\r\nHost: [::1]:80\r\n" },
		{ { .path = path }, "\r\nHost: localhost\r\n" },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct probe_question q;

		ok(probe_question(&q, &pool, &cases[i].server) == 0 && strstr(q.text, cases[i].host), "a probe names %u", i);
		free((void *)(uintptr_t)q.text);
	}
}

int main(void)
{
	edge = edge_make(70000);
	test_question();
	test_addresses();
	test_aliases();
	test_services();
	test_names();
	test_cuts();
	test_files();
	test_places();
	test_host();
	return done_testing();
}
