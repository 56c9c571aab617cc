/*
 * Heads: every byte in every place, every limit to the byte, and what becomes of each field.
 */
#include "tests/unit/heads.h"

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
		memcpy(text, "HTTP/1.1 200  \r\n", 16);
		good = !read_all_ways(&h, &result, &answer, text, size);
		ok(good && result == HTTP_BAD && h.error == 502, "the same of a server");
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

int main(void)
{
	edge = edge_make(100000);
	every_byte();
	limits();
	partial();
	fields();
	return done_testing();
}
