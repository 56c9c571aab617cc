/* The PROXY protocol's header, read whole, byte by byte and cut everywhere, at an unreadable page; and written. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "http/proxy_header.h"

#include "tests/unit/edge.h"
#include "tests/unit/tap.h"

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define S(text)	(text), sizeof(text) - 1

static struct edge edge;

static enum http_result parse(struct proxy_header *h, const char *text, size_t size, unsigned allowed)
{
	memset(h, 0xa5, sizeof *h);
	return proxy_header_parse(h, edge_put(&edge, text, size), size, allowed);
}

static const char *describe(const struct proxy_header *h)
{
	static char text[200];
	char from[INET6_ADDRSTRLEN] = "-", to[INET6_ADDRSTRLEN] = "-";

	if (h->family != AF_UNSPEC) {
		inet_ntop(h->family, h->from, from, sizeof from);
		inet_ntop(h->family, h->to, to, sizeof to);
	}
	snprintf(text, sizeof text, "%u: %s %u %s %u%s%s", h->version, from, h->from_port, to, h->to_port,
	    h->local ? " local" : "", h->secure ? " secure" : "");
	return text;
}

/* The result of any beginning is PARTIAL, up to the one that decides; that, and all longer ones, agree. */
static void all_ways(const char *name, const char *text, size_t size, unsigned allowed, const char *want)
{
	struct proxy_header whole, h;
	enum http_result r = parse(&whole, text, size, allowed);
	const char *got = r == HTTP_PARTIAL ? "partial" : r == HTTP_BAD ? whole.why : describe(&whole);
	bool decided = false, same = true, end = true;

	is_str(got, want, name);
	for (size_t i = 0; i <= size; i++) {
		enum http_result part = parse(&h, text, i, allowed);
		if (part == HTTP_PARTIAL) {
			same = same && !decided;
			continue;
		}
		if (!decided && r == HTTP_DONE)
			end = i == whole.size;
		decided = true;
		same = same && part == r && (r == HTTP_BAD ? h.why == whole.why : !memcmp(&h, &whole, sizeof h));
	}
	ok(same && end && decided == (r != HTTP_PARTIAL), "%s: the same in pieces", name);
}
#define CASE(name, text, want)		all_ways(name, S(text), PROXY_HEADER_ANY, want)
#define ONLY(name, text, allowed, want)	all_ways(name, S(text), allowed, want)

static void version1(void)
{
	char line[200];

	CASE("tcp4", "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET", "1: 192.0.2.1 56324 198.51.100.7 443");
	CASE("tcp6", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "1: 2001:db8::1 1 ::1 65535");
	CASE("ports may be 0", "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n", "1: 1.2.3.4 0 5.6.7.8 0");
	CASE("mapped", "PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", "1: ::ffff:1.2.3.4 1 ::1 2");
	CASE("unknown", "PROXY UNKNOWN\r\nx", "1: - 0 - 0");
	CASE("unknown with anything", "PROXY UNKNOWN ffff:f...f:ffff \x01\xff 65535\r\n", "1: - 0 - 0");
	CASE("unknown with a tail", "PROXY UNKNOWNS\r\n", "version 1: unknown protocol");
	CASE("nothing yet", "", "partial");
	CASE("no end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2", "partial");
	CASE("no LF yet", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r", "partial");
	CASE("bare LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nGET / HTTP/1.1\r\n", "version 1: bare LF");
	CASE("bare CR", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX\n", "version 1: bare CR");
	CASE("small letters", "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "no PROXY header");
	CASE("another protocol", "PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n", "version 1: unknown protocol");
	CASE("no protocol", "PROXY \r\n", "version 1: no protocol");
	CASE("two blanks", "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "version 1: no protocol");
	CASE("two blanks inside", "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n", "version 1: not four values");
	CASE("a blank at the end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n", "version 1: not four values");
	CASE("an empty value", "PROXY TCP4 1.2.3.4 5.6.7.8  2\r\n", "version 1: bad port");
	CASE("three values", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "version 1: not four values");
	CASE("v6 in tcp4", "PROXY TCP4 ::1 5.6.7.8 1 2\r\n", "version 1: bad address");
	CASE("v4 in tcp6", "PROXY TCP6 ::1 5.6.7.8 1 2\r\n", "version 1: bad address");
	CASE("octet", "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n", "version 1: bad address");
	CASE("octal", "PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n", "version 1: bad address");
	CASE("short form", "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", "version 1: bad address");
	CASE("a NUL in an address", "PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n", "version 1: bad address");
	CASE("a scope", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "version 1: bad address");
	CASE("port too large", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n", "version 1: bad port");
	CASE("port far too large", "PROXY TCP4 1.2.3.4 5.6.7.8 1 4294967297\r\n", "version 1: bad port");
	CASE("port with a sign", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n", "version 1: bad port");
	CASE("port with a zero", "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", "version 1: bad port");
	CASE("port with a tab", "PROXY TCP4 1.2.3.4 5.6.7.8 1\t 2\r\n", "version 1: bad port");
	ONLY("not allowed", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", PROXY_HEADER_V2, "version 1 is not allowed");
	CASE("a request", "GET / HTTP/1.1\r\n\r\n", "no PROXY header");
	CASE("like a header", "PROXX", "no PROXY header");

	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	memcpy(line + 105, "\r\n", 2);
	all_ways("107 bytes", line, 150, PROXY_HEADER_ANY, "1: - 0 - 0");
	memcpy(line + 105, "x\r\n", 3);
	all_ways("108 bytes", line, 150, PROXY_HEADER_ANY, "version 1: too long");
	line[106] = 'x';
	all_ways("no CR in 107 bytes", line, 150, PROXY_HEADER_ANY, "version 1: too long");
}

static void version2(void)
{
	static char large[5000];

	CASE("inet", SIG "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x01\xbbGET", "2: 192.0.2.1 56324 198.51.100.7 443");
	CASE("inet6", SIG "\x21\x21\x00\x24" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" "\0\1\0\2",
	    "2: 2001:db8::1 1 ::1 2");
	CASE("unspecified", SIG "\x21\0\0\0", "2: - 0 - 0");
	CASE("local", SIG "\x20\0\0\0x", "2: - 0 - 0 local");
	CASE("local with an address", SIG "\x20\x11\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", "2: - 0 - 0 local");
	CASE("local with nonsense", SIG "\x20\xff\0\5\1\2\3\4\5", "2: - 0 - 0 local");
	CASE("tlvs", SIG "\x21\x11\0\x16\1\2\3\4\5\6\7\10\0\1\0\2\x04\0\0\x05\0\4abcd", "2: 1.2.3.4 1 5.6.7.8 2");
	CASE("ssl", SIG "\x21\x11\0\x14\1\2\3\4\5\6\7\10\0\1\0\2\x20\0\5\1\0\0\0\0", "2: 1.2.3.4 1 5.6.7.8 2 secure");
	CASE("ssl with more", SIG "\x21\x11\0\x1e\1\2\3\4\5\6\7\10\0\1\0\2\x20\0\x0f\5\0\0\0\0\x21\0\7TLSv1.3", "2: 1.2.3.4 1 5.6.7.8 2 secure");
	CASE("ssl, not the client", SIG "\x21\x11\0\x14\1\2\3\4\5\6\7\10\0\1\0\2\x20\0\5\0\0\0\0\0", "2: 1.2.3.4 1 5.6.7.8 2");
	CASE("ssl too short", SIG "\x21\x11\0\x13\1\2\3\4\5\6\7\10\0\1\0\2\x20\0\4\1\0\0\0", "version 2: SSL TLV too short");
	CASE("a TLV that is cut", SIG "\x21\x11\0\x0e\1\2\3\4\5\6\7\10\0\1\0\2\x04\0", "version 2: a TLV is cut short");
	CASE("a TLV beyond the end", SIG "\x21\x11\0\x11\1\2\3\4\5\6\7\10\0\1\0\2\x04\0\3ab", "version 2: a TLV is cut short");
	CASE("checksum", SIG "\x21\x11\0\x13\1\2\3\4\5\6\7\10\0\1\0\2\x03\0\4\x65\xa6\x0e\x1e", "2: 1.2.3.4 1 5.6.7.8 2");
	CASE("wrong checksum", SIG "\x21\x11\0\x13\1\2\3\4\5\6\7\10\0\1\0\2\x03\0\4\0\0\0\0", "version 2: wrong checksum");
	CASE("checksum of another size", SIG "\x21\x11\0\x12\1\2\3\4\5\6\7\10\0\1\0\2\x03\0\3\0\0\0", "version 2: wrong checksum");
	CASE("version 1 in binary", SIG "\x11\x11\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", "version 2: unknown version or command");
	CASE("command", SIG "\x22\x11\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", "version 2: unknown version or command");
	CASE("family", SIG "\x21\x41\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", "version 2: unknown family or transport");
	CASE("transport", SIG "\x21\x13\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", "version 2: unknown family or transport");
	CASE("datagrams", SIG "\x21\x12\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", "version 2: the transport is not a stream");
	CASE("short for inet", SIG "\x21\x11\0\x0b\1\2\3\4\5\6\7\10\0\1\0", "version 2: too short for its addresses");
	CASE("short for inet6", SIG "\x21\x21\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", "version 2: too short for its addresses");
	CASE("short for unix", SIG "\x21\x31\0\1\0", "version 2: too short for its addresses");
	CASE("too long", SIG "\x21\x11\xff\xff", "version 2: too long");
	CASE("another signature", "\r\n\r\n\0\r\nQUIX\n\x21\x11\0\0", "no PROXY header");
	CASE("blank lines", "\r\n\r\nGET / HTTP/1.1\r\n", "no PROXY header");
	ONLY("not allowed", SIG "\x21\x11\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2", PROXY_HEADER_V1, "version 2 is not allowed");

	memcpy(large, SIG "\x21\x31\0\xd8", 16);
	all_ways("unix", large, 16 + 216, PROXY_HEADER_ANY, "2: - 0 - 0");
	memcpy(large, SIG "\x21\x11\x0f\xf0\1\2\3\4\5\6\7\10\0\1\0\2\xee\x0f\xe1", 31);
	all_ways("as long as may be", large, 4100, PROXY_HEADER_ANY, "2: 1.2.3.4 1 5.6.7.8 2");
	memcpy(large, SIG "\x21\x11\x0f\xf1\1\2\3\4\5\6\7\10\0\1\0\2\xee\x0f\xe2", 31);
	all_ways("a byte too long", large, 4100, PROXY_HEADER_ANY, "version 2: too long");
}

static void written(void)
{
	struct proxy_header h = { .family = AF_INET, .from_port = 65535, .to_port = 80 }, back;
	char *room = edge_room(&edge, PROXY_HEADER_WRITE_MAX);
	char line[PROXY_HEADER_WRITE_MAX];
	size_t n;

	inet_pton(AF_INET, "192.0.2.1", h.from);
	inet_pton(AF_INET, "10.0.0.1", h.to);
	for (unsigned v = 1; v <= 2; v++) {
		char copy[PROXY_HEADER_WRITE_MAX];
		n = proxy_header_write(room, v, &h);
		memcpy(copy, room, n);
		ok(parse(&back, copy, n, v) == HTTP_DONE && back.size == n, "version %u reads back", v);
		is_str(strchr(describe(&back), ' '), " 192.0.2.1 65535 10.0.0.1 80", "with its addresses");
	}
	h.family = AF_INET6;
	memset(h.from, 0xff, 16);
	memset(h.to, 0xff, 16);
	h.to_port = 65535;
	n = proxy_header_write(room, PROXY_HEADER_V1, &h);
	memcpy(line, room, n);
	ok(n <= PROXY_HEADER_V1_MAX && parse(&back, line, n, PROXY_HEADER_V1) == HTTP_DONE && !memcmp(back.from, h.from, 16),
	    "the longest line is %zu bytes", n);
	n = proxy_header_write(room, PROXY_HEADER_V2, &h);
	memcpy(line, room, n);
	ok(parse(&back, line, n, PROXY_HEADER_V2) == HTTP_DONE && !memcmp(back.to, h.to, 16) && back.family == AF_INET6, "inet6 in version 2");
	h.family = AF_UNIX;
	n = proxy_header_write(line, PROXY_HEADER_V1, &h);
	ok(n == 15 && !memcmp(line, "PROXY UNKNOWN\r\n", 15), "version 1: unknown");
	n = proxy_header_write(line, PROXY_HEADER_V2, &h);
	ok(n == 16 && !memcmp(line, SIG "\x21\0\0\0", 16), "version 2: unspecified");
	h.local = true;
	h.family = AF_INET;
	n = proxy_header_write(line, PROXY_HEADER_V2, &h);
	ok(n == 16 && !memcmp(line, SIG "\x20\0\0\0", 16), "version 2: local");
	n = proxy_header_write(line, PROXY_HEADER_V1, &h);
	ok(n == 15, "version 1: unknown when local");
}

int main(void)
{
	edge = edge_make(8192);
	version1();
	version2();
	written();
	return done_testing();
}
