/*
 * Heads: what is accepted, and as what; what is refused, and with which status. Every case is read
 * whole, byte by byte, and cut at each position, always at the edge of an unreadable page and at another
 * address in each call, and must come out the same.
 */
#include "http/head.h"

#include "tests/unit/edge.h"
#include "tests/unit/tap.h"

#include "http/authority.h"
#include "http/chars.h"
#include "http/name.h"

#define S(text)	(text), sizeof(text) - 1
#define H	"Host: a\r\n"
#define END	"\r\n"
/* A request with these fields besides Host; a request line with a Host. */
#define F(fields)	S("POST / HTTP/1.1\r\n" H fields END)
#define L(line)		S(line "\r\n" H END)
#define HOST(value)	S("GET / HTTP/1.1\r\nHost: " value "\r\n\r\n")
#define ABS(authority)	S("GET http://" authority "/ HTTP/1.1\r\n" H END)

struct request_case {
	const char *name, *text;
	size_t size;
	unsigned status;	/* 0: accepted */
	const char *is;		/* accepted: as described by describe(); NULL: not looked at */
};

static const struct request_case requests[] = {
	/* ---- request lines ---- */
	{ "plain", L("GET / HTTP/1.1"), 0, "GET 1.1 / @a none keep" },
	{ "path and query", L("GET /a/b?c=d&e=%20 HTTP/1.1"), 0, "GET 1.1 /a/b?c=d&e=%20 @a none keep" },
	{ "1.0 without Host", S("GET / HTTP/1.0\r\n\r\n"), 0, "GET 1.0 / @ none" },
	{ "1.0 with Host", S("GET / HTTP/1.0\r\n" H END), 0, "GET 1.0 / @a none" },
	{ "1.2 is 1.1", L("GET / HTTP/1.2"), 0, "GET 1.1 / @a none keep" },
	{ "1.9 is 1.1", L("GET / HTTP/1.9"), 0, "GET 1.1 / @a none keep" },
	{ "HEAD", L("HEAD / HTTP/1.1"), 0, "HEAD 1.1 / @a none keep" },
	{ "POST", L("POST / HTTP/1.1"), 0, "POST 1.1 / @a none keep" },
	{ "PUT", L("PUT / HTTP/1.1"), 0, "PUT 1.1 / @a none keep" },
	{ "DELETE", L("DELETE / HTTP/1.1"), 0, "DELETE 1.1 / @a none keep" },
	{ "PATCH", L("PATCH / HTTP/1.1"), 0, "PATCH 1.1 / @a none keep" },
	{ "OPTIONS", L("OPTIONS / HTTP/1.1"), 0, "OPTIONS 1.1 / @a none keep" },
	{ "TRACE", L("TRACE / HTTP/1.1"), 0, "TRACE 1.1 / @a none keep" },
	{ "unknown method", L("PROPFIND / HTTP/1.1"), 0, "(PROPFIND) 1.1 / @a none keep" },
	{ "small letters are another method", L("get / HTTP/1.1"), 0, "(get) 1.1 / @a none keep" },
	{ "method of one letter", L("X / HTTP/1.1"), 0, "(X) 1.1 / @a none keep" },
	{ "method of all token characters", L("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1"), 0, "(!#$%&'*+-.^_`|~09azAZ) 1.1 / @a none keep" },
	{ "longer than a known method", L("GETS / HTTP/1.1"), 0, "(GETS) 1.1 / @a none keep" },
	{ "OPTIONS *", L("OPTIONS * HTTP/1.1"), 0, "OPTIONS 1.1 * @a none keep" },
	{ "path with //", L("GET //x/y HTTP/1.1"), 0, "GET 1.1 //x/y @a none keep" },
	{ "path that looks absolute", L("GET /http://b/ HTTP/1.1"), 0, "GET 1.1 /http://b/ @a none keep" },
	{ "two question marks", L("GET /?a?b HTTP/1.1"), 0, "GET 1.1 /?a?b @a none keep" },
	{ "what browsers leave in paths", L("GET /a|b^c{d}[e]`f' HTTP/1.1"), 0, "GET 1.1 /a|b^c{d}[e]`f' @a none keep" },
	{ "backslash in a query", L("GET /?a\\b HTTP/1.1"), 0, "GET 1.1 /?a\\b @a none keep" },
	{ "bad percent signs are the server's", L("GET /%zz%2 HTTP/1.1"), 0, "GET 1.1 /%zz%2 @a none keep" },
	{ "one blank line before", S("\r\nGET / HTTP/1.1\r\n" H END), 0, "GET 1.1 / @a none keep" },
	{ "four blank lines before", S("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H END), 0, "GET 1.1 / @a none keep" },
	{ "five blank lines before", S("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H END), 400, NULL },
	{ "bare LF before", S("\nGET / HTTP/1.1\r\n" H END), 400, NULL },
	{ "blank before the method", L(" GET / HTTP/1.1"), 400, NULL },
	{ "tab before the method", L("\tGET / HTTP/1.1"), 400, NULL },
	{ "no method", L(" / HTTP/1.1"), 400, NULL },
	{ "method with a colon", L("GE:T / HTTP/1.1"), 400, NULL },
	{ "method with a slash", L("GE/T / HTTP/1.1"), 400, NULL },
	{ "method in quotes", L("\"GET\" / HTTP/1.1"), 400, NULL },
	{ "method with a byte above 127", L("G\xc3\x89T / HTTP/1.1"), 400, NULL },
	{ "method with parentheses", L("GET() / HTTP/1.1"), 400, NULL },
	{ "method with @", L("GET@ / HTTP/1.1"), 400, NULL },
	{ "two blanks after the method", L("GET  / HTTP/1.1"), 400, NULL },
	{ "tab after the method", L("GET\t/ HTTP/1.1"), 400, NULL },
	{ "two blanks before the version", L("GET /  HTTP/1.1"), 400, NULL },
	{ "tab before the version", L("GET /\tHTTP/1.1"), 400, NULL },
	{ "blank in the target", L("GET /a b HTTP/1.1"), 400, NULL },
	{ "tab in the target", L("GET /a\tb HTTP/1.1"), 400, NULL },
	{ "blank at the end", L("GET / HTTP/1.1 "), 400, NULL },
	{ "tab at the end", L("GET / HTTP/1.1\t"), 400, NULL },
	{ "words at the end", L("GET / HTTP/1.1 x"), 400, NULL },
	{ "no version", L("GET /"), 400, NULL },
	{ "no version, blank", L("GET / "), 400, NULL },
	{ "no target", L("GET HTTP/1.1"), 400, NULL },
	{ "empty target", L("GET  HTTP/1.1"), 400, NULL },
	{ "method alone", L("GET"), 400, NULL },
	{ "version alone", L("HTTP/1.1"), 400, NULL },
	{ "an answer", L("HTTP/1.1 200 OK"), 400, NULL },
	{ "version in small letters", L("GET / http/1.1"), 400, NULL },
	{ "version in mixed letters", L("GET / Http/1.1"), 400, NULL },
	{ "another protocol", L("GET / HTCPCP/1.0"), 400, NULL },
	{ "ICY", L("GET / ICY/1.1"), 400, NULL },
	{ "no minor", L("GET / HTTP/1"), 400, NULL },
	{ "no minor, dot", L("GET / HTTP/1."), 400, NULL },
	{ "no major", L("GET / HTTP/.1"), 400, NULL },
	{ "two digits of minor", L("GET / HTTP/1.10"), 400, NULL },
	{ "leading zero of minor", L("GET / HTTP/1.01"), 400, NULL },
	{ "two digits of major", L("GET / HTTP/11.1"), 400, NULL },
	{ "leading zero of major", L("GET / HTTP/01.1"), 400, NULL },
	{ "comma for a dot", L("GET / HTTP/1,1"), 400, NULL },
	{ "letter for a minor", L("GET / HTTP/1.x"), 400, NULL },
	{ "signed minor", L("GET / HTTP/1.-1"), 400, NULL },
	{ "no slash", L("GET / HTTP1.1"), 400, NULL },
	{ "blank in the version", L("GET / HTTP/ 1.1"), 400, NULL },
	{ "HTTP/0.9", L("GET / HTTP/0.9"), 505, NULL },
	{ "HTTP/2.0", L("GET / HTTP/2.0"), 505, NULL },
	{ "HTTP/2.1", L("GET / HTTP/2.1"), 505, NULL },
	{ "HTTP/3.0", L("GET / HTTP/3.0"), 505, NULL },
	{ "HTTP/9.9", L("GET / HTTP/9.9"), 505, NULL },
	{ "HTTP/2 preface", S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, NULL },
	{ "TLS hello", S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400, NULL },
	{ "PROXY protocol", S("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n" H END), 400, NULL },
	{ "fragment", L("GET /a#b HTTP/1.1"), 400, NULL },
	{ "fragment after a query", L("GET /a?b#c HTTP/1.1"), 400, NULL },
	{ "quote in a path", L("GET /\"a HTTP/1.1"), 400, NULL },
	{ "angle brackets", L("GET /<a> HTTP/1.1"), 400, NULL },
	{ "angle brackets in a query", L("GET /?<a> HTTP/1.1"), 400, NULL },
	{ "backslash in a path", L("GET /a\\b HTTP/1.1"), 400, NULL },
	{ "byte above 127 in a path", L("GET /\xc3\xa9 HTTP/1.1"), 400, NULL },
	{ "byte above 127 in a query", L("GET /?\xff HTTP/1.1"), 400, NULL },
	{ "DEL in a path", L("GET /\x7f HTTP/1.1"), 400, NULL },
	{ "NUL in a path", L("GET /\0 HTTP/1.1"), 400, NULL },
	{ "NUL in a method", L("GE\0T / HTTP/1.1"), 400, NULL },
	{ "NUL in a version", L("GET / HTTP/1.1\0"), 400, NULL },
	{ "escape in a path", L("GET /\x1b HTTP/1.1"), 400, NULL },
	{ "vertical tab for a blank", L("GET\v/ HTTP/1.1"), 400, NULL },
	{ "form feed for a blank", L("GET\f/ HTTP/1.1"), 400, NULL },
	{ "bare CR in the line", S("GET /\ra HTTP/1.1\r\n" H END), 400, NULL },
	{ "bare CR for a blank", S("GET\r/ HTTP/1.1\r\n" H END), 400, NULL },
	{ "bare LF ends the line", S("GET / HTTP/1.1\n" H END), 400, NULL },
	{ "CR CR LF ends the line", S("GET / HTTP/1.1\r\r\n" H END), 400, NULL },
	{ "relative target", L("GET a HTTP/1.1"), 400, NULL },
	{ "query alone", L("GET ?a HTTP/1.1"), 400, NULL },
	{ "GET *", L("GET * HTTP/1.1"), 400, NULL },
	{ "OPTIONS **", L("OPTIONS ** HTTP/1.1"), 400, NULL },
	{ "OPTIONS *?a", L("OPTIONS *?a HTTP/1.1"), 400, NULL },
	{ "small options *", L("options * HTTP/1.1"), 400, NULL },
	{ "authority alone", L("GET example.com HTTP/1.1"), 400, NULL },
	{ "authority and port alone", L("GET example.com:80 HTTP/1.1"), 400, NULL },
	{ "CONNECT", S("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"), 501, NULL },
	{ "CONNECT /", L("CONNECT / HTTP/1.1"), 501, NULL },
	{ "CONNECT in 1.0", S("CONNECT example.com:443 HTTP/1.0\r\n\r\n"), 501, NULL },
	{ "CONNECT in 2.0", L("CONNECT a:1 HTTP/2.0"), 505, NULL },

	/* ---- absolute form ---- */
	{ "absolute", L("GET http://b/c HTTP/1.1"), 0, "GET 1.1 /c @b none keep absolute" },
	{ "absolute, same host", L("GET http://a/ HTTP/1.1"), 0, "GET 1.1 / @a none keep absolute" },
	{ "absolute, port", L("GET http://b:8080/c HTTP/1.1"), 0, "GET 1.1 /c @b:8080 none keep absolute" },
	{ "absolute, empty port", L("GET http://b:/c HTTP/1.1"), 0, "GET 1.1 /c @b: none keep absolute" },
	{ "absolute, https", L("GET https://b/c HTTP/1.1"), 0, "GET 1.1 /c @b none keep absolute" },
	{ "absolute, HTTP", L("GET HTTP://b/c HTTP/1.1"), 0, "GET 1.1 /c @b none keep absolute" },
	{ "absolute, hTTpS", L("GET hTTpS://b/c HTTP/1.1"), 0, "GET 1.1 /c @b none keep absolute" },
	{ "absolute, no path", L("GET http://b HTTP/1.1"), 0, "GET 1.1  @b none keep absolute" },
	{ "absolute, no path but a query", L("GET http://b?c=/d HTTP/1.1"), 0, "GET 1.1 ?c=/d @b none keep absolute" },
	{ "absolute, IPv6", L("GET http://[::1]:80/c HTTP/1.1"), 0, "GET 1.1 /c @[::1]:80 none keep absolute" },
	{ "absolute, OPTIONS", L("OPTIONS http://b HTTP/1.1"), 0, "OPTIONS 1.1  @b none keep absolute" },
	{ "absolute in 1.0 without Host", S("GET http://b/c HTTP/1.0\r\n\r\n"), 0, "GET 1.0 /c @b none absolute" },
	{ "absolute, @ in the path", L("GET http://b/c@d HTTP/1.1"), 0, "GET 1.1 /c@d @b none keep absolute" },
	{ "absolute without Host", S("GET http://b/ HTTP/1.1\r\n\r\n"), 400, NULL },
	{ "absolute with two Hosts", S("GET http://b/ HTTP/1.1\r\n" H H END), 400, NULL },
	{ "absolute with an invalid Host", S("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n"), 400, NULL },
	{ "absolute, empty host", L("GET http:/// HTTP/1.1"), 400, NULL },
	{ "absolute, nothing", L("GET http:// HTTP/1.1"), 400, NULL },
	{ "absolute, https and nothing", L("GET https:// HTTP/1.1"), 400, NULL },
	{ "absolute, port only", L("GET http://:80/ HTTP/1.1"), 400, NULL },
	{ "absolute, one slash", L("GET http:/b/ HTTP/1.1"), 400, NULL },
	{ "absolute, no slash", L("GET http:b HTTP/1.1"), 400, NULL },
	{ "absolute, user information", L("GET http://u@b/ HTTP/1.1"), 400, NULL },
	{ "absolute, user and password", L("GET http://u:p@b/ HTTP/1.1"), 400, NULL },
	{ "absolute, port too high", L("GET http://b:65536/ HTTP/1.1"), 400, NULL },
	{ "absolute, port not a number", L("GET http://b:x/ HTTP/1.1"), 400, NULL },
	{ "absolute, backslash in the host", L("GET http://b\\c/ HTTP/1.1"), 400, NULL },
	{ "absolute, fragment", L("GET http://b#c HTTP/1.1"), 400, NULL },
	{ "absolute, fragment after the path", L("GET http://b/#c HTTP/1.1"), 400, NULL },
	{ "absolute, ftp", L("GET ftp://b/ HTTP/1.1"), 400, NULL },
	{ "absolute, ws", L("GET ws://b/ HTTP/1.1"), 400, NULL },
	{ "absolute, file", L("GET file:///etc/passwd HTTP/1.1"), 400, NULL },
	{ "absolute, urn", L("GET urn:a:b HTTP/1.1"), 400, NULL },
	{ "absolute, httpx", L("GET httpx://b/ HTTP/1.1"), 400, NULL },

	/* ---- Host ---- */
	{ "name", HOST("example.com"), 0, "GET 1.1 / @example.com none keep" },
	{ "name and port", HOST("example.com:8080"), 0, "GET 1.1 / @example.com:8080 none keep" },
	{ "IPv6 and port", HOST("[2001:db8::1]:443"), 0, "GET 1.1 / @[2001:db8::1]:443 none keep" },
	{ "blanks around Host", HOST("  \texample.com\t "), 0, "GET 1.1 / @example.com none keep" },
	{ "no blank before Host", S("GET / HTTP/1.1\r\nHost:a\r\n\r\n"), 0, "GET 1.1 / @a none keep" },
	{ "host in small letters", S("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), 0, "GET 1.1 / @a none keep" },
	{ "hOsT", S("GET / HTTP/1.1\r\nhOsT: a\r\n\r\n"), 0, "GET 1.1 / @a none keep" },
	{ "Host last", S("GET / HTTP/1.1\r\nA: b\r\nHost: a\r\n\r\n"), 0, "GET 1.1 / @a none keep" },
	{ "no Host", S("GET / HTTP/1.1\r\n\r\n"), 400, NULL },
	{ "no Host but Hosts", S("GET / HTTP/1.1\r\nHosts: a\r\n\r\n"), 400, NULL },
	{ "no Host in 1.2", S("GET / HTTP/1.2\r\n\r\n"), 400, NULL },
	{ "two Hosts", S("GET / HTTP/1.1\r\n" H "Host: b\r\n\r\n"), 400, NULL },
	{ "two equal Hosts", S("GET / HTTP/1.1\r\n" H H END), 400, NULL },
	{ "two Hosts, apart", S("GET / HTTP/1.1\r\n" H "A: b\r\nhOST: b\r\n\r\n"), 400, NULL },
	{ "two Hosts in 1.0", S("GET / HTTP/1.0\r\n" H H END), 400, NULL },
	{ "empty Host", HOST(""), 400, NULL },
	{ "empty Host in 1.0", S("GET / HTTP/1.0\r\nHost:\r\n\r\n"), 400, NULL },
	{ "blank in Host", HOST("a b"), 400, NULL },
	{ "invalid Host in 1.0", S("GET / HTTP/1.0\r\nHost: a b\r\n\r\n"), 400, NULL },
	{ "slash in Host", HOST("a/b"), 400, NULL },
	{ "URI in Host", HOST("http://a"), 400, NULL },
	{ "user in Host", HOST("u@a"), 400, NULL },
	{ "two Hosts in one", HOST("a:80, b"), 400, NULL },
	{ "quotes in Host", HOST("\"a\""), 400, NULL },
	{ "backslash in Host", HOST("a\\b"), 400, NULL },
	{ "byte above 127 in Host", HOST("\xc3\xa9"), 400, NULL },
	{ "question mark in Host", HOST("a?b"), 400, NULL },
	{ "fragment in Host", HOST("a#b"), 400, NULL },
	{ "tab in Host", HOST("a\tb"), 400, NULL },
	{ "Host folded", S("GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"), 400, NULL },
	{ "port of letters", HOST("a:b"), 400, NULL },
	{ "port 65536", HOST("a:65536"), 400, NULL },
	{ "port with a sign", HOST("a:+80"), 400, NULL },
	{ "negative port", HOST("a:-80"), 400, NULL },
	{ "port then words", HOST("a:80b"), 400, NULL },
	{ "port then path", HOST("a:80/"), 400, NULL },
	{ "two ports", HOST("a:80:80"), 400, NULL },
	{ "blank before the port", HOST("a: 80"), 400, NULL },
	{ "IPv6 without brackets", HOST("::1"), 400, NULL },
	{ "port only", HOST(":80"), 400, NULL },

	/* ---- field lines ---- */
	{ "a field", F("A: b\r\n"), 0, NULL },
	{ "empty value", F("A:\r\n"), 0, NULL },
	{ "value of blanks", F("A: \t \r\n"), 0, NULL },
	{ "tab within a value", F("A: b\tc\r\n"), 0, NULL },
	{ "bytes above 127 in a value", F("A: \x80\xff\xc3\xa9\r\n"), 0, NULL },
	{ "colons in a value", F("A: :b:c:\r\n"), 0, NULL },
	{ "name of all token characters", F("!#$%&'*+-.^_`|~09azAZ: b\r\n"), 0, NULL },
	{ "name of one letter", F("a:b\r\n"), 0, NULL },
	{ "space before the colon", F("A : b\r\n"), 400, NULL },
	{ "tab before the colon", F("A\t: b\r\n"), 400, NULL },
	{ "space before the colon of Content-Length", F("Content-Length : 5\r\n"), 400, NULL },
	{ "space before the colon of Transfer-Encoding", F("Transfer-Encoding : chunked\r\n"), 400, NULL },
	{ "space before the colon of Host", S("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400, NULL },
	{ "empty name", F(": b\r\n"), 400, NULL },
	{ "no colon", F("A\r\n"), 400, NULL },
	{ "no colon, blanks", F("A b\r\n"), 400, NULL },
	{ "a blank for a line", F(" \r\n"), 400, NULL },
	{ "name with a blank", F("A B: c\r\n"), 400, NULL },
	{ "name with a slash", F("A/B: c\r\n"), 400, NULL },
	{ "name with quotes", F("\"A\": c\r\n"), 400, NULL },
	{ "name with parentheses", F("A(b): c\r\n"), 400, NULL },
	{ "name with a semicolon", F("A;b: c\r\n"), 400, NULL },
	{ "name with an equals sign", F("A=b: c\r\n"), 400, NULL },
	{ "name with @", F("A@b: c\r\n"), 400, NULL },
	{ "name with brackets", F("A[b]: c\r\n"), 400, NULL },
	{ "name with a comma", F("A,b: c\r\n"), 400, NULL },
	{ "name with a byte above 127", F("A\xc3\xa9: c\r\n"), 400, NULL },
	{ "name with NUL", F("A\0: c\r\n"), 400, NULL },
	{ "name with DEL", F("A\x7f: c\r\n"), 400, NULL },
	{ "value with NUL", F("A: b\0c\r\n"), 400, NULL },
	{ "value with DEL", F("A: b\x7f\r\n"), 400, NULL },
	{ "value with escape", F("A: \x1b[2J\r\n"), 400, NULL },
	{ "value with vertical tab", F("A: b\vc\r\n"), 400, NULL },
	{ "value with form feed", F("A: b\fc\r\n"), 400, NULL },
	{ "value with backspace", F("A: b\bc\r\n"), 400, NULL },
	{ "value with 0x01", F("A: \x01\r\n"), 400, NULL },
	{ "value with 0x1f", F("A: \x1f\r\n"), 400, NULL },
	{ "bare CR in a value", F("A: b\rc\r\n"), 400, NULL },
	{ "bare CR hides a field", F("A: b\rTransfer-Encoding: chunked\r\n"), 400, NULL },
	{ "bare CR in a name", F("A\rB: c\r\n"), 400, NULL },
	{ "bare LF in a value", F("A: b\nc\r\n"), 400, NULL },
	{ "bare LF ends a field", F("A: b\nContent-Length: 5\r\n"), 400, NULL },
	{ "bare LF ends the head", S("GET / HTTP/1.1\r\n" H "\n"), 400, NULL },
	{ "LF CR", F("A: b\n\rC: d\r\n"), 400, NULL },
	{ "CR CR LF ends a field", F("A: b\r\r\n"), 400, NULL },
	{ "CR CR LF ends the head", S("GET / HTTP/1.1\r\n" H "\r\r\n"), 400, NULL },
	{ "CR at the end of the head", S("GET / HTTP/1.1\r\n" H "\rX"), 400, NULL },
	{ "folded with a blank", F("A: b\r\n c\r\n"), 400, NULL },
	{ "folded with a tab", F("A: b\r\n\tc\r\n"), 400, NULL },
	{ "folded with nothing", F("A: b\r\n \r\n"), 400, NULL },
	{ "folded Transfer-Encoding", F("Transfer-Encoding:\r\n chunked\r\n"), 400, NULL },
	{ "blank before the first field", S("GET / HTTP/1.1\r\n A: b\r\n" H END), 400, NULL },
	{ "folded before the first field", S("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400, NULL },

	/* ---- Content-Length ---- */
	{ "length", F("Content-Length: 5\r\n"), 0, "POST 1.1 / @a length 5 keep" },
	{ "length 0", F("Content-Length: 0\r\n"), 0, "POST 1.1 / @a length 0 keep" },
	{ "length in 1.0", S("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n"), 0, "POST 1.0 / @ length 5" },
	{ "length of a GET", S("GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n"), 0, "GET 1.1 / @a length 5 keep" },
	{ "leading zeros", F("Content-Length: 0005\r\n"), 0, "POST 1.1 / @a length 5 keep" },
	{ "the greatest length", F("Content-Length: 9223372036854775807\r\n"), 0, "POST 1.1 / @a length 9223372036854775807 keep" },
	{ "blanks around the length", F("Content-Length: \t5 \t\r\n"), 0, "POST 1.1 / @a length 5 keep" },
	{ "cONTENT-lENGTH", F("cONTENT-lENGTH: 5\r\n"), 0, "POST 1.1 / @a length 5 keep" },
	{ "2^63", F("Content-Length: 9223372036854775808\r\n"), 400, NULL },
	{ "2^64", F("Content-Length: 18446744073709551616\r\n"), 400, NULL },
	{ "2^64 + 5", F("Content-Length: 18446744073709551621\r\n"), 400, NULL },
	{ "very long", F("Content-Length: 99999999999999999999999999999999999999\r\n"), 400, NULL },
	{ "empty length", F("Content-Length:\r\n"), 400, NULL },
	{ "negative length", F("Content-Length: -5\r\n"), 400, NULL },
	{ "signed length", F("Content-Length: +5\r\n"), 400, NULL },
	{ "hexadecimal length", F("Content-Length: 0x5\r\n"), 400, NULL },
	{ "hex digits", F("Content-Length: a\r\n"), 400, NULL },
	{ "fraction", F("Content-Length: 5.0\r\n"), 400, NULL },
	{ "exponent", F("Content-Length: 5e1\r\n"), 400, NULL },
	{ "underscore", F("Content-Length: 1_0\r\n"), 400, NULL },
	{ "blank in the length", F("Content-Length: 5 5\r\n"), 400, NULL },
	{ "tab in the length", F("Content-Length: 5\t5\r\n"), 400, NULL },
	{ "list of equal lengths", F("Content-Length: 5, 5\r\n"), 400, NULL },
	{ "list of different lengths", F("Content-Length: 5, 6\r\n"), 400, NULL },
	{ "length and a comma", F("Content-Length: 5,\r\n"), 400, NULL },
	{ "comma and length", F("Content-Length: ,5\r\n"), 400, NULL },
	{ "quoted length", F("Content-Length: \"5\"\r\n"), 400, NULL },
	{ "length with a parameter", F("Content-Length: 5;a\r\n"), 400, NULL },
	{ "words", F("Content-Length: five\r\n"), 400, NULL },
	{ "superscript", F("Content-Length: \xb2\r\n"), 400, NULL },
	{ "no-break space", F("Content-Length: \xa0" "5\r\n"), 400, NULL },
	{ "equal lengths", F("Content-Length: 5\r\nContent-Length: 5\r\n"), 400, NULL },
	{ "different lengths", F("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, NULL },
	{ "lengths apart, other case", F("Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n"), 400, NULL },
	{ "a good and an empty length", F("Content-Length: 5\r\nContent-Length:\r\n"), 400, NULL },
	{ "invalid length in 1.0", S("POST / HTTP/1.0\r\nContent-Length: x\r\n\r\n"), 400, NULL },

	/* ---- Transfer-Encoding ---- */
	{ "chunked", F("Transfer-Encoding: chunked\r\n"), 0, "POST 1.1 / @a chunked keep" },
	{ "CHUNKED", F("Transfer-Encoding: CHUNKED\r\n"), 0, "POST 1.1 / @a chunked keep" },
	{ "tRANSFER-eNCODING", F("tRANSFER-eNCODING: cHuNkEd\r\n"), 0, "POST 1.1 / @a chunked keep" },
	{ "blanks around chunked", F("Transfer-Encoding:\t chunked \t\r\n"), 0, "POST 1.1 / @a chunked keep" },
	{ "chunked GET", S("GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"), 0, "GET 1.1 / @a chunked keep" },
	{ "Content-Length, then Transfer-Encoding", F("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, NULL },
	{ "Transfer-Encoding, then Content-Length", F("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, NULL },
	{ "both, length 0", F("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), 400, NULL },
	{ "both, invalid length", F("Transfer-Encoding: chunked\r\nContent-Length: x\r\n"), 400, NULL },
	{ "both, unknown coding", F("Transfer-Encoding: x\r\nContent-Length: 5\r\n"), 400, NULL },
	{ "both, empty coding", F("Transfer-Encoding:\r\nContent-Length: 5\r\n"), 400, NULL },
	{ "both in 1.0", S("POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, NULL },
	{ "chunked in 1.0", S("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, NULL },
	{ "identity in 1.0", S("POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n"), 400, NULL },
	{ "gzip, chunked", F("Transfer-Encoding: gzip, chunked\r\n"), 501, NULL },
	{ "gzip, chunked in two fields", F("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501, NULL },
	{ "identity, chunked", F("Transfer-Encoding: identity, chunked\r\n"), 501, NULL },
	{ "xchunked, chunked", F("Transfer-Encoding: xchunked, chunked\r\n"), 501, NULL },
	{ "gzip", F("Transfer-Encoding: gzip\r\n"), 400, NULL },
	{ "identity", F("Transfer-Encoding: identity\r\n"), 400, NULL },
	{ "empty coding", F("Transfer-Encoding:\r\n"), 400, NULL },
	{ "chunked, gzip", F("Transfer-Encoding: chunked, gzip\r\n"), 400, NULL },
	{ "chunked, identity", F("Transfer-Encoding: chunked, identity\r\n"), 400, NULL },
	{ "chunked, then identity in a field", F("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400, NULL },
	{ "chunked twice", F("Transfer-Encoding: chunked, chunked\r\n"), 400, NULL },
	{ "chunked in two fields", F("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, NULL },
	{ "chunked and an empty field", F("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n"), 400, NULL },
	{ "chunked, gzip, chunked", F("Transfer-Encoding: chunked, gzip, chunked\r\n"), 400, NULL },
	{ "chunked and a comma", F("Transfer-Encoding: chunked,\r\n"), 400, NULL },
	{ "comma and chunked", F("Transfer-Encoding: ,chunked\r\n"), 400, NULL },
	{ "chunked with a parameter", F("Transfer-Encoding: chunked;a=b\r\n"), 400, NULL },
	{ "chunked with q", F("Transfer-Encoding: chunked;q=0.5\r\n"), 400, NULL },
	{ "chunked and a semicolon", F("Transfer-Encoding: chunked;\r\n"), 400, NULL },
	{ "quoted chunked", F("Transfer-Encoding: \"chunked\"\r\n"), 400, NULL },
	{ "single quotes", F("Transfer-Encoding: 'chunked'\r\n"), 400, NULL },
	{ "xchunked", F("Transfer-Encoding: xchunked\r\n"), 400, NULL },
	{ "chunkedx", F("Transfer-Encoding: chunkedx\r\n"), 400, NULL },
	{ "chunk", F("Transfer-Encoding: chunk\r\n"), 400, NULL },
	{ "chunked foo", F("Transfer-Encoding: chunked foo\r\n"), 400, NULL },
	{ "foo chunked", F("Transfer-Encoding: foo chunked\r\n"), 400, NULL },
	{ "a colon too many", F("Transfer-Encoding: : chunked\r\n"), 400, NULL },
	{ "vertical tab before chunked", F("Transfer-Encoding: \vchunked\r\n"), 400, NULL },
	{ "no-break space before chunked", F("Transfer-Encoding: \xa0" "chunked\r\n"), 400, NULL },
	{ "byte above 127 in chunked", F("Transfer-Encoding: chunke\xe4\r\n"), 400, NULL },
	{ "Kelvin sign is no k", F("Transfer-Encoding: chun\xe2\x84\xaa" "ed\r\n"), 400, NULL },
	{ "Transfer_Encoding is another field", F("Transfer_Encoding: chunked\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "X-Transfer-Encoding is another field", F("X-Transfer-Encoding: chunked\r\n"), 0, "POST 1.1 / @a none keep" },

	/* ---- Connection ---- */
	{ "close", F("Connection: close\r\n"), 0, "POST 1.1 / @a none" },
	{ "Close", F("connection: Close\r\n"), 0, "POST 1.1 / @a none" },
	{ "keep-alive", F("Connection: keep-alive\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "keep-alive in 1.0", S("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0, "GET 1.0 / @ none keep" },
	{ "keep-alive and close in 1.0", S("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), 0, "GET 1.0 / @ none" },
	{ "keep-alive and close", F("Connection: keep-alive\r\nConnection: close\r\n"), 0, "POST 1.1 / @a none" },
	{ "close among others", F("Connection: a ,, b,close ,c\r\n"), 0, "POST 1.1 / @a none" },
	{ "closed is not close", F("Connection: closed\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "empty Connection", F("Connection:\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "Connection of commas", F("Connection: , ,, \r\n"), 0, "POST 1.1 / @a none keep" },
	{ "Proxy-Connection does not count", F("Proxy-Connection: close\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "Proxy-Connection does not count in 1.0", S("GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n"), 0, "GET 1.0 / @ none" },
	{ "Connection of two words", F("Connection: a b\r\n"), 400, NULL },
	{ "quoted Connection", F("Connection: \"close\"\r\n"), 400, NULL },
	{ "Connection with a parameter", F("Connection: close;a\r\n"), 400, NULL },
	{ "Connection with an equals sign", F("Connection: a=b\r\n"), 400, NULL },
	{ "Connection with a byte above 127", F("Connection: \xe9\r\n"), 400, NULL },
	{ "Connection of very many commas", F("Connection: ,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\r\n"), 400, NULL },
	{ "Connection names Content-Length", F("Connection: Content-Length\r\nContent-Length: 5\r\n"), 0, "POST 1.1 / @a length 5 keep" },
	{ "Connection names Transfer-Encoding", F("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n"), 0, "POST 1.1 / @a chunked keep" },
	{ "Connection names Host", F("Connection: Host\r\n"), 0, "POST 1.1 / @a none keep" },

	/* ---- Expect ---- */
	{ "100-continue", F("Expect: 100-continue\r\nContent-Length: 5\r\n"), 0, "POST 1.1 / @a length 5 keep expect" },
	{ "100-Continue, chunked", F("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n"), 0, "POST 1.1 / @a chunked keep expect" },
	{ "100-continue without a body", F("Expect: 100-continue\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "100-continue with length 0", F("Expect: 100-continue\r\nContent-Length: 0\r\n"), 0, "POST 1.1 / @a length 0 keep" },
	{ "100-continue in 1.0", S("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"), 0, "POST 1.0 / @ length 5" },
	{ "anything in 1.0", S("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 5\r\n\r\n"), 0, "POST 1.0 / @ length 5" },
	{ "another expectation", F("Expect: 200-ok\r\nContent-Length: 5\r\n"), 417, NULL },
	{ "empty expectation", F("Expect:\r\nContent-Length: 5\r\n"), 417, NULL },
	{ "100-continue and more", F("Expect: 100-continue, x\r\nContent-Length: 5\r\n"), 417, NULL },
	{ "100-continue with a parameter", F("Expect: 100-continue;a=b\r\nContent-Length: 5\r\n"), 417, NULL },
	{ "100-continued", F("Expect: 100-continued\r\nContent-Length: 5\r\n"), 417, NULL },
	{ "y 100-continue", F("Expect: y 100-continue\r\nContent-Length: 5\r\n"), 417, NULL },
	{ "100-continue twice", F("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"), 417, NULL },
	{ "100-continue with a NUL", F("Expect: 100-continu\0\r\n"), 400, NULL },

	/* ---- Upgrade, TE, Max-Forwards ---- */
	{ "websocket", F("Connection: Upgrade\r\nUpgrade: websocket\r\n"), 0, "POST 1.1 / @a none keep upgrade" },
	{ "websocket among options", F("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"), 0, "POST 1.1 / @a none keep upgrade" },
	{ "websocket, length 0", F("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"), 0, "POST 1.1 / @a length 0 keep upgrade" },
	{ "Upgrade not in Connection", F("Upgrade: websocket\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "Connection upgrade without Upgrade", F("Connection: upgrade\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "Upgrade in 1.0", S("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), 0, "GET 1.0 / @ none" },
	{ "Upgrade with a body", F("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n"), 0, "POST 1.1 / @a length 5 keep" },
	{ "Upgrade with a chunked body", F("Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n"), 0, "POST 1.1 / @a chunked keep" },
	{ "h2c", F("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "H2C among others", F("Connection: upgrade\r\nUpgrade: websocket, H2C\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "h2c in a second field", F("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "TE: trailers", F("TE: trailers\r\nConnection: TE\r\n"), 0, "POST 1.1 / @a none keep trailers" },
	{ "TE: gzip, Trailers", F("TE: gzip;q=0.5, Trailers\r\n"), 0, "POST 1.1 / @a none keep trailers" },
	{ "TE: gzip", F("TE: gzip\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "TE: trailersx", F("TE: trailersx\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "TE empty", F("TE:\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "TE in two fields", F("TE: gzip\r\nTE: trailers ;q=1\r\n"), 0, "POST 1.1 / @a none keep trailers" },
	{ "Max-Forwards of TRACE", S("TRACE / HTTP/1.1\r\n" H "Max-Forwards: 10\r\n\r\n"), 0, "TRACE 1.1 / @a none keep forwards 10" },
	{ "Max-Forwards 0 of OPTIONS", S("OPTIONS * HTTP/1.1\r\n" H "Max-Forwards: 0\r\n\r\n"), 0, "OPTIONS 1.1 * @a none keep forwards 0" },
	{ "Max-Forwards too many", S("TRACE / HTTP/1.1\r\n" H "Max-Forwards: 99999999999999999999999\r\n\r\n"), 0, "TRACE 1.1 / @a none keep forwards 2147483647" },
	{ "Max-Forwards of others means nothing", F("Max-Forwards: x\r\nMax-Forwards: y\r\n"), 0, "POST 1.1 / @a none keep" },
	{ "Max-Forwards negative", S("TRACE / HTTP/1.1\r\n" H "Max-Forwards: -1\r\n\r\n"), 400, NULL },
	{ "Max-Forwards empty", S("TRACE / HTTP/1.1\r\n" H "Max-Forwards:\r\n\r\n"), 400, NULL },
	{ "Max-Forwards twice", S("OPTIONS / HTTP/1.1\r\n" H "Max-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n"), 400, NULL },
	{ "TRACE with a length", S("TRACE / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n"), 400, NULL },
	{ "TRACE with chunks", S("TRACE / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"), 400, NULL },
	{ "TRACE with length 0", S("TRACE / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n"), 0, "TRACE 1.1 / @a length 0 keep" },
};

#define OK	"HTTP/1.1 200 OK\r\n"
#define R(fields)	S(OK fields END)
#define SL(line)	S(line "\r\n" "Content-Length: 0\r\n\r\n")

struct response_case {
	const char *name, *text;
	size_t size;
	enum http_method to;
	const char *is;		/* NULL: refused */
};

static const struct response_case responses[] = {
	/* ---- status lines ---- */
	{ "plain", SL("HTTP/1.1 200 OK"), HTTP_GET, "1.1 200 (OK) length 0 keep" },
	{ "no reason", SL("HTTP/1.1 200 "), HTTP_GET, "1.1 200 () length 0 keep" },
	{ "no reason and no blank", SL("HTTP/1.1 200"), HTTP_GET, "1.1 200 () length 0 keep" },
	{ "words in the reason", SL("HTTP/1.1 404 Not found: here"), HTTP_GET, "1.1 404 (Not found: here) length 0 keep" },
	{ "bytes above 127 in the reason", SL("HTTP/1.1 200 \xc3\xa9"), HTTP_GET, "1.1 200 (\xc3\xa9) length 0 keep" },
	{ "tab in the reason", SL("HTTP/1.1 200 a\tb"), HTTP_GET, "1.1 200 (a\tb) length 0 keep" },
	{ "two blanks", SL("HTTP/1.1 200  OK"), HTTP_GET, "1.1 200 ( OK) length 0 keep" },
	{ "1.0", SL("HTTP/1.0 200 OK"), HTTP_GET, "1.0 200 (OK) length 0" },
	{ "1.2", SL("HTTP/1.2 200 OK"), HTTP_GET, "1.1 200 (OK) length 0 keep" },
	{ "unknown status", SL("HTTP/1.1 299 X"), HTTP_GET, "1.1 299 (X) length 0 keep" },
	{ "599", SL("HTTP/1.1 599 X"), HTTP_GET, "1.1 599 (X) length 0 keep" },
	{ "blank line before", S("\r\n" OK END), HTTP_GET, NULL },
	{ "600", SL("HTTP/1.1 600 X"), HTTP_GET, NULL },
	{ "999", SL("HTTP/1.1 999 X"), HTTP_GET, NULL },
	{ "099", SL("HTTP/1.1 099 X"), HTTP_GET, NULL },
	{ "000", SL("HTTP/1.1 000 X"), HTTP_GET, NULL },
	{ "20", SL("HTTP/1.1 20 X"), HTTP_GET, NULL },
	{ "2000", SL("HTTP/1.1 2000 X"), HTTP_GET, NULL },
	{ "200OK", SL("HTTP/1.1 200OK"), HTTP_GET, NULL },
	{ "20x", SL("HTTP/1.1 20x OK"), HTTP_GET, NULL },
	{ "-20", SL("HTTP/1.1 -20 OK"), HTTP_GET, NULL },
	{ "+20", SL("HTTP/1.1 +20 OK"), HTTP_GET, NULL },
	{ "tab for a blank", SL("HTTP/1.1\t200 OK"), HTTP_GET, NULL },
	{ "tab after the status", SL("HTTP/1.1 200\tOK"), HTTP_GET, NULL },
	{ "two blanks before the status", SL("HTTP/1.1  200 OK"), HTTP_GET, NULL },
	{ "blank before", SL(" HTTP/1.1 200 OK"), HTTP_GET, NULL },
	{ "version alone", SL("HTTP/1.1"), HTTP_GET, NULL },
	{ "version and a blank", SL("HTTP/1.1 "), HTTP_GET, NULL },
	{ "small letters", SL("http/1.1 200 OK"), HTTP_GET, NULL },
	{ "HTTP/2", SL("HTTP/2 200 OK"), HTTP_GET, NULL },
	{ "HTTP/2.0", SL("HTTP/2.0 200 OK"), HTTP_GET, NULL },
	{ "HTTP/0.9", SL("HTTP/0.9 200 OK"), HTTP_GET, NULL },
	{ "HTTP/1.10", SL("HTTP/1.10 200 OK"), HTTP_GET, NULL },
	{ "HTTP/11.1", SL("HTTP/11.1 200 OK"), HTTP_GET, NULL },
	{ "ICY", SL("ICY 200 OK"), HTTP_GET, NULL },
	{ "a request", SL("GET / HTTP/1.1"), HTTP_GET, NULL },
	{ "a body", S("<html>hello</html>\r\n\r\n"), HTTP_GET, NULL },
	{ "SSH", S("SSH-2.0-OpenSSH_9.2\r\n"), HTTP_GET, NULL },
	{ "NUL in the reason", SL("HTTP/1.1 200 O\0K"), HTTP_GET, NULL },
	{ "escape in the reason", SL("HTTP/1.1 200 \x1b"), HTTP_GET, NULL },
	{ "DEL in the reason", SL("HTTP/1.1 200 \x7f"), HTTP_GET, NULL },
	{ "bare CR in the reason", SL("HTTP/1.1 200 O\rK"), HTTP_GET, NULL },
	{ "bare LF ends the line", S("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"), HTTP_GET, NULL },

	/* ---- framing ---- */
	{ "length", R("Content-Length: 5\r\n"), HTTP_GET, "1.1 200 (OK) length 5 keep" },
	{ "chunked", R("Transfer-Encoding: chunked\r\n"), HTTP_GET, "1.1 200 (OK) chunked keep" },
	{ "until close", R(""), HTTP_GET, "1.1 200 (OK) close" },
	{ "until close, whatever Connection says", R("Connection: keep-alive\r\n"), HTTP_GET, "1.1 200 (OK) close" },
	{ "until close in 1.0", S("HTTP/1.0 200 OK\r\n\r\n"), HTTP_GET, "1.0 200 (OK) close" },
	{ "Connection: close", R("Content-Length: 5\r\nConnection: close\r\n"), HTTP_GET, "1.1 200 (OK) length 5" },
	{ "keep-alive in 1.0", S("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"), HTTP_GET, "1.0 200 (OK) length 5 keep" },
	{ "invalid Connection closes", R("Content-Length: 5\r\nConnection: close;\r\n"), HTTP_GET, "1.1 200 (OK) length 5" },
	{ "HEAD with a length", R("Content-Length: 5\r\n"), HTTP_HEAD, "1.1 200 (OK) none keep" },
	{ "HEAD chunked", R("Transfer-Encoding: chunked\r\n"), HTTP_HEAD, "1.1 200 (OK) none keep" },
	{ "HEAD without framing", R(""), HTTP_HEAD, "1.1 200 (OK) none keep" },
	{ "HEAD with an invalid length", R("Content-Length: x\r\n"), HTTP_HEAD, NULL },
	{ "HEAD with two lengths", R("Content-Length: 5\r\nContent-Length: 6\r\n"), HTTP_HEAD, NULL },
	{ "HEAD with both", R("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), HTTP_HEAD, NULL },
	{ "204", S("HTTP/1.1 204 No Content\r\n\r\n"), HTTP_GET, "1.1 204 (No Content) none keep" },
	{ "204 with a length", S("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), HTTP_GET, "1.1 204 (No Content) none keep" },
	{ "204 chunked", S("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_GET, "1.1 204 (No Content) none keep" },
	{ "304 with a length", S("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), HTTP_GET, "1.1 304 (Not Modified) none keep" },
	{ "304", S("HTTP/1.1 304 Not Modified\r\n\r\n"), HTTP_GET, "1.1 304 (Not Modified) none keep" },
	{ "205 without framing", S("HTTP/1.1 205 Reset Content\r\n\r\n"), HTTP_GET, "1.1 205 (Reset Content) close" },
	{ "100", S("HTTP/1.1 100 Continue\r\n\r\n"), HTTP_POST, "1.1 100 (Continue) none keep" },
	{ "100 with a length", S("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"), HTTP_POST, "1.1 100 (Continue) none keep" },
	{ "103", S("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), HTTP_GET, "1.1 103 (Early Hints) none keep" },
	{ "101", S("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), HTTP_GET, "1.1 101 (Switching Protocols) none keep upgrade" },
	{ "101 without Upgrade", S("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n"), HTTP_GET, NULL },
	{ "101 without Connection", S("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), HTTP_GET, NULL },
	{ "101 in 1.0", S("HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), HTTP_GET, NULL },
	{ "200 to CONNECT", R("Content-Length: 5\r\n"), HTTP_CONNECT, "1.1 200 (OK) none keep" },
	{ "400 to CONNECT", S("HTTP/1.1 400 X\r\nContent-Length: 5\r\n\r\n"), HTTP_CONNECT, "1.1 400 (X) length 5 keep" },
	{ "both", R("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), HTTP_GET, NULL },
	{ "both, the other way round", R("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), HTTP_GET, NULL },
	{ "two equal lengths", R("Content-Length: 5\r\nContent-Length: 5\r\n"), HTTP_GET, NULL },
	{ "two lengths", R("Content-Length: 5\r\nContent-Length: 6\r\n"), HTTP_GET, NULL },
	{ "list of lengths", R("Content-Length: 5, 5\r\n"), HTTP_GET, NULL },
	{ "negative length", R("Content-Length: -1\r\n"), HTTP_GET, NULL },
	{ "empty length", R("Content-Length:\r\n"), HTTP_GET, NULL },
	{ "length too great", R("Content-Length: 9223372036854775808\r\n"), HTTP_GET, NULL },
	{ "gzip, chunked", R("Transfer-Encoding: gzip, chunked\r\n"), HTTP_GET, NULL },
	{ "gzip", R("Transfer-Encoding: gzip\r\n"), HTTP_GET, NULL },
	{ "identity", R("Transfer-Encoding: identity\r\n"), HTTP_GET, NULL },
	{ "chunked twice", R("Transfer-Encoding: chunked, chunked\r\n"), HTTP_GET, NULL },
	{ "chunked in two fields", R("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), HTTP_GET, NULL },
	{ "chunked in 1.0", S("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_GET, NULL },

	/* ---- fields ---- */
	{ "folded", R("A: b\r\n c\r\n"), HTTP_GET, NULL },
	{ "blank before the first field", R(" A: b\r\n"), HTTP_GET, NULL },
	{ "blank before the colon is taken out", R("A : b\r\n"), HTTP_GET, "1.1 200 (OK) close" },
	{ "blank before the colon of a length", R("Content-Length : 5\r\n"), HTTP_GET, NULL },
	{ "blank before the colon of a coding", R("Transfer-Encoding\t: chunked\r\n"), HTTP_GET, NULL },
	{ "no colon", R("A b\r\n"), HTTP_GET, NULL },
	{ "empty name", R(": b\r\n"), HTTP_GET, NULL },
	{ "name with a slash", R("A/b: c\r\n"), HTTP_GET, NULL },
	{ "NUL in a value", R("A: \0\r\n"), HTTP_GET, NULL },
	{ "bare CR in a value", R("A: b\rSet-Cookie: c\r\n"), HTTP_GET, NULL },
	{ "bare LF in a value", R("A: b\nSet-Cookie: c\r\n"), HTTP_GET, NULL },
	{ "bare LF ends the head", S(OK "A: b\r\n\n"), HTTP_GET, NULL },
	{ "Keep-Alive", R("Content-Length: 5\r\nKeep-Alive: timeout=5, max=100\r\n"), HTTP_GET, "1.1 200 (OK) length 5 keep timeout 5" },
	{ "Keep-Alive, timeout last", R("Content-Length: 5\r\nKeep-Alive: max=100,Timeout=60\r\n"), HTTP_GET, "1.1 200 (OK) length 5 keep timeout 60" },
	{ "Keep-Alive without sense", R("Content-Length: 5\r\nKeep-Alive: timeout=, timeout=x, timeout, =\r\n"), HTTP_GET, "1.1 200 (OK) length 5 keep" },
	{ "426 upgrade", S("HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.0\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n"), HTTP_GET, "1.1 426 (Upgrade Required) length 0 keep upgrade" },
};

static struct edge edge;

static const char *const method_names[] = {
	[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE",
	[HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE", [HTTP_PATCH] = "PATCH", [HTTP_CONNECT] = "CONNECT",
};

/* What was understood, in words. */
static const char *describe(const struct http_head *h, const char *buf)
{
	static char text[512];
	char *p = text, *end = text + sizeof(text);

#define ADD(...) do { p += snprintf(p, (size_t)(end - p), __VA_ARGS__); } while (0)
#define SPAN(s)	(int)(s).size, buf + (s).at
	if (h->is_request) {
		if (h->method)
			ADD("%s", method_names[h->method]);
		else
			ADD("(%.*s)", SPAN(h->method_text));
		ADD(" 1.%d %.*s @%.*s", h->minor, SPAN(h->target), SPAN(h->authority));
	} else {
		ADD("1.%d %d (%.*s)", h->minor, h->status, SPAN(h->reason));
	}
	switch (h->framing) {
	case HTTP_NO_BODY: ADD(" none"); break;
	case HTTP_LENGTH: ADD(" length %llu", (unsigned long long)h->length); break;
	case HTTP_CHUNKED: ADD(" chunked"); break;
	case HTTP_UNTIL_CLOSE: ADD(" close"); break;
	}
	ADD("%s%s%s%s%s", h->keep_alive ? " keep" : "", h->expect_continue ? " expect" : "",
	    h->upgrade ? " upgrade" : "", h->te_trailers ? " trailers" : "", h->absolute ? " absolute" : "");
	if (h->max_forwards >= 0)
		ADD(" forwards %d", h->max_forwards);
	if (h->keep_alive_timeout_s)
		ADD(" timeout %u", h->keep_alive_timeout_s);
	return text;
}

/* All that a caller may look at. */
static bool same_head(const struct http_head *a, const struct http_head *b, enum http_result r)
{
	if (r == HTTP_BAD)
		return a->error == b->error && a->why == b->why;
	return a->size == b->size && a->minor == b->minor && a->method == b->method && a->status == b->status &&
	    !memcmp(&a->method_text, &b->method_text, sizeof(a->method_text)) &&
	    !memcmp(&a->target, &b->target, sizeof(a->target)) &&
	    !memcmp(&a->authority, &b->authority, sizeof(a->authority)) &&
	    !memcmp(&a->reason, &b->reason, sizeof(a->reason)) &&
	    a->absolute == b->absolute && a->framing == b->framing && a->length == b->length &&
	    a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue &&
	    a->upgrade == b->upgrade && a->te_trailers == b->te_trailers && a->max_forwards == b->max_forwards &&
	    a->keep_alive_timeout_s == b->keep_alive_timeout_s && a->seen == b->seen &&
	    a->repeated == b->repeated && a->nfields == b->nfields &&
	    !memcmp(a->field, b->field, a->nfields * sizeof(a->field[0])) &&
	    !memcmp(a->first, b->first, sizeof(a->first));
}

/* A reader of requests or of answers to `to`. */
struct reader {
	bool request;
	enum http_method to;
	const struct http_limits *limits;
};

static void start(struct http_head *h, const struct reader *r)
{
	memset(h, 0xa5, sizeof(*h));	/* nothing may lean on what was there */
	if (r->request)
		http_request_start(h, r->limits);
	else
		http_response_start(h, r->limits);
}

static enum http_result parse(struct http_head *h, const struct reader *r, const char *text, size_t size)
{
	const char *at = edge_put(&edge, text, size);

	return r->request ? http_request_parse(h, at, size) : http_response_parse(h, at, size, r->to);
}

/* The result of the whole in *h; and the first difference that any way of cutting makes, or NULL. */
static const char *read_all_ways(struct http_head *h, enum http_result *result, const struct reader *r,
    const char *text, size_t size)
{
	static struct http_head other;
	static char why[100];
	enum http_result got = HTTP_PARTIAL;
	size_t ended = size;

	start(h, r);
	*result = parse(h, r, text, size);

	start(&other, r);
	for (size_t i = 0; i <= size; i++) {
		got = parse(&other, r, text, i);
		if (got != HTTP_PARTIAL) {
			ended = i;
			break;
		}
	}
	if (got != *result || !same_head(h, &other, got)) {
		snprintf(why, sizeof(why), "byte by byte: %d (%s)", got, other.why ? other.why : "");
		return why;
	}
	if (got == HTTP_DONE && ended != h->size) {
		snprintf(why, sizeof(why), "done after %zu bytes, size is %u", ended, h->size);
		return why;
	}
	if (parse(&other, r, text, size) != got || !same_head(h, &other, got))
		return "another answer when asked again";
	/* Cut once, anywhere: the end is where it was, and not before. */
	for (size_t cut = 0; cut < size; cut++) {
		start(&other, r);
		got = parse(&other, r, text, cut);
		if ((got == HTTP_PARTIAL) != (cut < ended || *result == HTTP_PARTIAL)) {
			snprintf(why, sizeof(why), "%d after %zu of %zu bytes", got, cut, ended);
			return why;
		}
		got = parse(&other, r, text, size);
		if (got != *result || !same_head(h, &other, got)) {
			snprintf(why, sizeof(why), "cut at %zu: %d (%s)", cut, got, other.why ? other.why : "");
			return why;
		}
	}
	return NULL;
}

static void request_cases(void)
{
	static struct http_head h;
	const struct reader r = { .request = true, .limits = &http_limits_default };

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		const struct request_case *c = &requests[i];
		enum http_result result;
		const char *trouble = read_all_ways(&h, &result, &r, c->text, c->size);

		if (c->status)
			ok(result == HTTP_BAD && h.error == c->status && h.why && !trouble, "request refused, %u: %s",
			    c->status, c->name);
		else
			ok(result == HTTP_DONE && !trouble && (!c->is || !strcmp(describe(&h, c->text), c->is)),
			    "request accepted: %s", c->name);
		if (trouble)
			tap_show("trouble:", trouble);
		if (result == HTTP_BAD && !c->status)
			tap_show("refused:", h.why);
		if (result == HTTP_BAD && c->status && h.error != c->status)
			printf("#   status %u, want %u: %s\n", h.error, c->status, h.why);
		if (result == HTTP_DONE && c->is && strcmp(describe(&h, c->text), c->is) != 0)
			tap_show("understood:", describe(&h, c->text));
	}
}

static void response_cases(void)
{
	static struct http_head h;

	for (size_t i = 0; i < sizeof(responses) / sizeof(*responses); i++) {
		const struct response_case *c = &responses[i];
		const struct reader r = { .to = c->to, .limits = &http_limits_default };
		enum http_result result;
		const char *trouble = read_all_ways(&h, &result, &r, c->text, c->size);

		if (!c->is)
			ok(result == HTTP_BAD && h.error == 502 && h.why && !trouble, "answer refused: %s", c->name);
		else
			ok(result == HTTP_DONE && !trouble && !strcmp(describe(&h, c->text), c->is),
			    "answer accepted: %s", c->name);
		if (trouble)
			tap_show("trouble:", trouble);
		if (result == HTTP_BAD && c->is)
			tap_show("refused:", h.why);
		if (result == HTTP_DONE && c->is && strcmp(describe(&h, c->text), c->is) != 0)
			tap_show("understood:", describe(&h, c->text));
	}
}

/* Every byte value in every place: what may stand there, and nothing else. */
static void every_byte(void)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static struct http_head h;
	const struct reader r = { .request = true, .limits = &http_limits_default };
	const struct reader answer = { .to = HTTP_GET, .limits = &http_limits_default };
	bool method = true, path = true, query = true, name = true, value = true, reason = true, last = true;

	for (int c = 0; c < 256; c++) {
		bool is_token = c && strchr(token, c);
		bool is_text = c == '\t' || (c >= 0x20 && c != 0x7f);
		bool is_target = c > 0x20 && c < 0x7f && !strchr("#\"<>", c);
		char text[100];
		size_t size;
		enum http_result result;

#define TRY(reader, good, flag, format) do { \
		size = (size_t)snprintf(text, sizeof(text), format, '\x01'); \
		*(char *)memchr(text, '\x01', size) = (char)c; \
		flag &= !read_all_ways(&h, &result, &(reader), text, size) && (result == HTTP_DONE) == (good); \
	} while (0)
		TRY(r, is_token, method, "A%cB / HTTP/1.1\r\n" H END);
		TRY(r, is_target && c != '\\', path, "GET /a%cb HTTP/1.1\r\n" H END);
		TRY(r, is_target, query, "GET /?a%cb HTTP/1.1\r\n" H END);
		TRY(r, is_token || c == ':', name, "GET / HTTP/1.1\r\n" H "A%cB: c\r\n" END);
		TRY(r, is_text, value, "GET / HTTP/1.1\r\n" H "A: b%cc\r\n" END);
		TRY(r, is_text, last, "GET / HTTP/1.1\r\n" H "A: b%c\r\n" END);
		TRY(answer, is_text, reason, "HTTP/1.1 200 O%cK\r\n" END);
	}
	ok(method, "every byte in a method");
	ok(path, "every byte in a path");
	ok(query, "every byte in a query");
	ok(name, "every byte in a field name");
	ok(value, "every byte in a field value");
	ok(last, "every byte at the end of a field value");
	ok(reason, "every byte in a reason");
}

static void limits(void)
{
	static struct http_head h;
	static char text[4000];
	const struct http_limits tight = { .line = 30, .head = 200, .fields = 5 };
	const struct reader r = { .request = true, .limits = &tight };
	const struct reader answer = { .to = HTTP_GET, .limits = &tight };
	enum http_result result;
	size_t size;
	bool good;

	/* The request line: exactly the limit, and one more. */
	size = (size_t)snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n" H END, 30 - 14, 0);
	good = !read_all_ways(&h, &result, &r, text, size);
	ok(good && result == HTTP_DONE, "a request line as long as the limit");
	size = (size_t)snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n" H END, 31 - 14, 0);
	good = !read_all_ways(&h, &result, &r, text, size);
	ok(good && result == HTTP_BAD && h.error == 414, "a request line above the limit: 414");
	size = (size_t)snprintf(text, sizeof(text), "\r\n\r\nGET /%0*d HTTP/1.1\r\n" H END, 30 - 14, 0);
	good = !read_all_ways(&h, &result, &r, text, size);
	ok(good && result == HTTP_DONE, "blank lines before do not count for the line");

	memset(text, 'x', sizeof(text));
	start(&h, &r);
	ok(parse(&h, &r, text, 30) == HTTP_PARTIAL && parse(&h, &r, text, 31) == HTTP_BAD && h.error == 414,
	    "a line without end: 414 as soon as it is too long");
	start(&h, &r);
	ok(parse(&h, &r, text, sizeof(text)) == HTTP_BAD && h.error == 414, "the same at once");
	memcpy(text, "HTTP/1.1 200 ", 13);
	good = !read_all_ways(&h, &result, &answer, text, 300);
	ok(good && result == HTTP_BAD && h.error == 502, "a status line without end");

	/* The head: exactly the limit, and one more. */
	size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" H "X: %0*d\r\n\r\n", 200 - 32, 0);
	good = !read_all_ways(&h, &result, &r, text, size);
	ok(size == 200 && good && result == HTTP_DONE && h.size == 200, "a head as large as the limit");
	size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" H "X: %0*d\r\n\r\n", 201 - 32, 0);
	good = !read_all_ways(&h, &result, &r, text, size);
	ok(size == 201 && good && result == HTTP_BAD && h.error == 431, "a head above the limit: 431");
	memset(text + 30, 'x', sizeof(text) - 30);
	start(&h, &r);
	ok(parse(&h, &r, text, 200) == HTTP_PARTIAL && parse(&h, &r, text, 201) == HTTP_BAD && h.error == 431,
	    "a field without end: 431 as soon as the head is too large");
	start(&h, &r);
	ok(parse(&h, &r, text, sizeof(text)) == HTTP_BAD && h.error == 431, "the same at once");

	/* Fields. */
	size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" H "a:\r\nb:\r\nc:\r\nd:\r\n\r\n");
	good = !read_all_ways(&h, &result, &r, text, size);
	ok(good && result == HTTP_DONE && h.nfields == 5, "as many fields as the limit");
	size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" H "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n");
	good = !read_all_ways(&h, &result, &r, text, size);
	ok(good && result == HTTP_BAD && h.error == 431, "a field above the limit: 431");

	/* A limit of fields that the struct does not have is not believed. */
	{
		const struct http_limits wide = { .line = 100, .head = 100000, .fields = 65535 };
		const struct reader w = { .request = true, .limits = &wide };

		size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" H);
		for (int i = 0; i < HTTP_FIELDS_MAX - 1; i++)
			size += (size_t)snprintf(text + size, sizeof(text) - size, "x:\r\n");
		memcpy(text + size, "x:\r\n\r\n", 6);
		start(&h, &w);
		result = parse(&h, &w, text, size + 6);
		ok(result == HTTP_BAD && h.error == 431, "a field more than there is room for: 431");
		memcpy(text + size, "\r\n", 2);
		start(&h, &w);
		result = parse(&h, &w, text, size + 2);
		ok(result == HTTP_DONE && h.nfields == HTTP_FIELDS_MAX, "all the fields that there is room for");
	}
	{
		static char large[70000];
		const struct http_limits wide = { .line = 100, .head = 100000, .fields = 10 };
		const struct reader w = { .request = true, .limits = &wide };

		memset(large, 'x', sizeof(large));
		memcpy(large, "GET / HTTP/1.1\r\n" H, 25);
		memcpy(large + sizeof(large) - 6, ": \r\n\r\n", 6);
		start(&h, &w);
		result = parse(&h, &w, large, sizeof(large));
		ok(result == HTTP_BAD && h.error == 431, "a field name that is longer than can be told: 431");
		large[100] = ':';
		start(&h, &w);
		result = parse(&h, &w, large, sizeof(large));
		ok(result == HTTP_DONE && h.field[1].value_size == sizeof(large) - 101 - 4 - 1, "a long value");
	}
	/* Connection options cost a walk over the fields each. */
	size = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" H "Connection: ");
	for (int i = 0; i < 65; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "o%d,", i);
	size += (size_t)snprintf(text + size, sizeof(text) - size, "\r\n\r\n");
	{
		const struct reader d = { .request = true, .limits = &http_limits_default };

		good = !read_all_ways(&h, &result, &d, text, size);
		ok(good && result == HTTP_BAD && h.error == 400, "very many connection options");
	}
}

static void partial(void)
{
	static struct http_head h;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\nGET /2 HTTP/1.1\r\n";
	const struct reader r = { .request = true, .limits = &http_limits_default };
	const struct reader answer = { .to = HTTP_GET, .limits = &http_limits_default };
	enum http_result result;

	start(&h, &r);
	ok(parse(&h, &r, text, 0) == HTTP_PARTIAL, "nothing is part of a head");
	start(&h, &r);
	ok(parse(&h, &r, "\r\n", 2) == HTTP_PARTIAL && parse(&h, &r, "\r\n\r", 3) == HTTP_PARTIAL, "so are blank lines");
	ok(!read_all_ways(&h, &result, &r, text, sizeof(text) - 1) && result == HTTP_DONE && h.size == 38,
	    "what follows a head is not looked at");
	start(&h, &answer);
	ok(parse(&h, &answer, "HTTP/1.1 200 OK\r\nA: b\r\n", 23) == HTTP_PARTIAL, "an answer in the middle");
}

static void fields(void)
{
	static struct http_head h;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nA:b\r\nCookie: \tc d\t \r\nCOOKIE: e\r\nEmpty:\r\n"
	    "Connection: b-named, close, cookie, HOST,Keep-Alive,X-Forwarded-For, nothing\r\nB-Named: 1\r\nb-nameD: 2\r\n"
	    "B-Name: 3\r\nKeep-Alive: 4\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: y\r\nProxy-Connection: z\r\n"
	    "X-Forwarded-For: 1\r\nx-forwarded-for: 2\r\nClose: 1\r\n\r\n";
	const struct { const char *name, *value; enum http_field_id id; bool drop; } want[] = {
		{ "Host", "a", HTTP_F_HOST, false }, { "A", "b", HTTP_FIELD_OTHER, false },
		{ "Cookie", "c d", HTTP_F_COOKIE, true }, { "COOKIE", "e", HTTP_F_COOKIE, true },
		{ "Empty", "", HTTP_FIELD_OTHER, false },
		{ "Connection", "b-named, close, cookie, HOST,Keep-Alive,X-Forwarded-For, nothing", HTTP_F_CONNECTION, true },
		{ "B-Named", "1", HTTP_FIELD_OTHER, true }, { "b-nameD", "2", HTTP_FIELD_OTHER, true },
		{ "B-Name", "3", HTTP_FIELD_OTHER, false }, { "Keep-Alive", "4", HTTP_F_KEEP_ALIVE, true },
		{ "TE", "trailers", HTTP_F_TE, true }, { "Trailer", "x", HTTP_F_TRAILER, true },
		{ "Upgrade", "y", HTTP_F_UPGRADE, true }, { "Proxy-Connection", "z", HTTP_F_PROXY_CONNECTION, true },
		{ "X-Forwarded-For", "1", HTTP_F_X_FORWARDED_FOR, true },
		{ "x-forwarded-for", "2", HTTP_F_X_FORWARDED_FOR, true }, { "Close", "1", HTTP_FIELD_OTHER, true },
	};
	const struct reader r = { .request = true, .limits = &http_limits_default };
	enum http_result result;

	ok(!read_all_ways(&h, &result, &r, text, sizeof(text) - 1) && result == HTTP_DONE, "a head with many fields");
	is_int(h.nfields, sizeof(want) / sizeof(*want), "their number");
	for (size_t i = 0; i < h.nfields && i < sizeof(want) / sizeof(*want); i++) {
		const struct http_field *f = &h.field[i];

		ok(f->name_size == strlen(want[i].name) && !memcmp(text + f->name_at, want[i].name, f->name_size) &&
		    f->value_size == strlen(want[i].value) && !memcmp(text + f->value_at, want[i].value, f->value_size) &&
		    f->id == want[i].id && f->drop == want[i].drop, "field %zu: %s", i, want[i].name);
	}
	ok(h.first[HTTP_F_HOST] == 0 && h.first[HTTP_F_COOKIE] == 2 && h.first[HTTP_F_X_FORWARDED_FOR] == 14 &&
	    h.first[HTTP_F_DATE] == -1, "the first of each");
}

static void names(void)
{
	static const struct { const char *name; enum http_field_id id; } all[] = {
		{ "host", HTTP_F_HOST }, { "content-length", HTTP_F_CONTENT_LENGTH },
		{ "transfer-encoding", HTTP_F_TRANSFER_ENCODING }, { "connection", HTTP_F_CONNECTION },
		{ "keep-alive", HTTP_F_KEEP_ALIVE }, { "proxy-connection", HTTP_F_PROXY_CONNECTION },
		{ "upgrade", HTTP_F_UPGRADE }, { "te", HTTP_F_TE }, { "trailer", HTTP_F_TRAILER },
		{ "expect", HTTP_F_EXPECT }, { "date", HTTP_F_DATE }, { "server", HTTP_F_SERVER }, { "via", HTTP_F_VIA },
		{ "x-forwarded-for", HTTP_F_X_FORWARDED_FOR }, { "x-forwarded-proto", HTTP_F_X_FORWARDED_PROTO },
		{ "x-forwarded-host", HTTP_F_X_FORWARDED_HOST }, { "forwarded", HTTP_F_FORWARDED },
		{ "x-request-id", HTTP_F_X_REQUEST_ID }, { "cookie", HTTP_F_COOKIE }, { "set-cookie", HTTP_F_SET_COOKIE },
		{ "proxy-authenticate", HTTP_F_PROXY_AUTHENTICATE }, { "proxy-authorization", HTTP_F_PROXY_AUTHORIZATION },
		{ "http2-settings", HTTP_F_HTTP2_SETTINGS }, { "max-forwards", HTTP_F_MAX_FORWARDS },
		{ "retry-after", HTTP_F_RETRY_AFTER }, { "referer", HTTP_F_REFERER }, { "user-agent", HTTP_F_USER_AGENT },
	};
	unsigned known = 1;	/* HTTP_FIELD_OTHER */

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char text[32];
		size_t size = strlen(all[i].name);
		bool good = true;

		/* Each with its case changed, its letters replaced, and its ends cut off. */
		for (size_t k = 0; k < size; k++) {
			memcpy(text, all[i].name, size);
			if (text[k] >= 'a' && text[k] <= 'z')
				text[k] = (char)(text[k] - 32);
			good &= http_name_field(edge_put(&edge, text, size), size) == all[i].id;
			for (int c = 0x21; c < 0x7f; c++) {
				text[k] = (char)c;
				if (!http_char_is((char)c, HTTP_C_TOKEN) || (c | 0x20) == all[i].name[k])
					continue;
				good &= http_name_field(edge_put(&edge, text, size), size) == HTTP_FIELD_OTHER;
			}
		}
		good &= http_name_field(all[i].name, size - 1) != all[i].id;
		snprintf(text, sizeof(text), "%s-", all[i].name);
		good &= http_name_field(text, size + 1) == HTTP_FIELD_OTHER;
		ok(good, "name %s", all[i].name);
		known++;
	}
	is_int(known, HTTP_FIELD_IDS, "all known names were tried");
	for (unsigned m = 1; m < sizeof(method_names) / sizeof(*method_names); m++) {
		char *at = edge_put(&edge, method_names[m], strlen(method_names[m]));
		bool good = http_name_method(at, strlen(method_names[m])) == m &&
		    http_name_method(at, strlen(method_names[m]) - 1) == HTTP_METHOD_OTHER;

		at[0] |= 0x20;
		ok(good && http_name_method(at, strlen(method_names[m])) == HTTP_METHOD_OTHER, "method %s", method_names[m]);
	}
}

static void authorities(void)
{
	static const char *const good[] = {
		"a", "example.com", "example.com.", "a-b_c~d", "127.0.0.1", "1", "example.com:", "example.com:0", "example.com:80",
		"example.com:65535", "example.com:00080", "a%20b", "%41", "!$&'()*+,;=", "xn--bcher-kva.example",
		"999.999.999.999", "[::]", "[::1]", "[::1]:", "[::1]:80", "[1:2:3:4:5:6:7:8]", "[1::8]", "[1:2:3:4:5:6:7::]",
		"[::2:3:4:5:6:7:8]", "[1::3:4:5:6:7:8]", "[ABCD:abcd:0123::]", "[::ffff:1.2.3.4]", "[64:ff9b::192.0.2.33]",
		"[1:2:3:4:5:6:1.2.3.4]", "[::255.255.255.255]", "[::0.0.0.0]", "[v1.a]", "[vF.a:b]", "[V1f.!$&]",
	};
	static const char *const bad[] = {
		"", ":", ":80", "a:b", "a:65536", "a:99999999999999999999", "a:-1", "a:80a", "a:80:80", "a b", " a", "a ", "a/", "a?",
		"a#", "a@b", "@a", "a\\b", "a\"", "a<", "a>", "a[", "a]", "a{", "a|b", "a^b", "a`b", "%", "%4", "%4g", "%g4", "a%",
		"\xc3\xa9", "a\t", "[", "]", "[]", "[:]", "[:::]", "[::1", "::1", "[::1]80", "[::1]:x", "[::1]:65536", "[::1]a", "[[::1]]",
		"[1]", "[1:]", "[:1]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8:]", "[:1:2:3:4:5:6:7:8]",
		"[1::2::3]", "[::1::]", "[1:2:3:4::5:6:7:8]", "[::1:2:3:4:5:6:7:8]", "[12345::]", "[::12345]", "[g::]", "[::-1]",
		"[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1.2.3]", "[::1.2.3.4.5]", "[::1.2.3.256]", "[::1.2.3.04]", "[::1.2.3.4:5]",
		"[1.2.3.4]", "[::1.2..4]", "[::.1.2.3]", "[1:2:3:4:5:6:7:1.2.3.4]", "[1:2:3:4:5:1.2.3.4]", "[::1.2.3.4 ]", "[::1.2.3.]",
		"[v]", "[v1]", "[v1.]", "[v.a]", "[vg.a]", "[v1.a/]", "[v1.%41]", "[::1]:80 ", "[ ::1]", "[::1 ]",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ok(http_authority_valid(edge_put(&edge, good[i], strlen(good[i])), strlen(good[i])), "authority: %zu. %s", i, good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!ok(!http_authority_valid(edge_put(&edge, bad[i], strlen(bad[i])), strlen(bad[i])), "no authority: %zu", i))
			tap_show("text:", bad[i]);
	ok(!http_authority_valid("a\0b", 3), "no authority: NUL within");
}

/* The search for control characters, at every offset and size around its steps of 16. */
static void text_end(void)
{
	bool good = true;

	for (size_t size = 0; size <= 70; size++) {
		char *p = edge_room(&edge, size);

		memset(p, 'a', size);
		good &= http_chars_text_end(p, p + size) == p + size;
		for (size_t i = 0; i < size; i++) {
			for (int c = 0; c < 256; c++) {
				bool ctl = (c < 0x20 && c != '\t') || c == 0x7f;

				p[i] = (char)c;
				if (i && c % 7 == 0)
					p[i - 1] = '\t';
				good &= http_chars_text_end(p, p + size) == (ctl ? p + i : p + size);
			}
			p[i] = '\r';
			if (i + 1 < size)
				p[i + 1] = '\0';
			good &= http_chars_text_end(p, p + size) == p + i;
			memset(p, 'a', size);
		}
	}
	ok(good, "control characters are found wherever they stand");
}

static void tables(void)
{
	static const char idempotent[] = { HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_TRACE, HTTP_PUT, HTTP_DELETE };

	for (unsigned m = 0; m <= HTTP_CONNECT; m++)
		ok(http_idempotent((enum http_method)m) == (memchr(idempotent, (int)m, sizeof(idempotent)) != NULL),
		    "safe to repeat: method %u", m);
	is_str(http_reason(200), "OK", "reason of 200");
	is_str(http_reason(431), "Request Header Fields Too Large", "reason of 431");
	is_str(http_reason(599), "", "reason of an unknown status");
	is_str(http_reason(0), "", "reason of nothing");
}

int main(void)
{
	edge = edge_make(100000);
	request_cases();
	response_cases();
	every_byte();
	limits();
	partial();
	fields();
	names();
	authorities();
	text_end();
	tables();
	return done_testing();
}
