/*
 * Servers that sleep instead of computing, and load by the clock before a balancer: one run of a
 * scenario of tests/bench/balance.sh.
 *
 *	balance serve SCENARIO SECONDS		prints its ports in a line, then serves until its input ends
 *	balance load SCENARIO PORT SECONDS	prints "requests=N p50=MS p99=MS p999=MS slow=PERCENT failed=PERCENT good=N"
 *
 * Servers answer after an exponential 20 ms (event-driven: all of them are one process that uses next to no processor),
 * requests come as a Poisson process, 400 a second, and latency counts from the instant at which a request was due.
 * What happens when is told from the first request on, in the scenarios below. slow: later than 1 s.
 *
 * overload-N: N times what four servers with two slots can do, 400 a second. Clients leave after a second, and good is
 * what was answered 200 before, per second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND	UINT64_C(1000000000)
#define SERVERS	16
#define CONNS	16384
#define HEAD	1024
#define DRAIN	(5 * SECOND)	/* after the last request; what is not answered then has failed */

/* Figures count requests due from from_s on; a third of `seconds` is the trouble in "stall". */
static const struct scenario {
	const char *name;
	unsigned servers, slots;
	double from_s, rate;		/* rate: requests a second */
	bool leave;			/* clients do, after a second */
} scenarios[] = {
	{ "stall", 11, 0, 0, 400, false }, { "skew", 16, 4, 0, 400, false }, { "holes", 12, 0, 0, 400, false },
	{ "cold", 10, 0, 6, 400, false }, { "overload-1", 4, 2, 2, 400, true }, { "overload-1.5", 4, 2, 2, 600, true },
	{ "overload-2", 4, 2, 2, 800, true }, { "overload-4", 4, 2, 2, 1600, true },
};
static const struct scenario *scenario;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double exponential(double mean)
{
	return -log(1.0 - drand48()) * mean;
}

static int ep;

static void watch(int fd, void *ptr, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = ptr };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

/* Waits for events until `until`. */
static int wait_events(struct epoll_event *e, int n, uint64_t until)
{
	uint64_t t = now(), left = until > t ? until - t : 0;
	struct timespec ts = { (time_t)(left / SECOND), (long)(left % SECOND) };
	int got = epoll_pwait2(ep, e, n, &ts, NULL);

	if (got < 0 && errno != EINTR)
		die("epoll_pwait2");
	return got;
}

static struct sockaddr_in loopback(unsigned port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

/* ---- servers ---- */

struct conn {
	int fd;			/* -1: free */
	unsigned server;
	uint64_t due_ns;	/* answers then; 0: nothing to answer, UINT64_MAX: waits for a slot */
	bool fails;
	struct conn *next;	/* in the line for a slot */
	size_t size;
	char head[HEAD];
};

static struct server {
	int fd;			/* listener; -1: gone */
	unsigned port, busy;
	struct conn *first, *last;
} server[SERVERS];
static struct conn conn[CONNS];
static unsigned conns;		/* all in use are below */
static uint64_t begun_ns;
static double seconds;

static double elapsed(void)
{
	return begun_ns ? (double)(now() - begun_ns) / 1e9 : 0;
}

/* How long server i takes for a request that it begins now; *fails: it answers 500. */
static uint64_t takes(unsigned i, bool *fails)
{
	double t = elapsed(), ms = exponential(20);

	*fails = false;
	if (strcmp(scenario->name, "stall") == 0 && i == 3 && t >= seconds / 3 && t < seconds * 2 / 3)
		ms = 2000;
	if (strcmp(scenario->name, "skew") == 0 && (i == 2 || i == 9))
		ms *= 16;
	if (strcmp(scenario->name, "cold") == 0 && i == 5 && t >= 6 && t < 11)
		ms *= 10;
	if (strcmp(scenario->name, "holes") == 0 && (i == 4 || i == 5)) {
		*fails = true;
		ms = 0;
	}
	return (uint64_t)(ms * 1e6);
}

static void listen_on(struct server *s)
{
	struct sockaddr_in sin = loopback(s->port);
	socklen_t size = sizeof sin;
	int one = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(s->fd, (struct sockaddr *)&sin, sizeof sin) < 0 || listen(s->fd, 1024) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&sin, &size) < 0)
		die("listen");
	s->port = ntohs(sin.sin_port);
	watch(s->fd, s, EPOLLIN);
}

static void start_next(struct server *s)
{
	struct conn *c;

	while ((c = s->first) != NULL && (scenario->slots == 0 || s->busy < scenario->slots)) {
		s->first = c->next;
		s->busy++;
		c->due_ns = now() + takes(c->server, &c->fails);
		if (c->due_ns == 0)
			c->due_ns = 1;
	}
}

static void end_conn(struct conn *c)
{
	struct server *s = &server[c->server];

	for (struct conn **p = &s->first; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			break;
		}
	}
	for (s->last = s->first; s->last && s->last->next;)
		s->last = s->last->next;
	close(c->fd);
	c->fd = -1;
	if (c->due_ns != 0 && c->due_ns != UINT64_MAX)
		s->busy--;
	c->due_ns = 0;
	start_next(s);
}

static void say(struct conn *c, const char *status, const char *body)
{
	char text[256];
	int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);

	c->size = 0;
	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		end_conn(c);
}

static void asked(struct conn *c)
{
	struct server *s = &server[c->server];

	if (strncmp(c->head, "GET /healthcheck", 16) == 0) {
		say(c, "200 OK", "0\n0\n");
		return;
	}
	if (begun_ns == 0)
		begun_ns = now();
	c->due_ns = UINT64_MAX;
	c->next = NULL;
	*(s->first ? &s->last->next : &s->first) = c;
	s->last = c;
	start_next(s);
}

static void readable(struct conn *c)
{
	ssize_t n = read(c->fd, c->head + c->size, HEAD - 1 - c->size);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			end_conn(c);
		return;
	}
	c->size += (size_t)n;
	c->head[c->size] = '\0';
	if (c->due_ns == 0 && strstr(c->head, "\r\n\r\n"))
		asked(c);
}

static void accept_all(struct server *s)
{
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		unsigned i = 0;

		while (i < CONNS && conn[i].fd >= 0)
			i++;
		if (i == CONNS) {
			close(fd);
			continue;
		}
		if (i >= conns)
			conns = i + 1;
		conn[i].fd = fd;
		conn[i].server = (unsigned)(s - server);
		conn[i].due_ns = 0;
		conn[i].size = 0;
		watch(fd, &conn[i], EPOLLIN);
	}
}

/* cold: server 5 is gone from the 5th to the 6th second. */
static void come_and_go(void)
{
	struct server *s = &server[5];
	double t = elapsed();
	bool gone = strcmp(scenario->name, "cold") == 0 && t >= 5 && t < 6;

	if (gone && s->fd >= 0) {
		close(s->fd);
		s->fd = -1;
		for (unsigned i = 0; i < CONNS; i++)
			if (conn[i].fd >= 0 && conn[i].server == 5)
				end_conn(&conn[i]);
	} else if (!gone && s->fd < 0)
		listen_on(s);
}

static int serve(void)
{
	struct epoll_event e[64];

	for (unsigned i = 0; i < CONNS; i++)
		conn[i].fd = -1;
	for (unsigned i = 0; i < scenario->servers; i++) {
		listen_on(&server[i]);
		printf("%u%c", server[i].port, i + 1 < scenario->servers ? ' ' : '\n');
	}
	fflush(stdout);
	watch(0, NULL, EPOLLIN);
	for (;;) {
		uint64_t next = now() + 20000000, t;
		int n;

		for (unsigned i = 0; i < conns; i++)
			if (conn[i].fd >= 0 && conn[i].due_ns && conn[i].due_ns < next)
				next = conn[i].due_ns;
		n = wait_events(e, 64, next);
		for (int i = 0; i < n; i++) {
			char *p = e[i].data.ptr;

			if (p == NULL)
				return 0;
			if (p >= (char *)server && p < (char *)(server + SERVERS))
				accept_all(e[i].data.ptr);
			else if (((struct conn *)e[i].data.ptr)->fd >= 0)
				readable(e[i].data.ptr);
		}
		t = now();
		for (unsigned i = 0; i < conns; i++) {
			struct conn *c = &conn[i];

			if (c->fd < 0 || c->due_ns == 0 || c->due_ns > t)
				continue;
			c->due_ns = 0;
			server[c->server].busy--;
			say(c, c->fails ? "500 Internal Server Error" : "200 OK", "ok");
			start_next(&server[c->server]);
		}
		come_and_go();
	}
}

/* ---- load ---- */

struct sample { uint64_t due_ns; double ms; bool failed; };
static struct sample *sample;
static size_t samples;

struct client {
	int fd;
	size_t request;		/* which sample */
	struct client *next;	/* idle ones */
	size_t size;
	bool used, sent;
	char head[HEAD];
};
static struct client client[CONNS], *idle;
static unsigned busy, clients;		/* clients: all in use are below */
static const char question[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

static void over(struct client *c, bool failed, bool keep)
{
	struct sample *s = &sample[c->request];

	s->ms = (double)(now() - s->due_ns) / 1e6;
	s->failed = failed;
	busy--;
	if (keep) {
		c->next = idle;
		idle = c;
	} else {
		close(c->fd);
		c->used = false;
	}
}

static void begin(size_t request, unsigned port)
{
	struct client *c = idle;
	struct sockaddr_in sin = loopback(port);
	int one = 1;

	if (c)
		idle = c->next;
	else {
		for (c = client; c < client + CONNS && c->used;)
			c++;
		if (c == client + CONNS)
			return;		/* too many at once: this one has failed */
		if (c >= client + clients)
			clients = (unsigned)(c - client) + 1;
		c->used = true;
		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sin, sizeof sin) < 0 || fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
			die("connect");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		watch(c->fd, c, EPOLLIN);
	}
	c->request = request;
	c->size = 0;
	c->sent = true;
	busy++;
	if (send(c->fd, question, sizeof question - 1, MSG_NOSIGNAL) < 0)
		over(c, true, false);
}

static void answer(struct client *c)
{
	ssize_t n = read(c->fd, c->head + c->size, HEAD - 1 - c->size);
	char *end, *length;
	size_t whole;

	if (n < 0 && errno == EAGAIN)
		return;
	if (!c->sent) {		/* an idle one that the balancer closes */
		for (struct client **p = &idle; *p; p = &(*p)->next) {
			if (*p == c) {
				*p = c->next;
				break;
			}
		}
		close(c->fd);
		c->used = false;
		return;
	}
	if (n <= 0) {
		over(c, true, false);
		return;
	}
	c->size += (size_t)n;
	c->head[c->size] = '\0';
	end = strstr(c->head, "\r\n\r\n");
	if (end == NULL)
		return;
	length = strcasestr(c->head, "\r\nContent-Length:");
	whole = (size_t)(end + 4 - c->head) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
	if (c->size < whole)
		return;
	c->sent = false;
	over(c, strncmp(c->head, "HTTP/1.1 200", 12) != 0, length != NULL && strcasestr(c->head, "connection: close") == NULL);
}

/* Who has waited for a second waits no more. */
static void leave(void)
{
	uint64_t t = now();

	for (unsigned i = 0; i < clients; i++)
		if (client[i].used && client[i].sent && t - sample[client[i].request].due_ns > SECOND)
			over(&client[i], true, false);
}

static int by_ms(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->ms < y->ms ? -1 : x->ms > y->ms;
}

static int load(unsigned port)
{
	uint64_t start = now(), due = start, end = start + (uint64_t)(seconds * 1e9);
	size_t good = 0, room = (size_t)(seconds * scenario->rate * 2) + 1000, n = 0, slow = 0, failed = 0;
	struct epoll_event e[64];

	sample = calloc(room, sizeof *sample);
	if (sample == NULL)
		die("calloc");
	while ((due < end && samples < room) || (busy && now() < end + DRAIN)) {
		int got;

		while (due < end && samples < room && due <= now()) {
			sample[samples] = (struct sample){ .due_ns = due, .ms = 1e6, .failed = true };
			begin(samples++, port);
			due += (uint64_t)(exponential(1 / scenario->rate) * 1e9);
		}
		got = wait_events(e, 64, due < end ? due : now() + 10000000);
		for (int i = 0; i < got; i++)
			if (((struct client *)e[i].data.ptr)->used)
				answer(e[i].data.ptr);
		if (scenario->leave)
			leave();
	}
	for (size_t i = 0; i < samples; i++)
		if (sample[i].due_ns >= start + (uint64_t)(scenario->from_s * 1e9))
			sample[n++] = sample[i];
	qsort(sample, n, sizeof *sample, by_ms);
	for (size_t i = 0; i < n; i++) {
		slow += sample[i].ms > 1000;
		failed += sample[i].failed;
		good += !sample[i].failed && sample[i].ms <= 1000;
	}
	printf("requests=%zu p50=%.1f p99=%.1f p999=%.1f slow=%.4f failed=%.4f good=%.1f\n", n, sample[n / 2].ms, sample[n * 99 / 100].ms,
	    sample[n * 999 / 1000].ms, 100 * (double)slow / (double)n, 100 * (double)failed / (double)n,
	    (double)good / (seconds - scenario->from_s));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		goto usage;
	for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
		if (strcmp(argv[2], scenarios[i].name) == 0)
			scenario = &scenarios[i];
	if (scenario == NULL)
		goto usage;
	struct rlimit files = { 2 * CONNS, 2 * CONNS };
	setrlimit(RLIMIT_NOFILE, &files);	/* as root; others have what they have */
	signal(SIGPIPE, SIG_IGN);
	srand48((long)now() ^ getpid());
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		die("epoll_create1");
	seconds = argc > 3 ? atof(argv[argc - 1]) : 30;
	if (strcmp(argv[1], "serve") == 0)
		return serve();
	if (strcmp(argv[1], "load") == 0 && argc == 5)
		return load((unsigned)atoi(argv[3]));
usage:
	fprintf(stderr, "usage: balance serve SCENARIO SECONDS | load SCENARIO PORT SECONDS; SCENARIO: stall, skew, holes, cold,\n"
	    "overload-1, -1.5, -2, -4\n");
	return 2;
}
