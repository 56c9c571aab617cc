/*
 * load TARGET [option...]: many requests, each answer checked to the last byte.
 *
 *	TARGET			PORT, ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH
 *	-c N			connections at a time (1)
 *	-n N | -d SECONDS	requests in all (100), or for how long
 *	--rate N		at most N requests a second
 *	--close			a connection for each request; else they are kept
 *	--path PATH		GET PATH; the body is counted, not compared
 *	--mix			GET /bytes/N and /chunked/N, PUT /echo with length and chunked, POST /digest,
 *				with random N up to --size (20000), all compared with the pattern (pattern.h)
 *	--only KIND		of --mix only bytes, chunked, echo, echo-chunked or digest; --exact: always --size bytes
 *	--pause MS		about so long between an answer, or a failure, and the next request of that connection
 *	--slow BYTES		reads, and sends of a body, at most so many bytes in 10 ms on each connection
 *	--last			when the time is over each connection that is still there asks once more; stderr says "open"
 *				when all have had their first answer
 *	--expect STATUS		what counts as success (200)
 *	--timeout MS		for one request, connecting included (20000)
 *	--strict		exits with 1 when anything failed or a kept connection was closed under a request
 *	--closed-ok		... but the latter is forgiven: it may cross a server's idle close
 *
 * Nothing is tried twice. Each request carries a token, which the answer must repeat (when it comes from
 * tests/demo/backend.c: an answer without X-Token and X-Backend passes). One line is printed:
 *
 *	{"ok":N,"failed":N,"closed":N,"connects":N,"seconds":S,"p50_us":N,"p99_us":N,"max_us":N,"idle_closed":N,
 *	 "status":{"200":N},"backend":{"b1":N},"why":{"reset":N}}
 *
 * closed: requests that met a close of a kept connection before any byte of an answer. idle_closed: kept
 * connections that the other side closed while nothing was asked on them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/tools/pattern.h"

#define HEAD_MAX 16384
#define READ_MAX 65536
#define SLOW_NS UINT64_C(10000000)	/* of --slow */
#define PER_SOURCE 4000			/* connections from one address */
#define LAST_AT_ONCE 256		/* of --last */

enum kind { PLAIN, BYTES, CHUNKED, ECHO, ECHO_CHUNKED, DIGEST, KINDS };
enum state { CLOSED, CONNECTING, IDLE, BUSY };

struct conn {
	int fd;
	enum state state;
	bool reused;			/* an answer has come on it */
	uint64_t start_ns;		/* of the request */
	/* request */
	uint64_t token;
	enum kind kind;
	uint64_t size, seed;
	char out[2048];			/* head, or framing of a chunk */
	size_t out_size, out_at;
	uint64_t body_at;		/* bytes of the request's body already in chunks or on their way */
	size_t piece_left;		/* of the current stretch of body */
	bool sent;
	bool opened;			/* it has had its first answer */
	bool lasted;			/* --last: has asked for the last time */
	size_t share;			/* --slow: bytes left in these 10 ms */
	uint64_t share_ns;		/* when they are over */
	/* answer */
	char head[HEAD_MAX];
	size_t head_size;
	bool in_body, chunked, until_close, keep;
	uint64_t left, got;
	int chunk_state;		/* 0 size, 1 LF of size, 2 data, 3 CR, 4 LF, 5 trailer */
	unsigned line;
	struct cksum sum;
	char digest[64];
};

struct tally { char name[64]; uint64_t n; };

static struct sockaddr_storage target;
static socklen_t target_size;
static unsigned conns = 1, expect = 200;
static uint64_t total = 100, rate, size_max = 20000, timeout_ns = UINT64_C(20000000000), duration_ns;
static uint64_t pause_ns;
static size_t slow;
static int only = -1;
static bool one_shot, mix, strict, closed_ok, exact, last;
static const char *path = "/";
static char host[160] = "localhost";

static int ep;
static struct conn *all;
static uint64_t *due;			/* when to look at each: to begin, to go on, to give it up */
static unsigned busy, unopened;		/* requests under way; connections without a first answer */
static uint64_t now_ns, begun_ns, started, ok, failed, closed, connects, idle_closed, rng;
static struct tally by_status[64], by_backend[64], by_why[32];
static uint64_t latency[64 * 16];	/* log2 with 16 steps each, ns */
static uint64_t latency_max;

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t draw(void)
{
	return pattern_word(77, rng++);
}

static void read_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_ns = (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void count(struct tally *t, size_t room, const char *name, size_t n)
{
	if (n >= sizeof(t->name))
		n = sizeof(t->name) - 1;
	for (size_t i = 0; i < room; i++, t++) {
		if (t->n == 0) {
			memcpy(t->name, name, n);
			t->name[n] = '\0';
		} else if (strncmp(t->name, name, n) != 0 || t->name[n] != '\0') {
			continue;
		}
		t->n++;
		return;
	}
}

static void took(uint64_t ns)
{
	unsigned top = 63u - (unsigned)__builtin_clzll(ns | 16);

	latency[top * 16 + ((ns >> (top - 4)) & 15)]++;
	if (ns > latency_max)
		latency_max = ns;
}

static uint64_t percentile(double share)
{
	uint64_t sum = 0, sum_all = 0;

	for (size_t i = 0; i < sizeof(latency) / sizeof(latency[0]); i++)
		sum_all += latency[i];
	for (size_t i = 0; i < sizeof(latency) / sizeof(latency[0]); i++) {
		sum += latency[i];
		if (sum_all > 0 && (double)sum >= share * (double)sum_all)
			return ((16 + i % 16) << (i / 16)) >> 4;
	}
	return 0;
}

/* The one place where a connection changes its state; and when it is looked at again. */
static void become(struct conn *c, enum state state, uint64_t due_ns)
{
	busy -= c->state == CONNECTING || c->state == BUSY;
	busy += state == CONNECTING || state == BUSY;
	c->state = state;
	due[c - all] = due_ns;
}

/* Half to one and a half times the pause. */
static uint64_t after_pause(void)
{
	return pause_ns > 0 ? now_ns + pause_ns / 2 + draw() % pause_ns : 0;
}

static void disconnect(struct conn *c)
{
	if (c->state != CLOSED)
		close(c->fd);
	become(c, CLOSED, after_pause());
}

static void fail(struct conn *c, const char *why)
{
	failed++;
	count(by_why, 32, why, strlen(why));
	disconnect(c);
}

/* --- request --- */

/* Chunks of all sizes, so that framing falls everywhere. */
static void next_chunk(struct conn *c)
{
	uint64_t left = c->size - c->body_at;
	uint64_t n = 1 + draw() % 5000;

	if (n > left)
		n = left;
	int room = snprintf(c->out, sizeof(c->out), n > 0 ? "%s%llx\r\n" : "%s%llx\r\n\r\n", c->body_at > 0 ? "\r\n" : "",
	    (unsigned long long)n);
	c->out_size = (size_t)room;
	c->out_at = 0;
	c->piece_left = (size_t)n;
	if (n == 0)
		c->sent = true;		/* once `out` is gone */
}

static const char *method_of(enum kind kind)
{
	return kind == DIGEST ? "POST" : kind >= ECHO ? "PUT" : "GET";
}

static void compose(struct conn *c)
{
	static const char *const target_of[KINDS] = { "", "/bytes/", "/chunked/", "/echo", "/echo", "/digest" };
	char where[64];
	const char *p = path;

	c->token = draw();
	c->kind = only >= 0 ? (enum kind)only : mix ? BYTES + (enum kind)(draw() % (KINDS - BYTES)) : PLAIN;
	c->size = exact ? size_max : draw() % (size_max + 1);
	c->seed = c->token % 100000;
	if (c->kind == BYTES || c->kind == CHUNKED) {
		snprintf(where, sizeof(where), "%s%llu?seed=%llu", target_of[c->kind], (unsigned long long)c->size,
		    (unsigned long long)c->seed);
		p = where;
	} else if (c->kind != PLAIN) {
		p = target_of[c->kind];
	}
	const char *method = method_of(c->kind);
	int n = snprintf(c->out, sizeof(c->out), "%s %s HTTP/1.1\r\nHost: %s\r\nX-Token: %llx\r\n%s", method, p, host,
	    (unsigned long long)c->token, one_shot ? "Connection: close\r\n" : "");
	size_t at = (size_t)n;
	if (c->kind == ECHO_CHUNKED)
		n = snprintf(c->out + at, sizeof(c->out) - at, "Transfer-Encoding: chunked\r\n\r\n");
	else if (c->kind >= ECHO)
		n = snprintf(c->out + at, sizeof(c->out) - at, "Content-Length: %llu\r\n\r\n", (unsigned long long)c->size);
	else
		n = snprintf(c->out + at, sizeof(c->out) - at, "\r\n");
	c->out_size = at + (size_t)n;
	c->out_at = 0;
	c->body_at = 0;
	c->piece_left = c->kind == ECHO || c->kind == DIGEST ? (size_t)c->size : 0;
	c->sent = c->kind < ECHO || (c->kind != ECHO_CHUNKED && c->size == 0);
	c->head_size = 0;
	c->in_body = c->chunked = c->until_close = false;
	c->left = c->got = 0;
	memset(&c->sum, 0, sizeof(c->sum));
	c->digest[0] = '\0';
}

/* 0: all is sent, 1: the socket is full, 2: its share is used up, -1: error (the answer may still be there to be read). */
static int send_request(struct conn *c)
{
	char buf[16384];

	for (;;) {
		const char *p = c->out + c->out_at;
		size_t n = c->out_size - c->out_at;
		if (n == 0) {
			if (c->sent)
				return 0;
			if (c->piece_left == 0) {
				next_chunk(c);
				continue;
			}
			n = c->piece_left < sizeof(buf) ? c->piece_left : sizeof(buf);
			if (slow > 0 && n > c->share)
				n = c->share;
			if (n == 0)
				return 2;
			pattern_fill(buf, n, c->seed, c->body_at);
			p = buf;
		}
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN ? 1 : -1;
		if (p == buf) {
			c->share -= slow > 0 ? (size_t)sent : 0;
			c->body_at += (uint64_t)sent;
			c->piece_left -= (size_t)sent;
			if (c->piece_left == 0 && c->kind != ECHO_CHUNKED)
				c->sent = true;
		} else {
			c->out_at += (size_t)sent;
		}
	}
}

/* --- answer --- */

static const char *header(const struct conn *c, const char *name, size_t *size)
{
	size_t n = strlen(name);

	for (const char *p = strstr(c->head, "\r\n"); p != NULL; p = strstr(p, "\r\n")) {
		p += 2;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			p += n + 1;
			while (*p == ' ')
				p++;
			*size = strcspn(p, "\r");
			return p;
		}
	}
	*size = 0;
	return NULL;
}

static void answered(struct conn *c)
{
	char token[32], wanted[64];
	size_t n;

	snprintf(token, sizeof(token), "%llx", (unsigned long long)c->token);
	const char *backend = header(c, "X-Backend", &n);
	if (backend != NULL)
		count(by_backend, 64, backend, n);
	const char *v = header(c, "X-Token", &n);
	unsigned status = (unsigned)atoi(c->head + 9);
	if (status != expect) {
		snprintf(wanted, sizeof(wanted), "%u to %s", status, method_of(c->kind));
		fail(c, wanted);
	} else if (backend != NULL && (v == NULL || n != strlen(token) || strncmp(v, token, n) != 0)) {
		fail(c, "token");
	} else if (c->kind != PLAIN && c->kind != DIGEST && c->got != c->size) {
		fail(c, "size");
	} else if (c->kind == DIGEST) {
		unsigned char buf[4096];
		struct cksum sum = {0};
		for (uint64_t at = 0; at < c->size; at += sizeof(buf)) {
			size_t part = c->size - at < sizeof(buf) ? (size_t)(c->size - at) : sizeof(buf);
			pattern_fill(buf, part, c->seed, at);
			cksum_add(&sum, buf, part);
		}
		snprintf(wanted, sizeof(wanted), "%u %llu\n", cksum_end(&sum), (unsigned long long)sum.size);
		if (strcmp(wanted, c->digest) != 0)
			fail(c, "digest");
		else
			ok++;
	} else {
		ok++;
	}
	took(now_ns - c->start_ns);
	if (c->state == CLOSED)
		return;
	if (one_shot || !c->keep || c->until_close || !c->sent) {
		disconnect(c);
		return;
	}
	become(c, IDLE, after_pause());
	c->reused = true;
	if (last && !c->opened && --unopened == 0)
		fputs("open\n", stderr);
	c->opened = true;
}

/* Body bytes; false: wrong, and the connection is gone. */
static bool body(struct conn *c, const char *data, size_t n)
{
	bool compare = c->kind != PLAIN && c->kind != DIGEST && atoi(c->head + 9) == 200;

	if (compare && pattern_match(data, n, c->seed, c->got) != n) {
		fail(c, "content");
		return false;
	}
	if (c->kind == DIGEST && c->got + n < sizeof(c->digest)) {
		memcpy(c->digest + c->got, data, n);
		c->digest[c->got + n] = '\0';
	}
	c->got += n;
	return true;
}

/* The head is whole: how does the body end? False: it makes no sense. */
static bool head_done(struct conn *c)
{
	char status[8];
	size_t n;

	if (strncmp(c->head, "HTTP/1.1 ", 9) != 0 && strncmp(c->head, "HTTP/1.0 ", 9) != 0)
		return false;
	snprintf(status, sizeof(status), "%.3s", c->head + 9);
	if (status[0] == '1') {		/* an interim answer */
		c->head_size = 0;
		return true;
	}
	count(by_status, 64, status, 3);
	c->in_body = true;
	c->keep = c->head[7] == '1';
	const char *v = header(c, "Connection", &n);
	if (v != NULL && n == 5 && strncasecmp(v, "close", 5) == 0)
		c->keep = false;
	if (v != NULL && n == 10 && strncasecmp(v, "keep-alive", 10) == 0)
		c->keep = true;
	c->chunked = (v = header(c, "Transfer-Encoding", &n)) != NULL && n == 7 && strncasecmp(v, "chunked", 7) == 0;
	c->chunk_state = 0;
	c->line = 0;
	v = header(c, "Content-Length", &n);
	if (v != NULL && c->chunked)
		return false;
	c->left = v != NULL ? strtoull(v, NULL, 10) : 0;
	c->until_close = v == NULL && !c->chunked && strcmp(status, "204") != 0 && strcmp(status, "304") != 0;
	return true;
}

/* Bytes of an answer. False: the connection is gone or idle; nothing more may follow then. */
static bool receive(struct conn *c, const char *buf, size_t n)
{
	size_t at = 0;

	while (at < n || (c->in_body && !c->chunked && !c->until_close && c->left == 0)) {
		if (!c->in_body) {
			if (c->head_size + 1 >= HEAD_MAX) {
				fail(c, "head too long");
				return false;
			}
			c->head[c->head_size++] = buf[at++];
			c->head[c->head_size] = '\0';
			if (c->head_size >= 4 && memcmp(c->head + c->head_size - 4, "\r\n\r\n", 4) == 0 && !head_done(c)) {
				fail(c, "head");
				return false;
			}
			continue;
		}
		if (!c->chunked || c->chunk_state == 2) {
			size_t part = n - at;
			if (!c->until_close && part > c->left)
				part = (size_t)c->left;
			if (part > 0 && !body(c, buf + at, part))
				return false;
			at += part;
			c->left -= c->until_close ? 0 : part;
			if (c->left > 0 || c->until_close)
				continue;
			if (c->chunked) {
				c->chunk_state = 3;
				continue;
			}
			break;
		}
		char b = buf[at++];
		switch (c->chunk_state) {
		case 0:
			if (b >= '0' && b <= '9')
				c->left = c->left * 16 + (uint64_t)(b - '0');
			else if (b >= 'a' && b <= 'f')
				c->left = c->left * 16 + (uint64_t)(b - 'a' + 10);
			else if (b >= 'A' && b <= 'F')
				c->left = c->left * 16 + (uint64_t)(b - 'A' + 10);
			else if (b == '\r')
				c->chunk_state = 1;
			else {
				fail(c, "chunk");
				return false;
			}
			break;
		case 1:
			c->chunk_state = c->left > 0 ? 2 : 5;
			break;
		case 3:
			c->chunk_state = 4;
			break;
		case 4:
			c->chunk_state = 0;
			break;
		case 5:
			if (b != '\n') {
				c->line += b != '\r';
			} else if (c->line > 0) {
				c->line = 0;
			} else {
				c->chunk_state = 6;
			}
			break;
		}
		if (c->chunk_state == 6)
			break;
	}
	if (!c->in_body || c->until_close || (c->chunked && c->chunk_state != 6) || (!c->chunked && c->left > 0))
		return true;
	if (at < n) {
		fail(c, "bytes after the answer");
		return false;
	}
	answered(c);
	return false;
}

/* --- connections --- */

static void watch(struct conn *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(ep, op, c->fd, &ev) != 0)
		die("epoll_ctl");
}

/* Sends what can be sent, and listens for what is waited for: --slow by the clock, all else by epoll. */
static void go(struct conn *c)
{
	int left = send_request(c);
	bool rest = slow > 0 && (left == 2 || c->share == 0);

	watch(c, EPOLL_CTL_MOD, (rest && c->share == 0 ? 0 : EPOLLIN) | (left == 1 ? EPOLLOUT : 0));
	due[c - all] = rest ? c->share_ns : c->start_ns + timeout_ns;
}

static bool may_start(void)
{
	if (duration_ns > 0 ? now_ns - begun_ns >= duration_ns : started >= total)
		return false;
	return rate == 0 || (double)started < (double)rate * (double)(now_ns - begun_ns) / 1e9 + 1;
}

/*
 * Many connections from one address to another: the kernel looks long for a free port when half of them are taken. On
 * loopback there are addresses enough.
 */
static void come_from(const struct conn *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int on = 1;

	if (target.ss_family != AF_INET || ntohl(((struct sockaddr_in *)&target)->sin_addr.s_addr) >> 24 != 127)
		return;
	from.sin_addr.s_addr = htonl(UINT32_C(0x7f010001) + (uint32_t)(c - all) / PER_SOURCE);
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		die("bind");
}

static void start(struct conn *c)
{
	started++;
	c->start_ns = now_ns;
	compose(c);
	c->share = slow;
	c->share_ns = now_ns + SLOW_NS;
	if (c->state == IDLE) {
		become(c, BUSY, now_ns + timeout_ns);
		go(c);
		return;
	}
	int one = 1, small = slow < 16384 ? 16384 : (int)slow;
	connects++;
	c->reused = false;
	c->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (slow > 0)	/* or the kernel would take it all for us at once */
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (conns > PER_SOURCE)
		come_from(c);
	become(c, CONNECTING, now_ns + timeout_ns);
	if (connect(c->fd, (struct sockaddr *)&target, target_size) != 0 && errno != EINPROGRESS) {
		fail(c, "connect");
		return;
	}
	watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void lost(struct conn *c, const char *why)
{
	if (c->state == IDLE) {
		idle_closed++;		/* no request was under way: nobody lost anything but the connection */
		disconnect(c);
	} else if (c->in_body && c->until_close && strcmp(why, "cut") == 0) {
		answered(c);
	} else if (c->reused && c->head_size == 0) {
		closed++;
		disconnect(c);
	} else {
		fail(c, c->head_size == 0 ? "no answer" : why);
	}
}

static void on_event(struct conn *c, uint32_t events)
{
	static char buf[READ_MAX];

	if (c->state == CONNECTING) {
		int error = 0;
		socklen_t size = sizeof(error);
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error != 0) {
			fail(c, "connect");
			return;
		}
		become(c, BUSY, due[c - all]);
		go(c);
		return;
	}
	if ((events & EPOLLOUT) && c->state == BUSY)
		go(c);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	for (;;) {
		bool bounded = slow > 0 && c->state == BUSY;
		if (bounded && c->share == 0) {
			go(c);
			return;
		}
		ssize_t n = recv(c->fd, buf, bounded && c->share < sizeof(buf) ? c->share : sizeof(buf), 0);
		c->share -= bounded && n > 0 ? (size_t)n : 0;
		if (n > 0 && c->state == IDLE) {
			fail(c, "bytes before a request");
			return;
		}
		if (n > 0) {
			if (!receive(c, buf, (size_t)n))
				return;
			continue;
		}
		if (n < 0 && errno == EAGAIN)
			return;
		lost(c, n == 0 ? "cut" : "reset");
		return;
	}
}

static void print_tally(const char *name, const struct tally *t, size_t room)
{
	printf(",\"%s\":{", name);
	for (size_t i = 0; i < room && t[i].n > 0; i++)
		printf("%s\"%s\":%llu", i > 0 ? "," : "", t[i].name, (unsigned long long)t[i].n);
	putchar('}');
}

/* Its time has come. */
static void attend(struct conn *c, bool over)
{
	if (c->state == CLOSED || (c->state == IDLE && (!last || !over))) {
		if (may_start())
			start(c);
	} else if (c->state == IDLE) {
		c->lasted = true;
		start(c);
	} else if (now_ns - c->start_ns > timeout_ns) {
		fail(c, "timeout");
	} else {	/* --slow: the next 10 ms */
		c->share = slow;
		c->share_ns = now_ns + SLOW_NS;
		go(c);
	}
}

static void run(void)
{
	for (;;) {
		struct epoll_event ev[256];
		bool over, more = false;
		read_clock();
		over = duration_ns > 0 ? now_ns - begun_ns >= duration_ns : started >= total;
		for (unsigned i = 0; i < conns; i++) {
			if (over && last && all[i].state == IDLE && !all[i].lasted) {
				more = true;
				if (busy < LAST_AT_ONCE)
					due[i] = 0;
			}
			if (due[i] <= now_ns && !(over && all[i].lasted && all[i].state == IDLE))
				attend(&all[i], over);
		}
		if (busy == 0 && over && !more)
			return;
		int wait_ms = rate > 0 || slow > 0 || pause_ns > 0 ? 1 : busy == 0 ? 0 : 100;
		int n = epoll_wait(ep, ev, 256, wait_ms);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		read_clock();
		for (int i = 0; i < n; i++)
			on_event(ev[i].data.ptr, ev[i].events);
	}
}

_Noreturn static void usage(void)
{
	fputs("usage: load TARGET [-c N] [-n N | -d SECONDS] [--rate N] [--close] [--path PATH] [--mix | --only KIND] [--size N]\n"
	    "  [--exact] [--pause MS] [--slow BYTES] [--last] [--expect STATUS] [--timeout MS] [--strict] [--closed-ok]\n", stderr);
	exit(2);
}

static void aim(const char *text)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&target;
	struct sockaddr_in *in4 = (struct sockaddr_in *)&target;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&target;
	const char *colon = strrchr(text, ':');
	char address[128] = "127.0.0.1";

	if (strncmp(text, "unix:", 5) == 0 && strlen(text + 5) < sizeof(un->sun_path)) {
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, text + 5);
		target_size = sizeof(*un);
		return;
	}
	if (colon != NULL && (size_t)(colon - text) < sizeof(address))
		snprintf(address, sizeof(address), "%.*s", (int)(colon - text), text);
	snprintf(host, sizeof(host), "%s:%d", address, atoi(colon ? colon + 1 : text));
	if (address[0] == '[' && colon != NULL) {
		address[strlen(address) - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)atoi(colon + 1));
		target_size = sizeof(*in6);
		if (inet_pton(AF_INET6, address + 1, &in6->sin6_addr) != 1)
			usage();
		return;
	}
	in4->sin_family = AF_INET;
	in4->sin_port = htons((uint16_t)atoi(colon ? colon + 1 : text));
	target_size = sizeof(*in4);
	if (inet_pton(AF_INET, address, &in4->sin_addr) != 1)
		usage();
}

static int kind_named(const char *name)
{
	static const char *const names[KINDS] = { "plain", "bytes", "chunked", "echo", "echo-chunked", "digest" };

	for (int k = 0; k < KINDS; k++)
		if (strcmp(names[k], name) == 0)
			return k;
	usage();
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (argc < 2)
		usage();
	aim(argv[1]);
	for (int i = 2; i < argc; i++) {
		const char *o = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(o, "--close") == 0) { one_shot = true; continue; }
		if (strcmp(o, "--mix") == 0) { mix = true; continue; }
		if (strcmp(o, "--exact") == 0) { exact = true; continue; }
		if (strcmp(o, "--last") == 0) { last = true; continue; }
		if (strcmp(o, "--strict") == 0) { strict = true; continue; }
		if (strcmp(o, "--closed-ok") == 0) { closed_ok = true; continue; }
		if (v == NULL)
			usage();
		i++;
		if (strcmp(o, "-c") == 0) conns = (unsigned)atoi(v);
		else if (strcmp(o, "-n") == 0) total = strtoull(v, NULL, 10);
		else if (strcmp(o, "-d") == 0) duration_ns = (uint64_t)(atof(v) * 1e9);
		else if (strcmp(o, "--rate") == 0) rate = strtoull(v, NULL, 10);
		else if (strcmp(o, "--path") == 0) path = v;
		else if (strcmp(o, "--size") == 0) size_max = strtoull(v, NULL, 10);
		else if (strcmp(o, "--only") == 0) only = kind_named(v);
		else if (strcmp(o, "--pause") == 0) pause_ns = strtoull(v, NULL, 10) * 1000000;
		else if (strcmp(o, "--slow") == 0) slow = strtoull(v, NULL, 10);
		else if (strcmp(o, "--expect") == 0) expect = (unsigned)atoi(v);
		else if (strcmp(o, "--timeout") == 0) timeout_ns = strtoull(v, NULL, 10) * 1000000;
		else usage();
	}
	if (conns == 0 || strlen(path) > 1000)
		usage();
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	all = calloc(conns, sizeof(*all));
	due = calloc(conns, sizeof(*due));
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (all == NULL || due == NULL || ep < 0)
		die("start");
	unopened = conns;
	read_clock();
	begun_ns = now_ns;
	rng = now_ns;
	run();
	for (unsigned i = 0; i < conns; i++)
		disconnect(&all[i]);
	free(all);
	free(due);
	printf("{\"ok\":%llu,\"failed\":%llu,\"closed\":%llu,\"connects\":%llu,\"seconds\":%.3f,\"p50_us\":%llu,\"p99_us\":%llu,"
	    "\"max_us\":%llu,\"idle_closed\":%llu", (unsigned long long)ok, (unsigned long long)failed, (unsigned long long)closed,
	    (unsigned long long)connects, (double)(now_ns - begun_ns) / 1e9, (unsigned long long)percentile(0.5) / 1000,
	    (unsigned long long)percentile(0.99) / 1000, (unsigned long long)latency_max / 1000,
	    (unsigned long long)idle_closed);
	print_tally("status", by_status, 64);
	print_tally("backend", by_backend, 64);
	print_tally("why", by_why, 32);
	puts("}");
	return strict && (failed > 0 || (closed > 0 && !closed_ok)) ? 1 : 0;
}
