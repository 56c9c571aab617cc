/*
 * The floor: what moving bytes between clients and servers costs when nothing is parsed, chosen,
 * counted or timed. What a balancer needs beyond this is the price of what it does.
 *
 *	relay [-s] [-1 REQUEST] WORKERS PORT SERVER_PORT...
 *
 * -s: with splice(2). -1: a connection ends after the first piece of its answer, and the server is
 * sent REQUEST whatever the client said; so connections to servers are kept though clients' are not.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE (64 * 1024)
#define SERVERS 16

/* One end of a pair. A listener has no other end. */
struct end {
	int fd, server, pipe[2];
	size_t held;		/* bytes from here that the other end has not taken */
	struct end *other, *next;
	char *data;		/* those bytes, but for -s; lent while there are some */
};

static int ep;
static bool by_splice;
static const char *request;
static in_port_t port[SERVERS];
static int nports;
static struct end *kept[SERVERS];
static char piece[PIECE];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(struct end *e)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = e };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, e->fd, &ev) < 0)
		die("epoll_ctl");
}

static struct end *new_end(int fd, int server)
{
	struct end *e = calloc(1, sizeof *e);
	int on = 1;

	if (e == NULL || fd < 0 || (by_splice && pipe2(e->pipe, O_NONBLOCK) < 0))
		die("new connection");
	if (by_splice)
		fcntl(e->pipe[1], F_SETPIPE_SZ, 256 * 1024);	/* as much as there is will do */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);	/* a hint */
	e->fd = fd;
	e->server = server;
	return e;
}

static struct end *server_end(void)
{
	static int turn;
	int server = turn++ % nports;
	struct end *e = kept[server];

	if (e) {
		kept[server] = e->next;
		return e;
	}
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = port[server], .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	e = new_end(socket(AF_INET, SOCK_STREAM, 0), server);
	if (connect(e->fd, (struct sockaddr *)&sin, sizeof sin) < 0)	/* on loopback this does not wait */
		die("connect");
	fcntl(e->fd, F_SETFL, O_NONBLOCK);
	watch(e);
	return e;
}

static void end_end(struct end *e)
{
	close(e->fd);
	if (by_splice) {
		close(e->pipe[0]);
		close(e->pipe[1]);
	}
	free(e->data);
	e->fd = -1;	/* freed at the end of the turn: an event for it may still come */
}

static struct end *dead;

static void end_pair(struct end *client, bool keep)
{
	struct end *server = client->other;

	if (client->fd < 0 || client->other == NULL)
		return;
	if (client->server >= 0) {
		server = client;
		client = server->other;
	}
	end_end(client);
	client->next = dead;
	dead = client;
	server->other = NULL;
	if (keep && server->held == 0) {
		server->next = kept[server->server];
		kept[server->server] = server;
		return;
	}
	end_end(server);
	server->next = dead;
	dead = server;
}

/* 1: go on, 0: wait, -1: over */
static int drain(struct end *e)
{
	while (e->held > 0) {
		ssize_t n = by_splice ? splice(e->pipe[0], NULL, e->other->fd, NULL, e->held, SPLICE_F_NONBLOCK) :
		    send(e->other->fd, e->data, e->held, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		e->held -= (size_t)n;
		if (!by_splice)
			memmove(e->data, e->data + n, e->held);
	}
	free(e->data);
	e->data = NULL;
	return 1;
}

/* What has come at e goes to the other end. False: the pair is over. */
static bool move(struct end *e)
{
	for (;;) {
		int r = drain(e);
		if (r <= 0)
			return r == 0;
		ssize_t n = by_splice ? splice(e->fd, NULL, e->pipe[1], NULL, 256 * 1024, SPLICE_F_NONBLOCK) :
		    recv(e->fd, piece, PIECE, 0);
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		if (by_splice) {
			e->held = (size_t)n;
			continue;
		}
		const char *out = request && e->server < 0 ? request : piece;
		size_t size = out == request ? strlen(request) : (size_t)n;
		ssize_t sent = send(e->other->fd, out, size, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			return false;
		if (sent < (ssize_t)size) {
			e->held = size - (size_t)(sent < 0 ? 0 : sent);
			if ((e->data = malloc(e->held)) == NULL)
				die("malloc");
			memcpy(e->data, out + (size - e->held), e->held);
		}
		if (request && e->server >= 0) {
			end_pair(e, true);
			return true;
		}
		if (n < PIECE && e->held == 0)
			return true;	/* a short read: the rest makes an edge */
	}
}

static void welcome(const struct end *listener)
{
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct end *client = new_end(fd, -1), *server = server_end();
		client->other = server;
		server->other = client;
		if (request && !move(client)) {	/* it has often spoken already */
			end_pair(client, true);
			continue;
		}
		if (client->fd >= 0)
			watch(client);
	}
}

static void serve(in_port_t at)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = at, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct end listener = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	int on = 1;

	ep = epoll_create1(0);
	if (ep < 0 || setsockopt(listener.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
	    bind(listener.fd, (struct sockaddr *)&sin, sizeof sin) < 0 || listen(listener.fd, 4096) < 0)
		die("listen");
	watch(&listener);
	for (;;) {
		struct epoll_event ev[256];
		int n = epoll_wait(ep, ev, 256, -1);
		for (int i = 0; i < n; i++) {
			struct end *e = ev[i].data.ptr;
			if (e == &listener)
				welcome(e);
			else if (e->fd >= 0 && e->other) {
				struct end *o = e->other;
				/* Reading o stopped where e took no more, not where o had no more. */
				if ((ev[i].events & EPOLLOUT) && o->held > 0 && !move(o))
					end_pair(o, false);
				if (e->fd >= 0 && (ev[i].events & ~(uint32_t)EPOLLOUT) && !move(e))
					end_pair(e, request && e->server < 0);
			} else if (e->fd >= 0 && (ev[i].events & (EPOLLRDHUP | EPOLLHUP))) {
				struct end **p = &kept[e->server];
				while (*p && *p != e)
					p = &(*p)->next;
				if (*p)
					*p = e->next;
				end_end(e);
				e->next = dead;
				dead = e;
			}
		}
		for (struct end *e; (e = dead) != NULL; free(e))
			dead = e->next;
	}
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "s1:")) > 0) {
		if (opt == 's')
			by_splice = true;
		else if (opt == '1')
			request = optarg;
		else
			return 2;
	}
	if (argc - optind < 3 || argc - optind - 2 > SERVERS)
		return 2;
	for (int i = optind + 2; i < argc; i++)
		port[nports++] = htons((in_port_t)atoi(argv[i]));
	signal(SIGPIPE, SIG_IGN);
	for (int i = atoi(argv[optind]); i > 0; i--) {
		pid_t pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			serve(htons((in_port_t)atoi(argv[optind + 1])));
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
