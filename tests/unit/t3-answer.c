/*
 * health/answer.c: what is a good answer to a probe, whole and byte by byte, at an unreadable page.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "health/answer.h"
#include "tests/unit/tap.h"

/* size bytes whose end is the end of readable memory: reading beyond is a crash. */
static const char *at_the_edge(const char *text, size_t size)
{
	static char *page;
	size_t unit = (size_t)sysconf(_SC_PAGESIZE);

	if (!page) {
		page = mmap(NULL, 2 * unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED || mprotect(page + unit, unit, PROT_NONE) < 0)
			exit(2);
	}
	return memcpy(page + unit - size, text, size);
}

static void bodies(void)
{
	static const struct {
		const char *text;
		size_t size;		/* 0: strlen */
		bool good;
		uint64_t errors, entries;
	} cases[] = {
		{ "0\n0", 0, true, 0, 0 },
		{ "0\n0\n", 0, true, 0, 0 },
		{ "3\n17", 0, true, 3, 17 },
		{ "3\n17\n", 0, true, 3, 17 },
		{ "007\n0010", 0, true, 7, 10 },
		{ "18446744073709551615\n18446744073709551615\n", 0, true, UINT64_MAX, UINT64_MAX },
		{ "00000000000000000000000000000018446744073709551615\n1", 0, true, UINT64_MAX, 1 },
		{ "18446744073709551616\n1", 0, false, 0, 0 },
		{ "1\n18446744073709551616", 0, false, 0, 0 },
		{ "1\n99999999999999999999", 0, false, 0, 0 },
		{ "1\n184467440737095516150", 0, false, 0, 0 },
		{ "", 0, false, 0, 0 },
		{ "\n", 0, false, 0, 0 },
		{ "5", 0, false, 0, 0 },
		{ "5\n", 0, false, 0, 0 },
		{ "\n5", 0, false, 0, 0 },
		{ "5\n\n", 0, false, 0, 0 },
		{ "5\n\n6", 0, false, 0, 0 },
		{ "\n5\n6", 0, false, 0, 0 },
		{ "5\n6\n\n", 0, false, 0, 0 },
		{ "5\n6\n7", 0, false, 0, 0 },
		{ "5\n6\n7\n", 0, false, 0, 0 },
		{ "5 6", 0, false, 0, 0 },
		{ "a\nb", 0, false, 0, 0 },
		{ "5\nb", 0, false, 0, 0 },
		{ "a\n6", 0, false, 0, 0 },
		{ "5a\n6", 0, false, 0, 0 },
		{ "-1\n6", 0, false, 0, 0 },
		{ "5\n-6", 0, false, 0, 0 },
		{ "+5\n6", 0, false, 0, 0 },
		{ " 5\n6", 0, false, 0, 0 },
		{ "5 \n6", 0, false, 0, 0 },
		{ "5\n 6", 0, false, 0, 0 },
		{ "5\n6 ", 0, false, 0, 0 },
		{ "5\n6\t\n", 0, false, 0, 0 },
		{ "5\r\n6", 0, false, 0, 0 },
		{ "5\n6\r\n", 0, false, 0, 0 },
		{ "5\n0x6", 0, false, 0, 0 },
		{ "5\n6e1", 0, false, 0, 0 },
		{ "5\n6.0", 0, false, 0, 0 },
		{ "5\n6\0", 4, false, 0, 0 },
		{ "5\0\n6", 4, false, 0, 0 },
		{ "\xff\n6", 0, false, 0, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t size = cases[i].size ? cases[i].size : strlen(cases[i].text);
		uint64_t errors = 111, entries = 222;
		bool good = answer_seed_body(at_the_edge(cases[i].text, size), size, &errors, &entries);
		bool stored = good ? errors == cases[i].errors && entries == cases[i].entries
		    : errors == 111 && entries == 222;

		if (!ok(good == cases[i].good && stored, "body %zu: %s", i, cases[i].good ? "good" : "bad"))
			tap_show("body:", cases[i].text);
	}
}

/* Feeds an answer in pieces of `step` bytes, then the end. */
static enum shm_outcome feed(struct answer *a, enum conf_check_kind kind, const char *text, size_t size, size_t step)
{
	enum shm_outcome outcome = SHM_OUT_NONE;

	answer_start(a, kind);
	while (size && outcome == SHM_OUT_NONE) {
		size_t room, n = step < size ? step : size;
		char *to = answer_room(a, &room);

		if (room == 0 || to + room > a->buf + sizeof a->buf)
			return SHM_OUT_COUNT;	/* there must be room as long as more is wanted */
		if (n > room)
			n = room;
		memcpy(to, text, n);
		outcome = answer_feed(a, n);
		text += n;
		size -= n;
	}
	return outcome == SHM_OUT_NONE ? answer_eof(a) : outcome;
}

#define SEED CONF_CHECK_SEED
#define HTTP CONF_CHECK_HTTP

static void answers(void)
{
	static const struct {
		const char *name;
		enum conf_check_kind kind;
		const char *text;
		enum shm_outcome outcome;
		unsigned status;
		uint64_t errors, entries;
	} cases[] = {
		{ "length", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1\n23", SHM_OUT_OK, 200, 1, 23 },
		{ "length, final newline", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1\n23\n", SHM_OUT_OK, 200, 1, 23 },
		{ "until close", SEED, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n4\n5\n", SHM_OUT_OK, 200, 4, 5 },
		{ "HTTP/1.0", SEED, "HTTP/1.0 200 OK\r\n\r\n4\n5", SHM_OUT_OK, 200, 4, 5 },
		{ "chunked", SEED, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n7\r\n3;x=y\r\n\n12\r\n0\r\nA: b\r\n\r\n",
		    SHM_OUT_OK, 200, 7, 12 },
		{ "100 first", SEED, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n"
		    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1\n2", SHM_OUT_OK, 200, 1, 2 },
		{ "more than its length", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1\n2345", SHM_OUT_OK, 200, 1, 2 },
		{ "less than its length", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1\n2", SHM_OUT_TRUNCATED, 200, 0, 0 },
		{ "chunked, cut", SEED, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n1\n2\r\n", SHM_OUT_TRUNCATED, 200, 0, 0 },
		{ "bad chunk", SEED, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n1\n2\r\n", SHM_OUT_BAD_BODY, 200, 0, 0 },
		{ "letters", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\nb", SHM_OUT_BAD_BODY, 200, 0, 0 },
		{ "empty body", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", SHM_OUT_BAD_BODY, 200, 0, 0 },
		{ "until close, nothing", SEED, "HTTP/1.1 200 OK\r\n\r\n", SHM_OUT_BAD_BODY, 200, 0, 0 },
		{ "500", SEED, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\n1\n2", SHM_OUT_BAD_STATUS, 500, 0, 0 },
		{ "404", SEED, "HTTP/1.1 404 Not Found\r\n\r\n", SHM_OUT_BAD_STATUS, 404, 0, 0 },
		{ "201 is not 200", SEED, "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\n1\n2", SHM_OUT_BAD_STATUS, 201, 0, 0 },
		{ "204", SEED, "HTTP/1.1 204 No Content\r\n\r\n", SHM_OUT_BAD_STATUS, 204, 0, 0 },
		{ "101", SEED, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", SHM_OUT_BAD_STATUS, 101, 0, 0 },
		{ "nothing", SEED, "", SHM_OUT_EMPTY, 0, 0, 0 },
		{ "cut head", SEED, "HTTP/1.1 200 OK\r\nContent-Le", SHM_OUT_TRUNCATED, 0, 0, 0 },
		{ "cut after 100", SEED, "HTTP/1.1 100 Continue\r\n\r\n", SHM_OUT_TRUNCATED, 100, 0, 0 },
		{ "not HTTP", SEED, "1\n2\n", SHM_OUT_BAD_HEAD, 0, 0, 0 },
		{ "another protocol", SEED, "SSH-2.0-OpenSSH_9.2\r\n", SHM_OUT_BAD_HEAD, 0, 0, 0 },
		{ "HTTP/2 preface", SEED, "HTTP/2.0 200 OK\r\n\r\n", SHM_OUT_BAD_HEAD, 0, 0, 0 },
		{ "two lengths", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n1\n2", SHM_OUT_BAD_HEAD, 0, 0, 0 },
		{ "huge length", SEED, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n1\n2", SHM_OUT_BODY_TOO_LONG, 200, 0, 0 },
		{ "http: 200", HTTP, "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", SHM_OUT_OK, 200, 0, 0 },
		{ "http: 204", HTTP, "HTTP/1.1 204 No Content\r\n\r\n", SHM_OUT_OK, 204, 0, 0 },
		{ "http: 302", HTTP, "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", SHM_OUT_OK, 302, 0, 0 },
		{ "http: 399", HTTP, "HTTP/1.1 399 Odd\r\n\r\n", SHM_OUT_OK, 399, 0, 0 },
		{ "http: 400", HTTP, "HTTP/1.1 400 Bad Request\r\n\r\n", SHM_OUT_BAD_STATUS, 400, 0, 0 },
		{ "http: 503", HTTP, "HTTP/1.1 503 Service Unavailable\r\n\r\n", SHM_OUT_BAD_STATUS, 503, 0, 0 },
		{ "http: nothing", HTTP, "", SHM_OUT_EMPTY, 0, 0, 0 },
	};
	static struct answer a;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static const size_t steps[] = { 1, 2, 3, 7, 100000 };
		bool good = true;

		for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
			enum shm_outcome got = feed(&a, cases[i].kind, cases[i].text, strlen(cases[i].text), steps[s]);

			if (got != cases[i].outcome || a.status != cases[i].status ||
			    a.errors != cases[i].errors || a.entries != cases[i].entries) {
				printf("# in steps of %zu: outcome %d, status %u, %llu %llu\n", steps[s], got, a.status,
				    (unsigned long long)a.errors, (unsigned long long)a.entries);
				good = false;
			}
		}
		ok(good, "answer: %s", cases[i].name);
	}
}

/* Whatever comes, a bounded buffer and an end. */
static void bounds(void)
{
	static struct answer a;
	static char text[3 * ANSWER_MAX];
	int head;

	memset(text, 'x', sizeof text);
	memcpy(text, "HTTP/1.1 200 OK\r\n\r\n", 19);
	is_int(feed(&a, SEED, text, sizeof text, 1000), SHM_OUT_BODY_TOO_LONG, "a body without end");
	is_int(feed(&a, SEED, text, sizeof text, 1), SHM_OUT_BODY_TOO_LONG, "the same byte by byte");
	memcpy(text, "HTTP/1.1 200 OK\r\nA: xx", 22);
	is_int(feed(&a, SEED, text, sizeof text, 1000), SHM_OUT_BAD_HEAD, "a head without end");
	is_int(feed(&a, HTTP, text, sizeof text, 1), SHM_OUT_BAD_HEAD, "the same byte by byte");
	for (size_t i = 0; i + 25 < sizeof text; i += 25)
		memcpy(text + i, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	is_int(feed(&a, SEED, text, sizeof text, 1000), SHM_OUT_BAD_HEAD, "100 Continue without end");
	memset(text, '\0', sizeof text);
	is_int(feed(&a, SEED, text, sizeof text, 1000), SHM_OUT_BAD_HEAD, "zeros");

	/* chunks that fill the buffer to its last byte, of a body that is good */
	memset(text, '0', sizeof text);
	head = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f00\r\n");
	text[head] = '1';
	text[head + 1] = '\n';
	text[head + 0x1f00 - 1] = '2';
	memcpy(text + head + 0x1f00, "\r\n0\r\n\r\n", 7);
	is_int(feed(&a, SEED, text, (size_t)head + 0x1f00 + 7, 13), SHM_OUT_OK, "a long chunk with many zeros");
	is_int(a.entries, 2, "and its number");

	/* noise */
	unsigned seed = 1;
	bool ended = true;
	for (unsigned n = 0; n < 3000; n++) {
		size_t size = (size_t)rand_r(&seed) % 400;
		size_t at = (size_t)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n",
		    n % 3 == 0 ? "Transfer-Encoding: chunked\r\n" : n % 3 == 1 ? "Content-Length: 30\r\n" : "");

		if (n % 5 == 0)
			at = 0;
		for (size_t i = at; i < at + size; i++)
			text[i] = "0123456789\r\n:; HTP/1.ab\0\xff"[rand_r(&seed) % 25];
		enum shm_outcome o = feed(&a, SEED, text, at + size, 1 + (size_t)rand_r(&seed) % 50);
		ended &= o > SHM_OUT_NONE && o < SHM_OUT_COUNT;
	}
	ok(ended, "noise always ends with an outcome");
}

int main(void)
{
	bodies();
	answers();
	bounds();
	return done_testing();
}
