/*
 * A server to stand behind the balancer in the demo and in the tests: one process, one epoll loop,
 * thousands of connections, HTTP/1.1 with keep-alive. It is well behaved until it is told not to be.
 *
 * By options (usage() lists them) the whole server, by path and query one answer:
 *
 *	/healthcheck		"<errors>\n<entries>\n", as --health says
 *	/bytes/N		N bytes of pattern; /chunked/N the same chunked; /close/N ended by closing
 *	/echo			the request's body; /digest: its cksum(1) line; /headers: the request's head
 *	/status/N		status N; 204 and 304 without a body
 *	/delay/MS		answers later		/silent		never answers
 *	/die-mid/N		promises N bytes, sends half and closes; /die-mid-chunked/N, /die-mid-reset/N
 *	/reset, /empty		resets, or closes, without an answer
 *	/early			answers before it reads the body, says close; /early-keep: stays
 *	/103			103 early hints before the answer; /upgrade: 101, then echoes
 *	/raw/TEXT		exactly TEXT (%XX undone) and then silence; /rawclose/TEXT: closes then
 *	/count			the entries so far
 *	anything else		one line: name, method, target
 *
 * and in the query of any of them: close, delay=MS, drip=BYTES (per 10 ms, sending), slowread=BYTES
 * (per 10 ms, reading), v10 (answers as HTTP/1.0), seed=N, trailers, timeout=S (Keep-Alive field),
 * extra=TEXT (after the answer), header=NAME:VALUE, early=N (1xx answers with status N first).
 *
 * /control/health/MODE, /control/entries/N, /control/errors/N change the server and count nowhere;
 * /control/most is the largest number of requests that it ever had at a time.
 */
#include "tests/demo/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>


#define REQUEST_MAX	65536			/* bytes of a head, and of one read */
#define TICK_NS		UINT64_C(10000000)	/* of drip and slowread */
#define ECHO_MAX	(UINT64_C(1) << 30)

static const char *tcp_mode, *unix_path;
static uint64_t default_delay;
static uint64_t *slot_free_ns;		/* --slots: when each place is free again */
static unsigned slots;
static bool silent, reset_all, once;
static FILE *request_log;
static int ep, listener[2] = { -1, -1 }, signals;
static struct conn *waiting;
static struct conn **by_fd;		/* all connections */
static int by_fd_room;
static uint64_t now_ns;

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "backend: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_ns = (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void wake_at(struct conn *c, uint64_t ns)
{
	if (c->wake_ns == 0) {
		c->next = waiting;
		if (waiting != NULL)
			waiting->prev = &c->next;
		c->prev = &waiting;
		waiting = c;
	}
	c->wake_ns = ns;
}

static void wake_never(struct conn *c)
{
	if (c->wake_ns == 0)
		return;
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->wake_ns = 0;
}

static void watch(struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (events == c->events)
		return;
	if (epoll_ctl(ep, c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &ev) != 0)
		die("epoll_ctl");
	c->events = events;
}

static void uncount(struct conn *c)
{
	server.now -= c->counted;
	c->counted = false;
}

static void finish(struct conn *c)
{
	wake_never(c);
	uncount(c);
	if (c->ending == RESET) {
		struct linger l = { .l_onoff = 1, .l_linger = 0 };
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	}
	by_fd[c->fd] = NULL;
	close(c->fd);
	c->fd = -1;	/* freed at the end of the turn of the loop, by whoever called */
}

static void release(struct conn *c)
{
	free(c->in);
	free(c->head);
	free(c->out);
	free(c->body);
	free(c);
}

/* --- one connection --- */

static void log_request(const struct conn *c)
{
	if (request_log != NULL)
		fprintf(request_log, "%s %s token=%s body=%llu crc=%u fd=%d\n", c->req.method, c->req.target, c->req.token,
		    (unsigned long long)c->sum.size, cksum_end(&c->sum), c->fd);
}

/* --slots: so many are worked on at a time, the others wait in line; each takes `took_ns` when it is its turn. */
static uint64_t slot_done(uint64_t took_ns)
{
	unsigned first = 0;

	for (unsigned i = 1; i < slots; i++)
		if (slot_free_ns[i] < slot_free_ns[first])
			first = i;
	slot_free_ns[first] = (slot_free_ns[first] > now_ns ? slot_free_ns[first] : now_ns) + took_ns;
	return slot_free_ns[first];
}

/* The request is known; its answer is due now, later, or never. */
static void begin_answer(struct conn *c)
{
	uint64_t delay_ms = request_query_number(&c->req, "delay", default_delay);
	bool probe = strcmp(c->req.target, "/healthcheck") == 0;

	log_request(c);
	c->state = WAIT;
	if (!probe && strncmp(c->req.target, "/control/", 9) != 0) {
		c->counted = true;
		if (++server.now > server.most)
			server.most = server.now;
	}
	if (probe)
		delay_ms = strncmp(server.health, "slow:", 5) == 0 ? strtoull(server.health + 5, NULL, 10) : 0;
	else if (strncmp(c->req.target, "/delay/", 7) == 0)
		delay_ms = strtoull(c->req.target + 7, NULL, 10);
	if (probe ? strcmp(server.health, "silent") == 0 : silent || strncmp(c->req.target, "/silent", 7) == 0)
		return;
	wake_at(c, c->counted && slots ? slot_done(delay_ms * UINT64_C(1000000)) :
	    now_ns + delay_ms * UINT64_C(1000000) + (delay_ms > 0));
}

static void request_is_in(struct conn *c)
{
	if (c->after_early)
		c->state = READ_HEAD;
	else
		begin_answer(c);
}

static void bad_request(struct conn *c, const char *why)
{
	fprintf(stderr, "backend %s: bad request: %s\n", server.name, why);
	if (request_log != NULL)
		fprintf(request_log, "BAD %s\n", why);
	c->ending = CLOSE;
	answer_text(c, 400, why);
	c->state = SEND;
}

/* Starts on the next request in `in`. False: not whole yet. */
static bool read_head(struct conn *c)
{
	long n = c->in_size > 0 ? request_parse(&c->req, c->in, c->in_size) : 0;
	if (n == 0 && c->in_size == REQUEST_MAX)
		n = -1;
	if (n == 0)
		return false;
	if (n < 0) {
		bad_request(c, c->req.bad ? c->req.bad : "head too long");
		return true;
	}
	c->head = answer_grow(c->head, (size_t)n);
	memcpy(c->head, c->in, (size_t)n);
	c->head_size = (size_t)n;
	c->in_size -= (size_t)n;
	memmove(c->in, c->in + n, c->in_size);
	c->ending = reset_all ? RESET : once && c->served ? CUT : KEEP;
	c->served = true;
	c->body_left = c->req.length;
	memset(&c->chunks, 0, sizeof(c->chunks));
	memset(&c->sum, 0, sizeof(c->sum));
	c->body_size = 0;
	c->echo = strncmp(c->req.target, "/echo", 5) == 0;
	c->early = strncmp(c->req.target, "/early", 6) == 0;
	c->after_early = false;
	c->drip = request_query_number(&c->req, "drip", 0);
	c->slowread = request_query_number(&c->req, "slowread", 0);
	if (c->ending != KEEP) {
		c->state = SEND;
	} else if (c->early) {
		if (strncmp(c->req.target, "/early-keep", 11) != 0)
			c->ending = CLOSE;
		begin_answer(c);
	} else if (c->req.framing == REQUEST_NO_BODY || (c->req.framing == REQUEST_LENGTH && c->req.length == 0)) {
		request_is_in(c);
	} else {
		if (c->req.expect)
			answer_say(c, "HTTP/1.1 100 Continue\r\n\r\n");
		c->state = READ_BODY;
	}
	return true;
}

static void body_data(struct conn *c, const char *data, size_t n)
{
	cksum_add(&c->sum, data, n);
	if (!c->echo)
		return;
	if (c->body_size + n > c->body_room) {
		if (c->body_size + n > ECHO_MAX)
			die("body too long to echo");
		c->body_room = (c->body_size + n) * 2;
		c->body = answer_grow(c->body, c->body_room);
	}
	if (n > 0)	/* c->body may be NULL until there is something */
		memcpy(c->body + c->body_size, data, n);
	c->body_size += n;
}

static void read_body(struct conn *c)
{
	size_t at = 0;
	int end = 0;

	while (end == 0 && at < c->in_size) {
		size_t skip = 0, data = c->in_size - at;
		if (c->req.framing == REQUEST_LENGTH) {
			if (data > c->body_left)
				data = (size_t)c->body_left;
			c->body_left -= data;
			end = c->body_left == 0;
		} else {
			end = chunks_next(&c->chunks, c->in + at, c->in_size - at, &skip, &data);
		}
		body_data(c, c->in + at + skip, data);
		at += skip + data;
	}
	c->in_size -= at;
	memmove(c->in, c->in + at, c->in_size);
	if (end < 0)
		bad_request(c, c->chunks.bad);
	else if (end > 0)
		request_is_in(c);
}

/* Raw echo, or what --tcp says. */
static void tunnel(struct conn *c)
{
	if (tcp_mode != NULL && strcmp(tcp_mode, "digest") == 0)
		cksum_add(&c->sum, c->in, c->in_size);
	else if (tcp_mode == NULL || (strcmp(tcp_mode, "silent") != 0 && strncmp(tcp_mode, "source", 6) != 0))
		answer_put(c, c->in, c->in_size);
	c->in_size = 0;
	if (c->eof && c->ending == KEEP) {
		if (tcp_mode != NULL && strcmp(tcp_mode, "digest") == 0)
			answer_say(c, "%u %llu\n", cksum_end(&c->sum), (unsigned long long)c->sum.size);
		c->ending = CLOSE;
	}
}

/* Sends what it can; true when nothing is left. False after an error too, with fd -1. */
static bool flush(struct conn *c)
{
	for (;;) {
		if (c->gen_left > 0 || c->gen_chunked)
			answer_produce(c);
		size_t n = c->out_size - c->out_at;
		if (n == 0)
			break;
		if (c->drip > 0 && n > c->allowance)
			n = (size_t)c->allowance;
		if (n == 0)
			return false;	/* the timer goes on */
		ssize_t sent = send(c->fd, c->out + c->out_at, n, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno != EAGAIN)
				finish(c);
			return false;
		}
		c->out_at += (size_t)sent;
		if (c->drip > 0)
			c->allowance -= (uint64_t)sent;
		if (c->out_at == c->out_size)
			c->out_at = c->out_size = 0;
		else if (c->out_at > ANSWER_HIGH) {
			c->out_size -= c->out_at;
			memmove(c->out, c->out + c->out_at, c->out_size);
			c->out_at = 0;
		}
	}
	return true;
}

/* Everything of this answer has been sent. */
static void answered(struct conn *c)
{
	uncount(c);
	switch (c->ending) {
	case CUT: case RESET:
		finish(c);
		return;
	case CLOSE:
		shutdown(c->fd, SHUT_WR);
		c->state = DRAIN;
		c->in_size = 0;
		if (c->eof)
			finish(c);
		return;
	case KEEP:
		break;
	}
	c->state = READ_HEAD;
	if (c->early && c->req.framing != REQUEST_NO_BODY && (c->req.framing == REQUEST_CHUNKED || c->req.length > 0)) {
		c->after_early = true;
		c->state = READ_BODY;
	}
}

/* Does what can be done now, then says what to wait for. */
static void step(struct conn *c)
{
	for (;;) {
		enum state was = c->state;
		bool sent = flush(c);
		if (c->fd < 0)
			return;
		if (c->state == READ_HEAD && !read_head(c))
			break;
		if (c->state == READ_BODY)
			read_body(c);
		if (c->state == TUNNEL) {
			tunnel(c);
			if (c->ending == CLOSE && flush(c) && c->fd >= 0)
				answered(c);
			break;
		}
		if (c->state == DRAIN)
			c->in_size = 0;
		if (c->state == SEND && was == SEND && sent)
			answered(c);
		if (c->fd < 0)
			return;
		if (c->state == was)
			break;
	}
	if (c->fd < 0)
		return;
	bool pending = !flush(c);
	if (c->fd < 0)
		return;
	/* A peer that closed while it owed a request, or while we wait for nothing but it, is done with. */
	if (c->eof && !pending && c->state != SEND && !(c->state == WAIT && c->wake_ns != 0)) {
		finish(c);
		return;
	}
	uint32_t events = 0;
	bool throttled = (c->slowread > 0 && c->state == READ_BODY) || (c->drip > 0 && pending);
	if (throttled && c->wake_ns == 0)
		wake_at(c, now_ns + TICK_NS);
	if (pending && c->drip == 0)
		events |= EPOLLOUT;
	if (!c->eof && (c->state == READ_HEAD || c->state == READ_BODY || c->state == TUNNEL || c->state == DRAIN) &&
	    c->out_size - c->out_at < ANSWER_HIGH && !(c->slowread > 0 && c->state == READ_BODY && c->allowance == 0))
		events |= EPOLLIN;
	if (!c->eof && c->state == WAIT)
		events |= EPOLLRDHUP;
	watch(c, events | EPOLLHUP);
}

static void on_timer(struct conn *c)
{
	wake_never(c);
	if (c->state == WAIT) {
		c->state = SEND;
		c->allowance = c->drip;
		answer(c);	/* may turn it into a tunnel */
	} else {
		c->allowance = c->state == READ_BODY ? c->slowread : c->drip;
	}
	step(c);
}

static void on_event(struct conn *c, uint32_t events)
{
	if ((events & EPOLLERR) || ((events & EPOLLHUP) && !(events & EPOLLIN))) {
		finish(c);
		return;
	}
	if (c->state == WAIT && (events & EPOLLRDHUP)) {
		c->eof = true;
		uncount(c);	/* nobody waits for it any more */
	} else if (events & (EPOLLIN | EPOLLRDHUP)) {
		size_t room = REQUEST_MAX - c->in_size;
		if (c->slowread > 0 && c->state == READ_BODY && room > c->allowance)
			room = (size_t)c->allowance;
		ssize_t n = room > 0 ? read(c->fd, c->in + c->in_size, room) : -1;
		if (n < 0 && room > 0 && errno != EAGAIN) {
			finish(c);
			return;
		}
		if (n == 0)
			c->eof = true;
		if (n > 0) {
			c->in_size += (size_t)n;
			if (c->slowread > 0 && c->state == READ_BODY)
				c->allowance -= (uint64_t)n;
		}
	}
	step(c);
}

static void on_accept(int lfd)
{
	for (;;) {
		int one = 1, fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (fd >= by_fd_room) {
			by_fd = answer_grow(by_fd, sizeof(struct conn *) * (size_t)(2 * fd));
			by_fd_room = 2 * fd;
		}
		struct conn *c = calloc(1, sizeof(*c));
		if (c == NULL || (c->in = malloc(REQUEST_MAX)) == NULL)
			die("memory");
		c->fd = fd;
		by_fd[fd] = c;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (tcp_mode != NULL) {
			c->state = TUNNEL;
			server.entries++;
			if (strcmp(tcp_mode, "name") == 0)
				answer_say(c, "%s\n", server.name);
			if (strncmp(tcp_mode, "source:", 7) == 0) {
				c->gen_left = strtoull(tcp_mode + 7, NULL, 10);
				c->ending = CLOSE;
			}
			if (strcmp(tcp_mode, "reset") == 0)
				c->ending = RESET;
		}
		if (c->ending == RESET)
			finish(c);
		else
			step(c);
		if (c->fd < 0)
			release(c);
	}
}

/* --- the process --- */

_Noreturn static void usage(void)
{
	fputs("usage: backend [--port N] [--unix PATH] [--host ADDRESS] [--name NAME] [--entries N] [--errors N]\n"
	    "  [--health ok|silent|refuse|empty|garbage|404|500|302|nonewline|slow:MS|drip|negative|letters|overflow|\n"
	    "            extra|oneline|nobody|long|chunked|close|short] [--count-health]\n"
	    "  [--silent] [--reset] [--once] [--delay MS] [--slots N] [--status N] [--die-after REQUESTS] [--log FILE]\n"
	    "  [--tcp echo|digest|name|silent|reset|source:BYTES]\n", stderr);
	exit(2);
}

static int listen_on(const struct sockaddr *sa, socklen_t size)
{
	int one = 1, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, sa, size) != 0 || listen(fd, 4096) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void watch_fd(int fd, void *tag)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = tag };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
		die("epoll_ctl");
}

static void open_listeners(const char *host, unsigned port)
{
	if (unix_path != NULL) {
		struct sockaddr_un un = { .sun_family = AF_UNIX };
		if (strlen(unix_path) >= sizeof(un.sun_path))
			usage();
		strcpy(un.sun_path, unix_path);
		unlink(unix_path);
		listener[0] = listen_on((struct sockaddr *)&un, sizeof(un));
		if (listener[0] < 0)
			die(unix_path);
		chmod(unix_path, 0666);
		printf("listening %s\n", unix_path);
		return;
	}
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t size = sizeof(in4);
	if (inet_pton(AF_INET, host ? host : "127.0.0.1", &in4.sin_addr) != 1)
		usage();
	listener[0] = listen_on((struct sockaddr *)&in4, sizeof(in4));
	if (listener[0] < 0 || getsockname(listener[0], (struct sockaddr *)&in4, &size) != 0)
		die("listen");
	in6.sin6_port = in4.sin_port;
	if (host == NULL)	/* localhost may mean either; a machine without IPv6 is fine */
		listener[1] = listen_on((struct sockaddr *)&in6, sizeof(in6));
	printf("listening %u\n", ntohs(in4.sin_port));
}

static void loop(void)
{
	for (;;) {
		struct epoll_event ev[256];
		uint64_t soonest = UINT64_MAX;
		for (struct conn *c = waiting; c != NULL; c = c->next)
			if (c->wake_ns < soonest)
				soonest = c->wake_ns;
		read_clock();
		int timeout_ms = soonest == UINT64_MAX ? -1 :
		    soonest <= now_ns ? 0 : (int)((soonest - now_ns) / 1000000) + 1;
		int n = epoll_wait(ep, ev, 256, timeout_ms);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		read_clock();
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr == &signals)
				return;
			if (ev[i].data.ptr == &listener[0] || ev[i].data.ptr == &listener[1]) {
				on_accept(*(int *)ev[i].data.ptr);
				continue;
			}
			struct conn *c = ev[i].data.ptr;
			on_event(c, ev[i].events);
			if (c->fd < 0)
				release(c);
		}
		for (struct conn *c = waiting, *next; c != NULL; c = next) {
			next = c->next;
			if (c->wake_ns > now_ns)
				continue;
			on_timer(c);
			if (c->fd < 0)
				release(c);
		}
		if (request_log != NULL)
			fflush(request_log);
	}
}

int main(int argc, char **argv)
{
	const char *host = NULL;
	unsigned port = 0;
	sigset_t set;
	struct rlimit files;

	for (int i = 1; i < argc; i++) {
		const char *o = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(o, "--count-health") == 0) { server.count_health = true; continue; }
		if (strcmp(o, "--silent") == 0) { silent = true; continue; }
		if (strcmp(o, "--reset") == 0) { reset_all = true; continue; }
		if (strcmp(o, "--once") == 0) { once = true; continue; }
		if (v == NULL)
			usage();
		i++;
		if (strcmp(o, "--port") == 0) port = (unsigned)atoi(v);
		else if (strcmp(o, "--unix") == 0) unix_path = v;
		else if (strcmp(o, "--host") == 0) host = v;
		else if (strcmp(o, "--name") == 0) server.name = v;
		else if (strcmp(o, "--entries") == 0) server.entries = strtoull(v, NULL, 10);
		else if (strcmp(o, "--errors") == 0) server.errors = strtoull(v, NULL, 10);
		else if (strcmp(o, "--health") == 0) server.health = v;
		else if (strcmp(o, "--delay") == 0) default_delay = strtoull(v, NULL, 10);
		else if (strcmp(o, "--slots") == 0) slots = (unsigned)atoi(v);
		else if (strcmp(o, "--status") == 0) server.status = strtoull(v, NULL, 10);
		else if (strcmp(o, "--die-after") == 0) server.die_after = strtoull(v, NULL, 10);
		else if (strcmp(o, "--tcp") == 0) tcp_mode = v;
		else if (strcmp(o, "--log") == 0) { if ((request_log = fopen(v, "a")) == NULL) die(v); }
		else usage();
	}
	if (slots && (slot_free_ns = calloc(slots, sizeof(*slot_free_ns))) == NULL)
		die("slots");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (signals < 0 || ep < 0)
		die("start");
	open_listeners(host, port);
	watch_fd(signals, &signals);
	for (int i = 0; i < 2; i++)
		if (listener[i] >= 0)
			watch_fd(listener[i], &listener[i]);
	fflush(stdout);
	loop();
	if (unix_path != NULL)
		unlink(unix_path);
	return 0;
}
