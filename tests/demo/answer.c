/* The answers of the demo server; backend.c lists them, answer.h says who calls. */
#include "tests/demo/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct server server = { .name = "backend", .health = "ok" };

void *answer_grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (p == NULL)
		abort();
	return p;
}

void answer_put(struct conn *c, const void *data, size_t n)
{
	if (c->out_size + n > c->out_room) {
		c->out_room = (c->out_size + n) * 2;
		c->out = answer_grow(c->out, c->out_room);
	}
	if (n > 0)
		memcpy(c->out + c->out_size, data, n);
	c->out_size += n;
}

void answer_say(struct conn *c, const char *fmt, ...)
{
	char line[8192];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	answer_put(c, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static const char *reason(unsigned status)
{
	switch (status) {
	case 100: return "Continue";
	case 103: return "Early Hints";
	case 200: return "OK";
	case 204: return "No Content";
	case 304: return "Not Modified";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 500: return "Internal Server Error";
	case 503: return "Service Unavailable";
	default: return "Status";
	}
}

/* Start line and the fields that every answer has; the caller adds framing and the blank line. */
static void put_head(struct conn *c, unsigned status)
{
	char text[1024];
	bool v10 = request_query(&c->req, "v10", text, sizeof(text));

	answer_say(c, "HTTP/1.%d %u %s\r\nX-Backend: %s\r\n", v10 ? 0 : 1, status, reason(status), server.name);
	if (strcmp(c->req.token, "-") != 0)
		answer_say(c, "X-Token: %s\r\n", c->req.token);
	if (request_query(&c->req, "timeout", text, sizeof(text)))
		answer_say(c, "Keep-Alive: timeout=%s\r\n", text);
	if (request_query(&c->req, "header", text, sizeof(text))) {
		request_unescape(text);
		answer_say(c, "%s\r\n", text);
	}
	if (request_query(&c->req, "close", text, sizeof(text)) || c->req.close || c->ending == CLOSE) {
		if (c->ending == KEEP)
			c->ending = CLOSE;
		answer_say(c, "Connection: close\r\n");
	} else if (v10 || c->req.minor == 0) {
		answer_say(c, "Connection: keep-alive\r\n");
	}
}

static bool is_head(const struct conn *c)
{
	return strcmp(c->req.method, "HEAD") == 0;
}

static void answer_bytes(struct conn *c, unsigned status, const void *body, size_t n)
{
	put_head(c, status);
	if (status == 204 || status == 304) {
		answer_say(c, "\r\n");
		return;
	}
	answer_say(c, "Content-Length: %zu\r\n\r\n", n);
	if (!is_head(c))
		answer_put(c, body, n);
}

void answer_text(struct conn *c, unsigned status, const char *text)
{
	answer_bytes(c, status, text, strlen(text));
}

static void answer_pattern(struct conn *c, const char *framing, uint64_t n)
{
	c->seed = request_query_number(&c->req, "seed", 0);
	c->gen_at = 0;
	c->gen_left = n;
	c->gen_chunked = strcmp(framing, "chunked") == 0;
	if (strcmp(framing, "close") == 0)
		c->ending = CLOSE;
	put_head(c, 200);
	if (c->gen_chunked)
		answer_say(c, "Transfer-Encoding: chunked\r\n");
	else if (strcmp(framing, "length") == 0)
		answer_say(c, "Content-Length: %llu\r\n", (unsigned long long)n);
	answer_say(c, "\r\n");
	if (is_head(c)) {
		c->gen_left = 0;
		c->gen_chunked = false;
	}
}

/* Refills `out` from the pattern that is still owed. Chunks get all kinds of sizes. */
void answer_produce(struct conn *c)
{
	char buf[16384];

	while (c->out_size - c->out_at < ANSWER_HIGH && c->gen_left > 0) {
		size_t n = sizeof(buf);
		if (c->gen_chunked)
			n = 1 + pattern_byte(c->seed, c->gen_at) * (size_t)61;
		if (n > c->gen_left)
			n = (size_t)c->gen_left;
		pattern_fill(buf, n, c->seed, c->gen_at);
		if (c->gen_chunked)
			answer_say(c, "%zx\r\n", n);
		answer_put(c, buf, n);
		if (c->gen_chunked)
			answer_say(c, "\r\n");
		c->gen_at += n;
		c->gen_left -= n;
	}
	if (c->gen_left == 0 && c->gen_chunked) {
		c->gen_chunked = false;
		if (c->ending != CUT && c->ending != RESET)
			answer_say(c, c->trailers ? "0\r\nX-Trailer: end\r\n\r\n" : "0\r\n\r\n");
	}
}

static void health(struct conn *c)
{
	char good[64], *colon = strchr(server.health, ':');
	size_t n = colon ? (size_t)(colon - server.health) : strlen(server.health);
	unsigned long long e = server.errors, t = server.entries;

	snprintf(good, sizeof(good), "%llu\n%llu\n", e, t);
	if (server.count_health)
		server.entries++;
#define MODE(text) (n == sizeof(text) - 1 && strncmp(server.health, text, n) == 0)
	if (MODE("refuse")) {
		c->ending = RESET;
	} else if (MODE("empty")) {
		c->ending = CUT;
	} else if (MODE("garbage")) {
		answer_say(c, "\x01\x02 this is not HTTP\n\n");
		c->ending = CLOSE;
	} else if (MODE("404") || MODE("500") || MODE("302")) {
		answer_text(c, (unsigned)atoi(server.health), good);
	} else if (MODE("nonewline")) {
		answer_bytes(c, 200, good, strlen(good) - 1);
	} else if (MODE("negative")) {
		answer_text(c, 200, "-1\n5\n");
	} else if (MODE("letters")) {
		answer_text(c, 200, "a\nb\n");
	} else if (MODE("overflow")) {
		answer_text(c, 200, "99999999999999999999999\n1\n");
	} else if (MODE("extra")) {
		answer_text(c, 200, "1\n2\n3\n");
	} else if (MODE("oneline")) {
		answer_text(c, 200, "1\n");
	} else if (MODE("nobody")) {
		answer_text(c, 200, "");
	} else if (MODE("long")) {
		answer_pattern(c, "length", 1 << 20);
	} else if (MODE("chunked")) {
		put_head(c, 200);
		answer_say(c, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n", strlen(good), good);
	} else if (MODE("close")) {
		c->ending = CLOSE;
		put_head(c, 200);
		answer_say(c, "\r\n%s", good);
	} else if (MODE("short")) {
		c->ending = CUT;
		put_head(c, 200);
		answer_say(c, "Content-Length: 100\r\n\r\n%s", good);
	} else {	/* ok, slow:MS, drip */
		if (MODE("drip"))
			c->drip = 1;
		answer_text(c, 200, good);
	}
#undef MODE
}

static void control(struct conn *c, const char *what)
{
	const char *v = strchr(what, '/');
	char text[32];

	if (strcmp(what, "most") == 0) {
		snprintf(text, sizeof(text), "%u\n", server.most);
		answer_text(c, 200, text);
		return;
	}
	if (v != NULL && strncmp(what, "health/", 7) == 0)
		server.health = strdup(v + 1);
	else if (v != NULL && strncmp(what, "entries/", 8) == 0)
		server.entries = strtoull(v + 1, NULL, 10);
	else if (v != NULL && strncmp(what, "errors/", 7) == 0)
		server.errors = strtoull(v + 1, NULL, 10);
	answer_text(c, v != NULL && server.health != NULL ? 200 : 404, "done\n");
}

/* Writes the answer to the request that has been read (or is about to be: early). */
void answer(struct conn *c)
{
	char path[4096], text[sizeof(path) + 256];
	size_t n = strcspn(c->req.target, "?");

	memcpy(path, c->req.target, n);
	path[n] = '\0';
	if (strcmp(path, "/healthcheck") == 0) {
		health(c);
		return;
	}
	if (strncmp(path, "/control/", 9) == 0) {
		control(c, path + 9);
		return;
	}
	char *arg = path[0] == '/' ? strchr(path + 1, '/') : NULL;
	uint64_t number = 0;
	if (arg != NULL) {
		*arg++ = '\0';
		number = *arg == '-' ? 0 : strtoull(arg, NULL, 10);	/* strtoull() would make it nearly 2^64 */
	}
	server.entries++;
	c->trailers = request_query(&c->req, "trailers", text, sizeof(text));
	for (uint64_t hint = request_query_number(&c->req, "early", strcmp(path, "/103") == 0 ? 103 : 0); hint > 0; hint = 0)
		answer_say(c, "HTTP/1.1 %u %s\r\nLink: </style.css>; rel=preload\r\n\r\n", (unsigned)hint, reason((unsigned)hint));

	if (strcmp(path, "/bytes") == 0) {
		answer_pattern(c, "length", number);
	} else if (strcmp(path, "/chunked") == 0) {
		answer_pattern(c, "chunked", number);
	} else if (strcmp(path, "/close") == 0) {
		answer_pattern(c, "close", number);
	} else if (strcmp(path, "/echo") == 0) {
		answer_bytes(c, 200, c->body, c->body_size);
	} else if (strcmp(path, "/digest") == 0) {
		snprintf(text, sizeof(text), "%u %llu\n", cksum_end(&c->sum), (unsigned long long)c->sum.size);
		answer_text(c, 200, text);
	} else if (strcmp(path, "/headers") == 0) {
		answer_bytes(c, 200, c->head, c->head_size);
	} else if (strcmp(path, "/status") == 0) {
		if (number >= 400)
			server.errors++;
		snprintf(text, sizeof(text), "%s status %llu\n", server.name, (unsigned long long)number);
		answer_text(c, (unsigned)number, text);
	} else if (strcmp(path, "/die-mid") == 0 || strcmp(path, "/die-mid-chunked") == 0 || strcmp(path, "/die-mid-reset") == 0) {
		answer_pattern(c, strcmp(path, "/die-mid-chunked") == 0 ? "chunked" : "length", number);
		c->gen_left /= 2;
		c->ending = strcmp(path, "/die-mid-reset") == 0 ? RESET : CUT;
	} else if (strcmp(path, "/reset") == 0) {
		c->ending = RESET;
	} else if (strcmp(path, "/empty") == 0) {
		c->ending = CUT;
	} else if (strcmp(path, "/raw") == 0 || strcmp(path, "/rawclose") == 0) {
		c->ending = strcmp(path, "/rawclose") == 0 ? CLOSE : KEEP;
		if (arg != NULL) {
			size_t size = request_unescape(arg);
			answer_put(c, arg, size);
		}
	} else if (strcmp(path, "/upgrade") == 0 && c->req.upgrade) {
		answer_say(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-Backend: %s\r\n\r\n", server.name);
		c->state = TUNNEL;
	} else if (strcmp(path, "/count") == 0) {
		snprintf(text, sizeof(text), "%llu\n", (unsigned long long)server.entries);
		answer_text(c, 200, text);
	} else {
		if (server.status >= 400)
			server.errors++;
		snprintf(text, sizeof(text), "%s %s %s\n", server.name, c->req.method, c->req.target);
		answer_text(c, server.status ? (unsigned)server.status : 200, text);
	}
	if (request_query(&c->req, "extra", text, sizeof(text)))
		answer_put(c, text, request_unescape(text));
	if (server.die_after > 0 && server.entries >= server.die_after)
		_exit(1);
}
