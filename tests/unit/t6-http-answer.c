/*
 * Heads of answers: what is accepted, and as what; all the rest is refused with 502.
 */
#include "tests/unit/heads.h"

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
	{ "300 to CONNECT", S("HTTP/1.1 300 X\r\nContent-Length: 5\r\n\r\n"), HTTP_CONNECT, "1.1 300 (X) length 5 keep" },
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

int main(void)
{
	edge = edge_make(4096);
	response_cases();
	return done_testing();
}
