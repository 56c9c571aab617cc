/* However much there is to move, and however fast it goes: one turn of one direction is bounded, by copy and by splice. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "worker/flow.h"
#include "worker/state.h"

#define TURN (512 * 1024)	/* what flow.c promises ... */
#define HELD (256 * 1024)	/* ... and what it may have in hand by then */

static bool at_once;

/* A TCP connection within this process; the kernel holds some megabytes for it. */
static bool pair(int fd[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof sin;
	int l = socket(AF_INET, SOCK_STREAM, 0), room = 8 << 20;

	/* So that what is there is there at once. Not everybody may; then one turn may see less than all. */
	at_once = setsockopt(l, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == 0;
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (l < 0 || fd[0] < 0 || bind(l, (struct sockaddr *)&sin, sizeof sin) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&sin, &size) < 0 || connect(fd[0], (struct sockaddr *)&sin, sizeof sin) < 0)
		return false;
	fd[1] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	close(l);
	return fd[1] >= 0;
}

/* All that the kernel takes. */
static size_t fill(int fd)
{
	static char piece[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = send(fd, piece, sizeof piece, MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	return all;
}

static void one(bool splice)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	struct conn from, to;
	struct flow f = { .splice = splice };
	uint64_t left = splice ? UINT64_C(1) << 40 : UINT64_MAX;
	const char *how = splice ? "splice" : "copy";

	bool made = pair(in) && pair(out);
	ok(made, "two connections");
	if (!made)
		return;
	size_t there = fill(in[0]);
	if (there < TURN + HELD) {	/* a kernel with small buffers (tcp_wmem): nothing can be seen */
		printf("ok %u # SKIP only %zu bytes are to be had\n", ++tap_run, there);
		return;
	}
	conn_start(&from, in[1], NULL);
	conn_start(&to, out[0], NULL);
	enum flow_result r = flow_pump(&f, &from, &to, NULL, &left);
	ok(r == FLOW_YIELD || (!at_once && r == FLOW_WAIT_READ), "%s: with %zu bytes there it gives way", how, there);
	ok(f.moved <= TURN + HELD, "%s: after %llu", how, (unsigned long long)f.moved);
	ok(f.moved >= TURN || r != FLOW_YIELD, "%s: and not before", how);
	flow_end(&f);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

int main(void)
{
	worker.loop.now_ns = loop_clock_ns();
	timer_wheel_init(&worker.loop.wheel, worker.loop.now_ns);
	one(false);
	one(true);
	return done_testing();
}
