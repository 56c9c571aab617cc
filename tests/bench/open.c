/*
 * Load by the clock: requests begin when the schedule says, whether or not earlier ones have been
 * answered, and each one's latency counts from that instant. A server that stalls for a second is
 * charged for all that should have been asked in that second; a generator that waits for an answer
 * before it asks again leaves those out (coordinated omission).
 *
 *	open [-c CONNECTIONS] [-r PER_SECOND] [-p] [-d SECONDS] [-1] HOST PORT PATH
 *	open -i -c CONNECTIONS HOST PORT PATH
 *
 * -p: intervals at random with that mean (Poisson) instead of all alike. -1: a new connection for
 * each request. Without -r: closed loop, each connection asks again as soon as it was answered.
 * -i: opens connections, asks once on each, says "ready N", and holds them until its input ends.
 *
 * Prints "ops=N errors=N late=N secs=F p50=US p99=US p999=US max=US mean=US". late: what was due before
 * the end and not answered by then; it counts in the quantiles with the time it had waited.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 4096
#define OPENING_MAX 64		/* with -i: requests under way at once; more would measure the burst */
#define HISTOGRAM_STEPS 64	/* per power of two: values are kept to 1.6 % */
#define HISTOGRAM_SIZE (32 * HISTOGRAM_STEPS)	/* up to 2^64 ns */
#define SECOND_NS UINT64_C(1000000000)

enum state { CLOSED, ASKING, HEAD, BODY, KEPT };

struct conn {
	int fd;
	enum state state;
	uint64_t due_ns;	/* when the request under way was to begin */
	uint64_t left;		/* of the body */
	unsigned head_size;
	bool close;		/* the server will */
	struct conn *next;	/* in the list of free ones */
	char *head;
};

static struct {
	unsigned conns, seconds;
	double rate;
	bool poisson, one_shot, idle;
	struct sockaddr_in to;
} opt = { .conns = 64, .seconds = 2 };

static int ep;
static struct conn *conn, *spare;
static char request[1024], body[256 * 1024];
static size_t request_size;
static uint64_t histogram[HISTOGRAM_SIZE], ops, errors, late, max_ns, sum_ns, answered, begun_ns, end_ns, drain_ns;
static unsigned busy;

/* Requests that are due and have no connection: a ring of their instants, which grow along it. */
static uint64_t *waiting;
static size_t waiting_room, waiting_at, waiting_n;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/* ---- quantiles ---- */

static void record(uint64_t ns)
{
	unsigned log2 = ns < HISTOGRAM_STEPS ? 0 : 63 - (unsigned)__builtin_clzll(ns) - 5;	/* 5: of 64 steps */
	size_t at = log2 ? (size_t)log2 * (HISTOGRAM_STEPS / 2) + (ns >> log2) : ns;

	histogram[at < HISTOGRAM_SIZE ? at : HISTOGRAM_SIZE - 1]++;
	sum_ns += ns;
	if (ns > max_ns)
		max_ns = ns;
	answered++;
}

static double quantile_us(double q)
{
	uint64_t want = (uint64_t)ceil(q * (double)answered), seen = 0;

	for (size_t at = 0; at < HISTOGRAM_SIZE; at++) {
		seen += histogram[at];
		if (seen >= want && seen > 0) {
			size_t log2 = at < HISTOGRAM_STEPS ? 0 : at / (HISTOGRAM_STEPS / 2) - 1;
			size_t step = at - log2 * (HISTOGRAM_STEPS / 2);
			return (double)(step << log2) / 1e3;
		}
	}
	return 0;
}

/* ---- one connection ---- */

static void hang_up(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = CLOSED;
}

static void put_spare(struct conn *c)
{
	c->next = spare;
	spare = c;
}

static bool connect_to(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);	/* a hint */
	if (connect(c->fd, (struct sockaddr *)&opt.to, sizeof opt.to) < 0 && errno != EINPROGRESS)
		goto fail;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		goto fail;
	return true;
fail:
	hang_up(c);
	return false;
}

static void failed(struct conn *c)
{
	errors++;
	busy--;
	hang_up(c);
	put_spare(c);
}

static void ask(struct conn *c)
{
	ssize_t n = send(c->fd, request, request_size, MSG_NOSIGNAL);

	/* A request fits the buffer of a socket that has nothing else in it; while it connects it waits. */
	if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
		failed(c);
	else if (n == (ssize_t)request_size)
		c->state = HEAD;
}

static void begin(struct conn *c, uint64_t due_ns)
{
	busy++;
	c->due_ns = due_ns;
	c->head_size = 0;
	if (c->fd < 0 && !connect_to(c)) {
		failed(c);
		return;
	}
	c->state = ASKING;
	ask(c);
}

static uint64_t shift(void)
{
	uint64_t due = waiting[waiting_at];

	waiting_at = (waiting_at + 1) % waiting_room;
	waiting_n--;
	return due;
}

static void done(struct conn *c)
{
	uint64_t t = now();

	busy--;
	if (!opt.idle) {
		record(t - c->due_ns);
		ops++;
	}
	c->state = KEPT;
	if (opt.one_shot || c->close)
		hang_up(c);
	if (opt.idle)
		return;
	if (opt.rate == 0 && t < end_ns)
		begin(c, t);
	else if (waiting_n > 0)
		begin(c, shift());
	else
		put_spare(c);
}

/* What the head says of the body. False: it is no answer we count. */
static bool read_head(struct conn *c, unsigned size)
{
	bool length = false;

	c->head[size - 1] = '\0';
	c->close = false;
	if (size < 15 || strncmp(c->head, "HTTP/1.1 200", 12) != 0)
		return false;
	for (char *line = strstr(c->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, "content-length:", 15) == 0) {
			c->left = strtoull(line + 17, NULL, 10);
			length = true;
		} else if (strncasecmp(line + 2, "connection: close", 17) == 0)
			c->close = true;
	}
	return length;
}

static void readable(struct conn *c)
{
	while (c->state == HEAD || c->state == BODY) {
		bool head = c->state == HEAD;
		ssize_t n = head ? recv(c->fd, c->head + c->head_size, HEAD_MAX - c->head_size, 0) :
		    recv(c->fd, body, sizeof body < c->left ? sizeof body : (size_t)c->left, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			failed(c);
			return;
		}
		if (head) {
			c->head_size += (unsigned)n;
			char *end = memmem(c->head, c->head_size, "\r\n\r\n", 4);
			if (end == NULL && c->head_size < HEAD_MAX)
				continue;
			unsigned size = end ? (unsigned)(end + 4 - c->head) : 0;
			if (size == 0 || !read_head(c, size) || c->head_size - size > c->left) {
				failed(c);
				return;
			}
			c->left -= c->head_size - size;
			c->state = BODY;
		} else
			c->left -= (uint64_t)n;
		if (c->left == 0) {
			done(c);
			return;	/* what comes to a next request makes an edge of its own */
		}
	}
}

static void on_event(struct conn *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	if (c->state == ASKING && (events & (EPOLLOUT | EPOLLERR)))
		ask(c);
	if (c->state == HEAD || c->state == BODY)
		readable(c);
	else if (c->state == KEPT && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		hang_up(c);
}

/* ---- the schedule ---- */

static uint64_t interval_ns(void)
{
	static uint64_t x = 88172645463325252;
	double mean = 1e9 / opt.rate;

	if (!opt.poisson)
		return (uint64_t)mean;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint64_t)(-log(((double)(x >> 11) + 1) / 9007199254740993.0) * mean);
}

static void wait_in_line(uint64_t due_ns)
{
	if (waiting_n == waiting_room) {
		size_t room = waiting_room ? 2 * waiting_room : 4096;
		uint64_t *w = malloc(room * sizeof *w);
		if (w == NULL)
			die("malloc");
		for (size_t i = 0; i < waiting_n; i++)
			w[i] = waiting[(waiting_at + i) % waiting_room];
		free(waiting);
		waiting = w;
		waiting_room = room;
		waiting_at = 0;
	}
	waiting[(waiting_at + waiting_n++) % waiting_room] = due_ns;
}

static void turn(uint64_t until_ns)
{
	struct epoll_event ev[256];
	uint64_t t = now();
	struct timespec ts = { 0 };

	if (until_ns > t)
		ts = (struct timespec){ (time_t)((until_ns - t) / SECOND_NS), (long)((until_ns - t) % SECOND_NS) };
	int n = epoll_pwait2(ep, ev, 256, &ts, NULL);
	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	for (int i = 0; i < n; i++)
		on_event(ev[i].data.ptr, ev[i].events);
}

static void run_open(void)
{
	uint64_t next = begun_ns;

	for (uint64_t t = begun_ns; t < end_ns; t = now()) {
		for (struct conn *c; waiting_n > 0 && (c = spare) != NULL; ) {	/* after an error */
			spare = c->next;
			begin(c, shift());
		}
		for (; next <= t; next += interval_ns()) {
			struct conn *c = spare;
			if (c) {
				spare = c->next;
				begin(c, next);
			} else
				wait_in_line(next);
		}
		turn(next < end_ns ? next : end_ns);
	}
}

static void run_closed(void)
{
	for (unsigned i = 0; i < opt.conns; i++) {
		struct conn *c = spare;
		spare = c->next;
		begin(c, now());
	}
	while (now() < end_ns) {
		turn(end_ns);
		while (spare && now() < end_ns) {	/* after an error */
			struct conn *c = spare;
			spare = c->next;
			begin(c, now());
		}
	}
}

/* Each connection is used once, so that it counts as kept, not as new. */
static void run_idle(void)
{
	unsigned opened = 0;
	char c;

	while (opened < opt.conns || busy > 0) {
		while (opened < opt.conns && busy < OPENING_MAX) {
			begin(&conn[opened], now());
			opened++;
		}
		turn(now() + SECOND_NS / 100);
		if (now() > begun_ns + 30 * SECOND_NS) {
			fprintf(stderr, "open: %u connections do not answer\n", busy);
			exit(1);
		}
	}
	unsigned held = 0;
	for (unsigned i = 0; i < opt.conns; i++)
		held += conn[i].fd >= 0;
	printf("ready %u errors=%llu\n", held, (unsigned long long)errors);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	struct rlimit rl;
	int o;

	while ((o = getopt(argc, argv, "c:r:pd:1i")) > 0) {
		switch (o) {
		case 'c': opt.conns = (unsigned)atoi(optarg); break;
		case 'r': opt.rate = atof(optarg); break;
		case 'p': opt.poisson = true; break;
		case 'd': opt.seconds = (unsigned)atoi(optarg); break;
		case '1': opt.one_shot = true; break;
		case 'i': opt.idle = true; break;
		default: return 2;
		}
	}
	if (argc - optind != 3 || opt.conns == 0 || opt.seconds == 0 || opt.rate < 0 || opt.rate > 1e7)
		return 2;
	opt.to.sin_family = AF_INET;
	opt.to.sin_port = htons((in_port_t)atoi(argv[optind + 1]));
	if (inet_pton(AF_INET, argv[optind], &opt.to.sin_addr) != 1)
		return 2;
	request_size = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argv[optind + 2],
	    argv[optind]);
	if (request_size >= sizeof request)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_TIMERSLACK, 1UL);	/* wake when it is due, not 50 us later */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	ep = epoll_create1(EPOLL_CLOEXEC);
	conn = calloc(opt.conns, sizeof *conn);
	if (ep < 0 || conn == NULL)
		die("start");
	for (unsigned i = opt.conns; i-- > 0; ) {
		conn[i].fd = -1;
		conn[i].head = malloc(HEAD_MAX);
		if (conn[i].head == NULL)
			die("malloc");
		if (!opt.idle)
			put_spare(&conn[i]);
	}
	begun_ns = now();
	end_ns = begun_ns + opt.seconds * SECOND_NS;
	if (opt.idle) {
		run_idle();
		return 0;
	}
	if (opt.rate > 0)
		run_open();
	else
		run_closed();
	drain_ns = now();
	for (unsigned i = 0; opt.rate > 0 && i < opt.conns; i++)
		if (conn[i].fd >= 0 && (conn[i].state == HEAD || conn[i].state == BODY)) {
			record(drain_ns - conn[i].due_ns);
			late++;
		}
	for (size_t i = 0; i < waiting_n; i++, late++)
		record(drain_ns - waiting[(waiting_at + i) % waiting_room]);
	double secs = (double)(drain_ns - begun_ns) / 1e9;
	printf("ops=%llu errors=%llu late=%llu secs=%.3f p50=%.1f p99=%.1f p999=%.1f max=%.1f mean=%.1f\n",
	    (unsigned long long)ops, (unsigned long long)errors, (unsigned long long)late, secs, quantile_us(0.5),
	    quantile_us(0.99), quantile_us(0.999), (double)max_ns / 1e3,
	    answered ? (double)sum_ns / (double)answered / 1e3 : 0);
	return 0;
}
