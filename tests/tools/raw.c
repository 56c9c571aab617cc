/*
 * raw TARGET ITEM...: sends exact bytes, prints the exact bytes that come back.
 *
 *	TARGET		PORT, ADDRESS:PORT or unix:PATH
 *	TEXT		sent as it is, \r \n \t \\ \xHH undone (an ITEM that starts with "-" is an order)
 *	-f FILE		the file's bytes		-p MS	pause (what comes is read meanwhile)
 *	-w TEXT		wait until TEXT has come (after what an earlier -w found)
 *	-e FILE		wait until FILE is there, at most as long as -t says (what comes is read meanwhile)
 *	-1		from here on every byte is sent by itself, 1 ms apart
 *	-s		half-close: no more will be sent
 *	-k		end here, closing; -r: the same with a reset
 *	-t MS		how long -w, and the wait for the end, may take (5000)
 *	-l BYTES	read at most so many bytes per 10 ms
 *	-q		print "CRC SIZE" of what came, as cksum(1) does, instead of the bytes
 *	-c N		connects N times more first and keeps these connections open, idle
 *
 * After the last item it reads until the other side closes. Exit status: 0 closed by the other side (or -k),
 * 1 no connection, 2 usage, 3 still open after the time was up, 4 reset, 5 -w was not met.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/tools/pattern.h"

static int fd = -1;
static char *got;		/* what came; with -q only the first million bytes, for -w */
static size_t got_size, got_room, found;
static struct cksum sum;
static bool quiet, eof, single;
static int reset;
static unsigned timeout_ms = 5000, limit;

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

_Noreturn static void leave(int status)
{
	if (quiet) {
		printf("%u %llu\n", cksum_end(&sum), (unsigned long long)sum.size);
	} else if (got_size > 0) {
		fwrite(got, 1, got_size, stdout);
	}
	fflush(stdout);
	if (reset && fd >= 0) {
		struct linger l = { .l_onoff = 1 };
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	}
	exit(status);
}

static void take(void)
{
	char buf[65536];
	size_t room = limit > 0 && limit < sizeof(buf) ? limit : sizeof(buf);
	ssize_t n = recv(fd, buf, room, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		leave(4);
	if (n == 0) {
		eof = true;
		return;
	}
	cksum_add(&sum, buf, (size_t)n);
	if (limit > 0)
		poll(NULL, 0, 10);
	if (quiet && got_size > 1000000)
		return;		/* enough for -w */
	if (got_size + (size_t)n > got_room) {
		got_room = (got_size + (size_t)n) * 2;
		got = realloc(got, got_room);
		if (got == NULL)
			abort();
	}
	memcpy(got + got_size, buf, (size_t)n);
	got_size += (size_t)n;
}

/* Reads what comes until `until_ms`, until the other side closes, or until `text` is there. */
static bool listen_until(uint64_t until_ms, const char *text, size_t n)
{
	for (;;) {
		if (text != NULL) {
			char *at = got_size > found ? memmem(got + found, got_size - found, text, n) : NULL;
			if (at != NULL) {
				found = (size_t)(at - got) + n;
				return true;
			}
		}
		uint64_t now = clock_ms();
		if (eof && text == NULL)
			return true;
		if (eof || now >= until_ms)
			return false;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, (int)(until_ms - now)) > 0)
			take();
	}
}

static void send_all(const char *p, size_t n)
{
	while (n > 0) {
		struct pollfd pf = { .fd = fd, .events = (short)(POLLOUT | (eof ? 0 : POLLIN)) };
		if (poll(&pf, 1, (int)timeout_ms) == 0)
			leave(3);
		if (pf.revents & (POLLIN | POLLHUP))
			take();
		if (!(pf.revents & (POLLOUT | POLLERR | POLLHUP)))
			continue;
		ssize_t sent = send(fd, p, single ? 1 : n, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EAGAIN)
				continue;
			/* An answer may have come before the connection was closed on us. */
			listen_until(clock_ms() + timeout_ms, NULL, 0);
			leave(4);
		}
		p += sent;
		n -= (size_t)sent;
		if (single)
			poll(NULL, 0, 1);
	}
}

static size_t unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '\\' || p[1] == '\0') {
			*out++ = *p;
			continue;
		}
		p++;
		if (*p == 'x' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
			char hex[3] = { p[1], p[2], '\0' };
			*out++ = (char)strtoul(hex, NULL, 16);
			p += 2;
		} else {
			*out++ = *p == 'r' ? '\r' : *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}

static int dial(const char *text)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	char address[64] = "127.0.0.1";
	int s, one = 1;

	if (strncmp(text, "unix:", 5) == 0 && strlen(text + 5) < sizeof(un.sun_path)) {
		strcpy(un.sun_path, text + 5);
		s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		return s >= 0 && connect(s, (struct sockaddr *)&un, sizeof(un)) == 0 ? s : -1;
	}
	if (colon != NULL && (size_t)(colon - text) < sizeof(address))
		snprintf(address, sizeof(address), "%.*s", (int)(colon - text), text);
	in4.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : text));
	if (inet_pton(AF_INET, address, &in4.sin_addr) != 1)
		return -1;
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s >= 0)
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return s >= 0 && connect(s, (struct sockaddr *)&in4, sizeof(in4)) == 0 ? s : -1;
}

_Noreturn static void usage(void)
{
	fputs("usage: raw TARGET [TEXT | -f FILE | -p MS | -w TEXT | -e FILE | -1 | -s | -k | -r | -t MS | -l BYTES | -q | -c N]...\n",
	    stderr);
	exit(2);
}

static void send_file(const char *name)
{
	char buf[65536];
	size_t n;
	FILE *f = fopen(name, "re");

	if (f == NULL) {
		perror(name);
		exit(2);
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		send_all(buf, n);
	fclose(f);
}

static void wait_for_file(const char *name)
{
	uint64_t until = clock_ms() + timeout_ms;

	while (access(name, F_OK) != 0) {
		uint64_t now = clock_ms();
		if (now >= until)
			leave(5);
		listen_until(now + 20, NULL, 0);
		if (eof)
			poll(NULL, 0, 20);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		usage();
	fd = dial(argv[1]);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return 1;
	for (int i = 2; i < argc; i++) {
		char *item = argv[i];
		if (item[0] != '-') {
			size_t n = unescape(item);	/* before anything is sent: may hold NULs */
			send_all(item, n);
			continue;
		}
		if (strchr("fpwtlce", item[1]) != NULL && i + 1 >= argc)
			usage();
		switch (item[1]) {
		case 'f': send_file(argv[++i]); break;
		case 'p': listen_until(clock_ms() + strtoul(argv[++i], NULL, 10), NULL, 0); break;
		case 'w': {
			size_t n = unescape(argv[++i]);
			if (!listen_until(clock_ms() + timeout_ms, argv[i], n))
				leave(5);
			break;
		}
		case 'e':
			wait_for_file(argv[++i]);
			break;
		case '1': single = true; break;
		case 's': shutdown(fd, SHUT_WR); break;
		case 'r': reset = 1; leave(0);
		case 'k': leave(0);
		case 't': timeout_ms = (unsigned)strtoul(argv[++i], NULL, 10); break;
		case 'l': limit = (unsigned)strtoul(argv[++i], NULL, 10); break;
		case 'q': quiet = true; break;
		case 'c':
			for (unsigned long n = strtoul(argv[++i], NULL, 10); n > 0; n--)
				if (dial(argv[1]) < 0)
					return 1;
			break;
		default: usage();
		}
	}
	if (!listen_until(clock_ms() + timeout_ms, NULL, 0))
		leave(3);
	leave(0);
}
