/*
 * tunnel TARGET [-c N] [-d MS] [-u PATH] [-w BYTES] [-e]: N long-lived tunnels to a server that echoes.
 *
 * Each sends a stream whose every byte is known from its place, in bursts of odd sizes with pauses
 * between, and checks that the same stream comes back. After the time (-d, 2000 ms) it sends FIN and
 * wants all bytes, and then the other side's end. -u PATH: http, upgraded first; else bare tcp.
 * -w: at most so many bytes under way per tunnel (200000). -e: FIN only when all bytes have come back, for who knows
 * nothing of half-closed connections.
 *
 * Prints {"tunnels":N,"ok":N,"cut":N,"wrong":N,"bytes":N}. Exit status: 0 when all are ok.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000	/* from the end of the time to the last byte */

enum end { UNDER_WAY, OK, CUT, WRONG };

struct tunnel {
	int fd;
	enum end end;
	bool upgraded, shut;
	char head[512];		/* of the answer to the upgrade */
	size_t head_size;
	unsigned long sent, got;
	long next_ms;		/* the next burst */
};

static unsigned char byte_at(size_t tunnel, unsigned long at)
{
	return (unsigned char)((at * 31 + (at >> 8) * 7 + (at >> 16) + tunnel * 13) & 0xff);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int reach(const char *target)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	char host[64];
	const char *colon = strrchr(target, ':');
	int fd;

	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - target) : 9, colon ? target : "127.0.0.1");
	in.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : target));
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (connect(fd, (struct sockaddr *)&in, sizeof in) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void finish(struct tunnel *t, size_t i, enum end end)
{
	if (end != OK)
		fprintf(stderr, "tunnel %zu: %s after %lu of %lu bytes%s\n", i, end == CUT ? "cut" : "wrong", t->got, t->sent,
		    t->upgraded ? "" : " (not upgraded)");
	t->end = end;
	close(t->fd);
}

static void burst(struct tunnel *t, size_t i, unsigned long window, long now)
{
	static unsigned char out[60000];
	unsigned long room = window - (t->sent - t->got), want = 1 + (unsigned long)rand() % (rand() % 4 ? 300 : sizeof out);
	ssize_t n;

	t->next_ms = now + rand() % 20;
	if (want > room)
		want = room;
	for (unsigned long k = 0; k < want; k++)
		out[k] = byte_at(i, t->sent + k);
	n = want ? send(t->fd, out, want, MSG_NOSIGNAL) : 0;
	if (n > 0)
		t->sent += (unsigned long)n;
	else if (n < 0 && errno != EAGAIN)
		finish(t, i, CUT);
}

/* False: that is not the answer we want. */
static bool take_head(struct tunnel *t, const unsigned char **at, ssize_t *n)
{
	while (*n > 0 && !t->upgraded) {
		if (t->head_size == sizeof t->head - 1)
			return false;
		t->head[t->head_size++] = (char)*(*at)++;
		(*n)--;
		t->upgraded = t->head_size >= 4 && memcmp(t->head + t->head_size - 4, "\r\n\r\n", 4) == 0;
	}
	return !t->upgraded || strncmp(t->head, "HTTP/1.1 101", 12) == 0 || t->head_size == 0;
}

static void take(struct tunnel *t, size_t i)
{
	static unsigned char in[65536];
	const unsigned char *at = in;
	ssize_t n = recv(t->fd, in, sizeof in, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(t, i, n == 0 && t->shut && t->got == t->sent ? OK : CUT);
		return;
	}
	if (!take_head(t, &at, &n)) {
		finish(t, i, WRONG);
		return;
	}
	for (; n > 0; n--)
		if (t->got == t->sent || *at++ != byte_at(i, t->got++)) {
			finish(t, i, WRONG);
			return;
		}
}

int main(int argc, char **argv)
{
	size_t n = 1;
	long last = 2000, now;
	unsigned long window = 200000, bytes = 0, count[4] = { 0 };
	static struct tunnel *t;	/* static: still in hand at every way out */
	static struct pollfd *p;
	const char *path = NULL;
	bool even = false;
	int opt;

	while ((opt = getopt(argc, argv, "c:d:u:w:e")) != -1)
		switch (opt) {
		case 'c': n = strtoul(optarg, NULL, 10); break;
		case 'd': last = atol(optarg); break;
		case 'u': path = optarg; break;
		case 'e': even = true; break;
		case 'w': window = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	if (optind != argc - 1 || n == 0)
		return 2;
	t = calloc(n, sizeof *t);
	p = calloc(n, sizeof *p);
	if (t == NULL || p == NULL)
		return 2;
	srand(7);
	for (size_t i = 0; i < n; i++) {
		char ask[256];
		int size = path ? snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", path) : 0;
		t[i].fd = reach(argv[optind]);
		t[i].upgraded = path == NULL;
		if (t[i].fd < 0 || send(t[i].fd, ask, (size_t)size, MSG_NOSIGNAL) != size) {
			perror(argv[optind]);
			return 1;
		}
	}
	now = now_ms();
	last += now;
	for (size_t left = n; left > 0 && now < last + PATIENCE_MS;) {
		for (size_t i = 0; i < n; i++) {
			bool due = t[i].upgraded && !t[i].shut && (now >= t[i].next_ms || now >= last);
			p[i] = (struct pollfd){ .fd = t[i].end ? -1 : t[i].fd, .events = (short)(POLLIN | (due ? POLLOUT : 0)) };
		}
		if (poll(p, n, 5) < 0)
			break;
		now = now_ms();
		left = 0;
		for (size_t i = 0; i < n; i++) {
			if (!t[i].end && p[i].revents & (POLLIN | POLLHUP | POLLERR))
				take(&t[i], i);
			if (!t[i].end && p[i].revents & POLLOUT) {
				if (now < last)
					burst(&t[i], i, window, now);
				else if (!t[i].shut && (!even || t[i].got == t[i].sent)) {
					shutdown(t[i].fd, SHUT_WR);
					t[i].shut = true;
				}
			}
			left += !t[i].end;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (!t[i].end)
			finish(&t[i], i, CUT);
		count[t[i].end]++;
		bytes += t[i].got;
	}
	printf("{\"tunnels\":%zu,\"ok\":%lu,\"cut\":%lu,\"wrong\":%lu,\"bytes\":%lu}\n", n, count[OK], count[CUT], count[WRONG], bytes);
	return count[OK] == n ? 0 : 1;
}
