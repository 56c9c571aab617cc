/*
 * Bodies: what is data, what is framing, where the end is, what is refused. Every case is read whole,
 * byte by byte, and cut at each position, at the edge of an unreadable page, with the same outcome.
 */
#include "http/body.h"

#include "tests/unit/edge.h"
#include "tests/unit/tap.h"

#define S(text)	(text), sizeof(text) - 1

struct body_case {
	const char *name, *text;
	size_t size;
	enum http_result result;
	const char *data;	/* NULL: not looked at */
	size_t rest;		/* after HTTP_DONE: bytes that belong to the next message */
};

static const struct body_case chunked[] = {
	{ "one chunk", S("5\r\nhello\r\n0\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "two chunks", S("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), HTTP_DONE, "hello world", 0 },
	{ "no chunk but the last", S("0\r\n\r\n"), HTTP_DONE, "", 0 },
	{ "next message follows", S("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), HTTP_DONE, "a", 16 },
	{ "next body follows", S("0\r\n\r\n0\r\n\r\n"), HTTP_DONE, "", 5 },
	{ "small hex digits", S("1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n"), HTTP_DONE, "0123456789012345678901234567890", 0 },
	{ "great hex digits", S("1F\r\n0123456789012345678901234567890\r\n0\r\n\r\n"), HTTP_DONE, "0123456789012345678901234567890", 0 },
	{ "digit a", S("a\r\n0123456789\r\n0\r\n\r\n"), HTTP_DONE, "0123456789", 0 },
	{ "leading zeros", S("0000000000000000000000005\r\nhello\r\n000\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "data that look like framing", S("5\r\n\r\n0\r\n\r\n0\r\n\r\n"), HTTP_DONE, "\r\n0\r\n", 0 },
	{ "data with every kind of end", S("4\r\n\n\r\r\n\r\n0\r\n\r\n"), HTTP_DONE, "\n\r\r\n", 0 },

	{ "nothing yet", S(""), HTTP_PARTIAL, "", 0 },
	{ "size cut", S("5"), HTTP_PARTIAL, "", 0 },
	{ "size line cut", S("5\r"), HTTP_PARTIAL, "", 0 },
	{ "no data yet", S("5\r\n"), HTTP_PARTIAL, "", 0 },
	{ "data cut", S("5\r\nhel"), HTTP_PARTIAL, "hel", 0 },
	{ "end of data cut", S("5\r\nhello"), HTTP_PARTIAL, "hello", 0 },
	{ "no last chunk", S("5\r\nhello\r\n"), HTTP_PARTIAL, "hello", 0 },
	{ "no end after the last chunk", S("5\r\nhello\r\n0\r\n"), HTTP_PARTIAL, "hello", 0 },
	{ "end cut in the middle", S("5\r\nhello\r\n0\r\n\r"), HTTP_PARTIAL, "hello", 0 },
	{ "trailer cut", S("0\r\nA: b\r\n"), HTTP_PARTIAL, "", 0 },

	{ "blank before the size", S(" 5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "tab before the size", S("\t5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank after the size", S("5 \r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "tab after the size", S("5\t\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank in the size", S("1 0\r\n0123456789012345\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank after the last size", S("0 \r\n\r\n"), HTTP_BAD, "", 0 },
	{ "0x", S("0x5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "0X", S("0X5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "plus", S("+5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "minus", S("-5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "minus zero", S("-0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "underscore", S("1_0\r\n0123456789012345\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "letter g", S("g\r\n0123456789abcdef\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "point", S("5.0\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "comma", S("5,5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "quotes", S("\"5\"\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "suffix h", S("5h\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "no size", S("\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "no size but an extension", S(";a=b\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "NUL in the size", S("5\0\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "NUL for a size", S("\0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "byte above 127 in the size", S("5\xb2\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "2^63 - 1", S("7fffffffffffffff\r\nhello"), HTTP_PARTIAL, "hello", 0 },
	{ "2^63", S("8000000000000000\r\nhello"), HTTP_BAD, "", 0 },
	{ "2^64 - 1", S("ffffffffffffffff\r\nhello"), HTTP_BAD, "", 0 },
	{ "2^64", S("10000000000000000\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "2^64 + 5", S("10000000000000005\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "2^128 + 5", S("100000000000000000000000000000005\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF after the size", S("5\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare CR after the size", S("5\rhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "CR CR LF after the size", S("5\r\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF after the data", S("5\r\nhello\n0\r\n\r\n"), HTTP_BAD, "hello", 0 },
	{ "bare CR after the data", S("5\r\nhello\r0\r\n\r\n"), HTTP_BAD, "hello", 0 },
	{ "CR X after the data", S("5\r\nhello\rX0\r\n\r\n"), HTTP_BAD, "hello", 0 },
	{ "two other bytes after the data", S("5\r\nhelloXX0\r\n\r\n"), HTTP_BAD, "hello", 0 },
	{ "nothing after the data", S("5\r\nhello0\r\n\r\n"), HTTP_BAD, "hello", 0 },
	{ "more data than the size", S("5\r\nhello world\r\n0\r\n\r\n"), HTTP_BAD, "hello", 0 },
	{ "fewer data than the size", S("7\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "hello\r\n", 0 },
	{ "two line ends after the data", S("5\r\nhello\r\n\r\n0\r\n\r\n"), HTTP_BAD, "hello", 0 },
	{ "bare LF after the last size", S("0\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF at the end", S("0\r\n\n"), HTTP_BAD, "", 0 },
	{ "bare CR at the end", S("0\r\n\rX"), HTTP_BAD, "", 0 },
	{ "words at the end", S("0\r\nGET / HTTP/1.1\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "a chunk after the last", S("0\r\n5\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },

	/* ---- extensions ---- */
	{ "extension", S("5;a\r\nhello\r\n0\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "extension with a value", S("5;a=b\r\nhello\r\n0;c=d\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "extension with a quoted value", S("5;a=\"b c;d=\\\"e\\\\\"\r\nhello\r\n0\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "empty quoted value", S("5;a=\"\"\r\nhello\r\n0\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "extensions", S("5;a;b=c;d=\"e\";f\r\nhello\r\n0\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "blanks where they may be", S("5 ; a = b ;\tc ; d\t=\"e\" ;f\r\nhello\r\n0\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "quoted bytes above 127 and tab", S("5;a=\"\xc3\xa9\t\"\r\nhello\r\n0\r\n\r\n"), HTTP_DONE, "hello", 0 },
	{ "empty extension", S("5;\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "empty extension among others", S("5;a;;b\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "extension of blanks", S("5; \r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "extension without a name", S("5;=a\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "extension without a value", S("5;a=\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "two equals signs", S("5;a==b\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "two names", S("5;a b\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "two values", S("5;a=b c\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank at the end", S("5;a=b \r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank after a name at the end", S("5;a \r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank after quotes at the end", S("5;a=\"b\" \r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "words after quotes", S("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "open quotes", S("5;a=\"b\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "line end in quotes", S("5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "escaped line end in quotes", S("5;a=\"\\\r\n\"\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF in quotes", S("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF in an extension", S("5;a\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF after a semicolon", S("5;\nxx\r\n4c\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare CR in an extension", S("5;a\rb\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare CR after a semicolon", S("2;\rxx\r\nab\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "NUL in an extension", S("5;a\0\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "NUL in quotes", S("5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "colon for a semicolon", S("5:a\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "byte above 127 in a name", S("5;\xc3\xa9\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank and no semicolon", S("5 a\r\nhello\r\n0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "request in an extension", S("0;\r\n\r\nGET / HTTP/1.1\r\n\r\n"), HTTP_BAD, "", 0 },

	/* ---- trailers ---- */
	{ "trailer", S("0\r\nA: b\r\n\r\n"), HTTP_DONE, "", 0 },
	{ "trailers", S("1\r\nx\r\n0\r\nA: b\r\nC:d\r\nE:\r\n\r\nrest"), HTTP_DONE, "x", 4 },
	{ "trailer with tab and bytes above 127", S("0\r\nA: \t\xc3\xa9\r\n\r\n"), HTTP_DONE, "", 0 },
	{ "framing in trailers means nothing", S("0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello"), HTTP_DONE, "", 5 },
	{ "trailer without a colon", S("0\r\nA\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "trailer without a name", S("0\r\n: b\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank before the colon of a trailer", S("0\r\nA : b\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "folded trailer", S("0\r\nA: b\r\n c\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "blank before a trailer", S("0\r\n A: b\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF in a trailer", S("0\r\nA: b\nC: d\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "bare LF ends the trailers", S("0\r\nA: b\r\n\n"), HTTP_BAD, "", 0 },
	{ "bare CR in a trailer", S("0\r\nA: b\rc\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "NUL in a trailer", S("0\r\nA: \0\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "escape in a trailer", S("0\r\nA: \x1b\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "DEL in a trailer", S("0\r\nA: \x7f\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "quotes in a trailer's name", S("0\r\n\"A\": b\r\n\r\n"), HTTP_BAD, "", 0 },
	{ "request line for a trailer", S("0\r\nGET /: HTTP/1.1\r\n\r\n"), HTTP_BAD, "", 0 },
};

static struct edge edge;

/* What came out of a body. */
struct outcome {
	enum http_result result;
	const char *why;
	size_t used;		/* bytes consumed, after HTTP_DONE */
	size_t size;
	uint64_t total;
	char data[200000];
};

/* Feeds text[0..upto) as a caller would, what is there now and what is left over; false: a rule was broken. */
static bool feed(struct http_body *b, struct outcome *o, const char *text, size_t upto)
{
	while (o->result == HTTP_PARTIAL) {
		size_t size = upto - o->used, skip = 99, data = 99;
		const char *at = edge_put(&edge, text + o->used, size);

		o->result = http_body_next(b, at, size, &skip, &data);
		if (skip > size || data > size - skip || o->size + data > sizeof(o->data))
			return false;
		if (o->result == HTTP_BAD && (skip || data))
			return false;
		memcpy(o->data + o->size, at + skip, data);
		o->size += data;
		o->used += skip + data;
		if (o->result == HTTP_PARTIAL && !(skip + data))
			break;
	}
	o->why = b->why;
	o->total = b->total;
	return o->used <= upto;
}

static void begin(struct http_body *b, struct outcome *o, enum http_framing framing, uint64_t length)
{
	memset(b, 0xa5, sizeof(*b));
	http_body_start(b, framing, length);
	o->result = HTTP_PARTIAL;
	o->used = o->size = 0;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->result == b->result && a->why == b->why && a->size == b->size && a->total == b->total &&
	    !memcmp(a->data, b->data, a->size) && (a->result != HTTP_DONE || a->used == b->used);
}

/* The outcome of the whole, and whether all ways of cutting agree. */
static bool read_all_ways(struct outcome *whole, enum http_framing framing, uint64_t length, const char *text, size_t size)
{
	static struct outcome other;
	struct http_body b;
	size_t skip, data;
	bool good;

	begin(&b, whole, framing, length);
	good = feed(&b, whole, text, size) && whole->total == whole->size;
	/* What has ended stays ended. */
	if (whole->result != HTTP_PARTIAL)
		good &= http_body_next(&b, text, size, &skip, &data) == whole->result && !skip && !data;
	good &= http_body_eof(&b) == (whole->result == HTTP_DONE ||
	    (framing == HTTP_UNTIL_CLOSE && whole->result != HTTP_BAD));

	begin(&b, &other, framing, length);
	for (size_t i = 0; i <= size && other.result == HTTP_PARTIAL; i++)
		good &= feed(&b, &other, text, i);
	good &= same(whole, &other);
	for (size_t cut = 0; cut < size; cut++) {
		begin(&b, &other, framing, length);
		good &= feed(&b, &other, text, cut) && feed(&b, &other, text, size) && same(whole, &other);
	}
	return good;
}

static void chunked_cases(void)
{
	static struct outcome o;

	for (size_t i = 0; i < sizeof(chunked) / sizeof(*chunked); i++) {
		const struct body_case *c = &chunked[i];
		bool good = read_all_ways(&o, HTTP_CHUNKED, 0, c->text, c->size);

		ok(good && o.result == c->result && (o.result != HTTP_BAD || o.why) && o.size == strlen(c->data) &&
		    !memcmp(o.data, c->data, o.size) && (o.result != HTTP_DONE || c->size - o.used == c->rest),
		    "chunked, %s: %s", c->result == HTTP_BAD ? "refused" : c->result == HTTP_DONE ? "done" : "partial", c->name);
		if (!good)
			printf("#   cuts differ\n");
		if (o.result != c->result)
			printf("#   result %d, %s\n", o.result, o.why ? o.why : "");
	}
}

static void every_byte(void)
{
	static struct outcome o;
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	bool size_good = true, name_good = true, value_good = true, quoted_good = true, trailer_good = true;

	for (int c = 0; c < 256; c++) {
		char text[100];
		bool is_token = c && strchr(token, c);
		bool is_hex = c && strchr("0123456789abcdefABCDEF", c);
		bool is_text = c == '\t' || (c >= 0x20 && c != 0x7f);

#define TRY(flag, want, format) do { \
		size_t size = (size_t)snprintf(text, sizeof(text), format, '\x01'); \
		*(char *)memchr(text, '\x01', size) = (char)c; \
		flag &= read_all_ways(&o, HTTP_CHUNKED, 0, text, size) && (o.result != HTTP_BAD) == (want); \
	} while (0)
		TRY(size_good, is_hex, "1%c\r\n");
		TRY(size_good, is_hex, "%c\r\n");
		TRY(name_good, is_token || c == ';' || c == '=', "1;a%cb\r\n");
		TRY(value_good, is_token || c == ';', "1;a=b%cc\r\n");
		TRY(quoted_good, is_text && c != '"', "1;a=\"%cb\"\r\n");
		TRY(trailer_good, is_text, "0\r\nA: b%c\r\n\r\n");
	}
	ok(size_good, "every byte in a chunk size");
	ok(name_good, "every byte in the name of an extension");
	ok(value_good, "every byte in the value of an extension");
	ok(quoted_good, "every byte in a quoted value");
	ok(trailer_good, "every byte in a trailer");
}

static void other_framings(void)
{
	static struct outcome o;
	struct http_body b;
	size_t skip, data;

	ok(read_all_ways(&o, HTTP_LENGTH, 5, S("hello")) && o.result == HTTP_DONE && o.size == 5, "length: whole");
	ok(read_all_ways(&o, HTTP_LENGTH, 5, S("hello world")) && o.result == HTTP_DONE && o.used == 5,
	    "length: what follows is not touched");
	ok(read_all_ways(&o, HTTP_LENGTH, 5, S("hell")) && o.result == HTTP_PARTIAL && o.size == 4, "length: too short");
	ok(read_all_ways(&o, HTTP_LENGTH, 0, S("x")) && o.result == HTTP_DONE && !o.used, "length 0: over at once");
	ok(read_all_ways(&o, HTTP_LENGTH, INT64_MAX, S("hello")) && o.result == HTTP_PARTIAL && o.size == 5, "length: huge");
	ok(read_all_ways(&o, HTTP_NO_BODY, 0, S("x")) && o.result == HTTP_DONE && !o.used, "no body: over at once");
	ok(read_all_ways(&o, HTTP_NO_BODY, 77, S("x")) && o.result == HTTP_DONE && !o.used, "no body: a length means nothing");
	ok(read_all_ways(&o, HTTP_UNTIL_CLOSE, 0, S("5\r\nhello")) && o.result == HTTP_PARTIAL && o.size == 8,
	    "until close: all is data, and no end");

	http_body_start(&b, HTTP_LENGTH, 0);
	ok(http_body_eof(&b) && http_body_next(&b, NULL, 0, &skip, &data) == HTTP_DONE, "length 0: done without a byte");
	http_body_start(&b, HTTP_NO_BODY, 0);
	ok(http_body_eof(&b) && http_body_next(&b, NULL, 0, &skip, &data) == HTTP_DONE, "no body: done without a byte");
	http_body_start(&b, HTTP_UNTIL_CLOSE, 0);
	ok(http_body_eof(&b), "until close: ends where it ends");
	http_body_start(&b, HTTP_CHUNKED, 0);
	ok(!http_body_eof(&b), "chunked: end of file is a cut");
	http_body_start(&b, HTTP_LENGTH, 1);
	ok(!http_body_eof(&b), "length: end of file is a cut");
}

static void moved(void)
{
	struct http_body b;
	size_t skip, data;

	http_body_start(&b, HTTP_LENGTH, 10);
	ok(http_body_moved(&b, 4) == HTTP_PARTIAL && b.left == 6 && b.total == 4, "moved: part of a length");
	ok(http_body_moved(&b, 0) == HTTP_PARTIAL && b.left == 6, "moved: nothing");
	ok(http_body_moved(&b, 6) == HTTP_DONE && !b.left && b.total == 10, "moved: the rest of it");
	ok(http_body_moved(&b, 1) == HTTP_BAD && b.why, "moved: more than there was");
	http_body_start(&b, HTTP_LENGTH, 10);
	ok(http_body_moved(&b, UINT64_MAX) == HTTP_BAD, "moved: much more");
	http_body_start(&b, HTTP_UNTIL_CLOSE, 0);
	ok(http_body_moved(&b, 1000) == HTTP_PARTIAL && b.total == 1000 && http_body_eof(&b), "moved: until close");

	http_body_start(&b, HTTP_CHUNKED, 0);
	ok(http_body_moved(&b, 1) == HTTP_BAD, "moved: framing is not data");
	http_body_start(&b, HTTP_CHUNKED, 0);
	ok(http_body_next(&b, S("a\r\nabc"), &skip, &data) == HTTP_PARTIAL && skip == 3 && data == 3 && b.left == 7,
	    "moved: a chunk begins");
	ok(http_body_moved(&b, 6) == HTTP_PARTIAL && b.left == 1, "moved: some of it");
	ok(http_body_moved(&b, 1) == HTTP_PARTIAL && !b.left && b.total == 10, "moved: the rest of it");
	ok(http_body_next(&b, S("\r\n0\r\n\r\n"), &skip, &data) == HTTP_DONE && skip == 7 && !data, "moved: framing goes on");
}

/* Extensions and trailers are bounded, each line and all together. */
static void limits(void)
{
	static char text[200000];
	static struct outcome o;
	struct http_body b;
	size_t size, skip, data;

	memset(text, 'a', sizeof(text));
	memcpy(text, "5;", 2);
	http_body_start(&b, HTTP_CHUNKED, 0);
	ok(http_body_next(&b, text, 1024, &skip, &data) == HTTP_PARTIAL && skip == 1024 &&
	    http_body_next(&b, text + 2, 1, &skip, &data) == HTTP_BAD, "an extension without end");
	memset(text, '0', sizeof(text));
	http_body_start(&b, HTTP_CHUNKED, 0);
	ok(http_body_next(&b, text, sizeof(text), &skip, &data) == HTTP_BAD, "zeros without end");
	memset(text, 'a', sizeof(text));
	memcpy(text, "0\r\nA:", 5);
	http_body_start(&b, HTTP_CHUNKED, 0);
	ok(http_body_next(&b, text, 3 + 16384, &skip, &data) == HTTP_PARTIAL &&
	    http_body_next(&b, "a", 1, &skip, &data) == HTTP_BAD, "a trailer without end");
	size = 3;
	while (size + 3 < sizeof(text)) {
		memcpy(text + size, "a:\r\n", 4);
		size += 4;
	}
	http_body_start(&b, HTTP_CHUNKED, 0);
	ok(http_body_next(&b, text, size, &skip, &data) == HTTP_BAD, "trailers without end");

	for (size = 0; size + 40 < sizeof(text); size += 27)
		memcpy(text + size, "1;aaaaaaaaaaaaaaaaaaaa\r\nx\r\n", 27);
	begin(&b, &o, HTTP_CHUNKED, 0);
	ok(feed(&b, &o, text, size) && o.result == HTTP_BAD && o.size > 500 && o.size < 1000 &&
	    strstr(o.why, "extensions"),
	    "a body of nothing but extensions");
	/* What signs each chunk of some size is none of that. */
	begin(&b, &o, HTTP_CHUNKED, 0);
	for (int i = 0; i < 5000 && o.result == HTTP_PARTIAL; i++) {
		static char chunk[1200];
		size_t n = (size_t)snprintf(chunk, sizeof(chunk), "400;signature=%073d\r\n", i);

		memset(chunk + n, 'x', 1024);
		memcpy(chunk + n + 1024, "\r\n", 2);
		o.used = o.size = 0;
		feed(&b, &o, chunk, n + 1026);
	}
	ok(o.result == HTTP_PARTIAL && b.total == 5000 * 1024, "extensions beside enough data");
}

static void chunk_heads(void)
{
	static const struct { uint64_t size; const char *text; } heads[] = {
		{ 0, "0\r\n" }, { 1, "1\r\n" }, { 15, "f\r\n" }, { 16, "10\r\n" }, { 255, "ff\r\n" }, { 256, "100\r\n" },
		{ 65536, "10000\r\n" }, { UINT64_C(0x123456789abcdef0), "123456789abcdef0\r\n" },
		{ UINT64_MAX, "ffffffffffffffff\r\n" },
	};

	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		char *out = edge_room(&edge, HTTP_CHUNK_HEAD_MAX), text[HTTP_CHUNK_HEAD_MAX + 1];
		size_t size = http_chunk_head(out, heads[i].size);

		memcpy(text, out, size);
		text[size] = '\0';
		is_str(text, heads[i].text, "head of a chunk");
	}
}

/* What comes from another process: every state that a body can be in while it is read is sound, others are not. */
static void sound(void)
{
	static const char text[] = "5;a=\"b\\\"c\";d\r\nabcde\r\n00\r\nX: y\r\n\r\n";
	struct http_body b, wrong;
	size_t skip, data;
	bool all = true;

	http_body_start(&b, HTTP_CHUNKED, 0);
	all = http_body_sound(&b, HTTP_CHUNKED);
	for (size_t i = 0; text[i]; i++) {
		if (http_body_next(&b, text + i, 1, &skip, &data) == HTTP_BAD)
			break;
		all = all && http_body_sound(&b, HTTP_CHUNKED);
	}
	ok(all && http_body_next(&b, "", 0, &skip, &data) == HTTP_DONE, "sound from its first byte to its last");
	ok(!http_body_sound(&b, HTTP_LENGTH), "not one of another framing");

	http_body_start(&b, HTTP_CHUNKED, 0);
	http_body_next(&b, "5\r\nab", 5, &skip, &data);
	ok(http_body_next(&b, "", 0, &skip, &data) == HTTP_PARTIAL && http_body_sound(&b, HTTP_CHUNKED), "in the middle of a chunk");
	wrong = b;
	wrong.left = 0;
	ok(!http_body_sound(&wrong, HTTP_CHUNKED), "not in a chunk that has nothing left");
	wrong.left = UINT64_MAX;
	ok(!http_body_sound(&wrong, HTTP_CHUNKED), "nor in one that never ends");
	wrong = b;
	wrong.state = UINT8_MAX;
	ok(!http_body_sound(&wrong, HTTP_CHUNKED), "nor in a state that there is not");
	wrong = b;
	wrong.line = UINT16_MAX;
	ok(!http_body_sound(&wrong, HTTP_CHUNKED), "nor behind a line that is too long");
	http_body_next(&b, "cdex", 4, &skip, &data);
	ok(http_body_next(&b, "x", 1, &skip, &data) == HTTP_BAD && !http_body_sound(&b, HTTP_CHUNKED), "nor when it is broken");
}

int main(void)
{
	edge = edge_make(200000);
	chunked_cases();
	every_byte();
	other_framings();
	moved();
	limits();
	chunk_heads();
	sound();
	return done_testing();
}
