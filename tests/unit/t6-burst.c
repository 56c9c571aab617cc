/* Writes that are put off to the end of the turn and made in one system call, with io_uring and without. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/burst.h"
#include "tests/unit/tap.h"
#include "worker/conn.h"
#include "worker/state.h"

#define OPS 40

static bool pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0;
}

/* Whether what can be read at once, and no more, is this. */
static bool reads(int fd, const char *want)
{
	char got[256];
	ssize_t n = recv(fd, got, sizeof got, 0);

	return n == (ssize_t)strlen(want) && memcmp(got, want, (size_t)n) == 0 && recv(fd, got, 1, 0) < 0 && errno == EAGAIN;
}

static bool has_ring(void)
{
	DIR *d = opendir("/proc/self/fd");
	bool found = false;

	for (struct dirent *e; d && (e = readdir(d));) {
		char target[64];
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
		target[n > 0 ? n : 0] = '\0';
		found |= strcmp(target, "anon_inode:[io_uring]") == 0;
	}
	if (d)
		closedir(d);
	return found;
}

static void burst(const char *how)
{
	static struct burst_op op[OPS];
	static char text[OPS][16], large[1 << 22];
	int fd[OPS][2], good = 0, arrived = 0;
	static char junk[65536];

	for (int i = 0; i < OPS; i++) {
		if (!pair(fd[i]))
			ok(false, "socketpair");
		snprintf(text[i], sizeof text[i], "number %d", i);
		op[i] = (struct burst_op){ .fd = fd[i][0], .data = text[i], .size = (unsigned)strlen(text[i]), .result = 77 };
	}
	/* Three that go wrong, in the middle of the others. */
	close(fd[7][1]);
	while (send(fd[11][0], junk, sizeof junk, 0) > 0)
		;
	op[13].data = large;
	op[13].size = sizeof large;
	burst_send(op, OPS);
	is_int(op[7].result, -EPIPE, "nobody reads: EPIPE, and no signal");
	is_int(op[11].result, -EAGAIN, "full: EAGAIN");
	ok(op[13].result > 0 && op[13].result < (int)sizeof large, "a part, where not all fits (%d)", op[13].result);
	for (int i = 0; i < OPS; i++) {
		if (i == 7 || i == 11 || i == 13)
			continue;
		good += op[i].result == (int)op[i].size;
		arrived += reads(fd[i][1], text[i]);
	}
	is_int(good, OPS - 3, how);
	is_int(arrived, OPS - 3, "and every byte is where it belongs");
	/* A hundred times more than the ring has places. */
	good = 0;
	for (int i = 0; i < 100; i++) {
		struct burst_op many[BURST_MAX];
		for (int k = 0; k < BURST_MAX; k++)
			many[k] = (struct burst_op){ .fd = fd[k & 3][0], .data = "x", .size = 1 };
		burst_send(many, BURST_MAX);
		for (int k = 0; k < BURST_MAX; k++)
			good += many[k].result == 1;
		for (int k = 0; k < 4; k++)
			while (recv(fd[k][1], junk, sizeof junk, 0) > 0)
				;
	}
	is_int(good, 100 * BURST_MAX, "as often as one likes");
	for (int i = 0; i < OPS; i++) {
		close(fd[i][0]);
		if (i != 7)
			close(fd[i][1]);
	}
}

/* ---- the connection's side ---- */

static int called;
static long told;
static bool takes, again;

static void on_event(struct loop_fd *h, uint32_t events)
{
	struct conn *c = (struct conn *)(void *)h;	/* h is its first member */

	called++;
	conn_events(c, events);
	if (takes)
		told = c->wr ? conn_write(c, "hello", 5, " and more", 9, false) : -77;
	if (again)
		conn_write(c, "hello", 5, NULL, 0, false);
}

static bool start(struct conn *c, int fd[2])
{
	if (!pair(fd))
		return ok(false, "socketpair");
	conn_start(c, fd[0], on_event);
	return true;
}

static void end(struct conn *c, int fd[2])
{
	conn_close(c);
	close(fd[1]);
}

static void put_off(void)
{
	struct conn a, b;
	int fa[2], fb[2], other[2];

	if (!start(&a, fa) || !start(&b, fb))
		return;
	is_int(conn_write(&a, "now", 3, NULL, 0, false), 3, "with nothing else to do a write is made at once");
	ok(reads(fa[1], "now"), "and is there");

	worker.loop.ahead = 2;
	is_int(conn_write(&a, "hel", 3, "lo", 2, false), CONN_AGAIN, "with events ahead it is put off");
	ok(a.sending && !a.wr, "which the connection says");
	is_int(conn_write(&b, "hello", 5, NULL, 0, false), CONN_AGAIN, "another one");
	ok(recv(fa[1], (char[1]){ 0 }, 1, 0) < 0, "nothing has gone yet");
	conn_events(&a, EPOLLOUT);
	ok(!a.wr, "news that it is writable does not lead to a second write");
	worker.loop.ahead = 0;
	takes = true;
	called = 0;
	conn_send_put_off();
	is_int(called, 2, "at the end of the turn both are told");
	is_int(told, 5, "what has become of their bytes, and not of more");
	ok(!a.sending && a.wr && b.wr, "and may write on");
	ok(reads(fa[1], "hello") && reads(fb[1], "hello"), "once");

	/* Closed before the end of the turn; its descriptor is somebody else's by then. */
	worker.loop.ahead = 2;
	conn_write(&a, "secret", 6, NULL, 0, false);
	conn_write(&b, "hello", 5, NULL, 0, false);
	conn_close(&a);
	ok(pair(other) && (other[0] == fa[0] || other[1] == fa[0]), "the number of a closed descriptor is given again");
	worker.loop.ahead = 0;
	called = 0;
	conn_send_put_off();
	is_int(called, 1, "who is gone is not told");
	ok(recv(other[0], (char[1]){ 0 }, 1, 0) < 0 && recv(other[1], (char[1]){ 0 }, 1, 0) < 0, "and nobody gets its bytes");
	ok(reads(fb[1], "hello"), "the other one's have gone");
	close(fa[1]);
	close(other[0]);
	close(other[1]);

	/* Large ones are not copied for it. */
	static char large[65536];
	worker.loop.ahead = 2;
	ok(conn_write(&b, large, sizeof large, NULL, 0, false) > 0, "a large one is written at once");
	while (recv(fb[1], large, sizeof large, 0) > 0)
		;

	/* Against the rules, and no byte may go twice for it. */
	b.wr = true;
	conn_write(&b, "hello", 5, NULL, 0, false);
	takes = false;
	conn_send_put_off();
	ok(b.broken, "who does not come back for what was written has no connection any more");
	is_int(recv(fb[1], large, sizeof large, 0), 5, "the bytes have gone");
	is_int(recv(fb[1], large, sizeof large, 0), 0, "and it has ended behind them");
	end(&b, fb);

	/* Each round brings about the next; the last writes at once, so that a turn ends. */
	if (!start(&a, fa) || !start(&b, fb))
		return;
	worker.loop.ahead = 2;
	takes = again = true;
	called = 0;
	conn_write(&a, "hello", 5, NULL, 0, false);
	conn_write(&b, "hello", 5, NULL, 0, false);
	conn_send_put_off();
	again = false;
	is_int(called, 2 * 4, "who writes on whenever told is told four times a turn");
	ok(!a.sending && !b.sending && worker.loop.ahead == 0, "and nothing stays put off");
	end(&a, fa);
	end(&b, fb);
}

int main(void)
{
	bool ring;

	signal(SIGPIPE, SIG_DFL);
	if (loop_init(&worker.loop, 1024) < 0)
		return 1;
	ok(!has_ring(), "no io_uring yet");
	burst("one by one: all are made");
	put_off();
	ring = burst_open() == 0;
	if (!ring)
		printf("# no io_uring here: %s\n", strerror(errno));
	ok(ring == has_ring(), "io_uring: %s", ring ? "here" : "not to be had on this machine, so the same again without");
	burst("together: all are made");
	put_off();
	return done_testing();
}
