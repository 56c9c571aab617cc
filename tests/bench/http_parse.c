/*
 * What reading and writing a head costs. Not part of `make check`: it measures, it does not judge.
 *
 *	cc -std=c11 -D_GNU_SOURCE -O2 -I. -o /tmp/http_parse tests/bench/http_parse.c http/\*.c && /tmp/http_parse
 *
 * Prints nanoseconds per operation, the best of several runs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/body.h"
#include "http/forward.h"

#define RUNS 15
#define TIMES 200000	/* per run */

static const char request[] =
	"GET /products/shoes?page=2&sort=price HTTP/1.1\r\n"
	"Host: www.example.com\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
	"Accept: text/html,*/*;q=0.8\r\n"
	"Accept-Encoding: gzip, br\r\n"
	"Cookie: session=0123456789abcdef\r\n"
	"Connection: keep-alive\r\n"
	"\r\n";

static const char browser[] =
	"GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1\r\n"
	"Host: www.kittyhell.com\r\n"
	"User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) Gecko/20100401 Firefox/3.6.3\r\n"
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
	"Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n"
	"Accept-Encoding: gzip,deflate\r\n"
	"Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7\r\n"
	"Keep-Alive: 115\r\n"
	"Connection: keep-alive\r\n"
	"Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; __utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x; __utmz=xxxxxxxxx.xxxxxxxxxx.x.x.utmccn=(referral)|utmcsr=reader.livedoor.com|utmcct=/reader/|utmcmd=referral\r\n"
	"\r\n";

static const char response[] =
	"HTTP/1.1 200 OK\r\n"
	"Server: nginx/1.22.1\r\n"
	"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	"Content-Type: text/html\r\n"
	"Content-Length: 612\r\n"
	"Connection: keep-alive\r\n"
	"ETag: \"64f1c5f2-264\"\r\n"
	"\r\n";

static struct http_head head;
static volatile size_t sink;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", what, head.why ? head.why : "?");
	exit(1);
}

static void parse_request(const char *text, size_t size)
{
	http_request_start(&head, &http_limits_default);
	must(http_request_parse(&head, text, size) == HTTP_DONE, "request");
}

static void parse_response(const char *text, size_t size)
{
	http_response_start(&head, &http_limits_default);
	must(http_response_parse(&head, text, size, HTTP_GET) == HTTP_DONE, "answer");
}

static void by_bytes(const char *text, size_t size)
{
	http_request_start(&head, &http_limits_default);
	for (size_t i = 1; i < size; i++)
		must(http_request_parse(&head, text, i) == HTTP_PARTIAL, "request in bytes");
	must(http_request_parse(&head, text, size) == HTTP_DONE, "request in bytes");
}

static void forward_request(const char *text, size_t size)
{
	static char out[4096];
	const struct http_request_edit e = { .keep_alive = true };

	(void)size;
	sink = http_forward_request(out, sizeof(out), &head, text, &e);
	must(sink, "forward request");
}

static void forward_request_edited(const char *text, size_t size)
{
	static char out[4096];
	const struct http_request_edit e = {
		.forwarded_for = { "203.0.113.77", 12, HTTP_LIST_APPEND }, .proto = { "http", 4, HTTP_LIST_SET }, .via = { "lb", 2 },
		.request_id = { "0123456789abcdef0123456789abcdef", 32 }, .keep_alive = true,
	};

	(void)size;
	sink = http_forward_request(out, sizeof(out), &head, text, &e);
	must(sink, "forward request");
}

static void forward_response(const char *text, size_t size)
{
	static char out[4096];
	const struct http_response_edit e = { .minor = 1, .framing = HTTP_LENGTH, .keep_alive = true };

	(void)size;
	sink = http_forward_response(out, sizeof(out), &head, text, &e);
	must(sink, "forward answer");
}

static void measure(const char *name, void (*what)(const char *, size_t), const char *text, size_t size,
    unsigned times)
{
	double best = 1e18;

	for (int run = 0; run < RUNS; run++) {
		double start = now_ns(), ns;

		for (unsigned i = 0; i < times; i++)
			what(text, size);
		ns = (now_ns() - start) / times;
		if (ns < best)
			best = ns;
	}
	printf("%-40s %5zu bytes  %9.1f ns  %5.2f ns/byte\n", name, size, best, best / (double)size);
}

static void chunks(const char *text, size_t size)
{
	struct http_body b;
	size_t skip, data, at = 0;

	http_body_start(&b, HTTP_CHUNKED, 0);
	for (;;) {
		enum http_result r = http_body_next(&b, text + at, size - at, &skip, &data);

		at += skip + data;
		if (r == HTTP_DONE)
			break;
		must(r == HTTP_PARTIAL && at < size, "chunks");
	}
	sink = b.total;
}

int main(void)
{
	static char body[64 * 1031 + 5], long_head[16384];
	size_t body_size = 0, n;

	measure("request, 6 fields", parse_request, request, sizeof(request) - 1, TIMES);
	measure("  forward as it is", forward_request, request, sizeof(request) - 1, TIMES);
	measure("  forward with 4 fields added", forward_request_edited, request, sizeof(request) - 1, TIMES);
	measure("request, byte by byte", by_bytes, request, sizeof(request) - 1, TIMES / 20);
	measure("request of a browser, 9 fields", parse_request, browser, sizeof(browser) - 1, TIMES);
	measure("  forward as it is", forward_request, browser, sizeof(browser) - 1, TIMES);
	measure("answer, 6 fields", parse_response, response, sizeof(response) - 1, TIMES);
	measure("  forward", forward_response, response, sizeof(response) - 1, TIMES);

	/* Linear when it trickles: ns per byte must not grow with the length of a line. */
	for (size_t size = 1000; size <= 16000; size *= 2) {
		n = (size_t)snprintf(long_head, sizeof(long_head), "GET / HTTP/1.1\r\nHost: a\r\nX: ");
		memset(long_head + n, 'x', size - n - 4);
		memcpy(long_head + size - 4, "\r\n\r\n", 4);
		measure("one long field, byte by byte", by_bytes, long_head, size, TIMES / 2000);
	}

	for (int i = 0; i < 64; i++) {
		memcpy(body + body_size, "400\r\n", 5);
		memset(body + body_size + 5, 'd', 1024);
		memcpy(body + body_size + 1029, "\r\n", 2);
		body_size += 1031;
	}
	memcpy(body + body_size, "0\r\n\r\n", 5);
	body_size += 5;
	measure("64 chunks of 1 KiB", chunks, body, body_size, TIMES / 100);
	return 0;
}
