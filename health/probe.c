/*
 * One probe. Runs in the health process; everything that it reads comes from a server and is
 * bounded by struct answer.
 */
#include "health/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/answer.h"
#include "http/proxy_header.h"
#include "os/sock.h"

#define KNOCK_AGAIN_NS (10 * CONF_MS)

#define OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static void release(struct probe *p)
{
	loop_close(p->loop, &p->fd);
	timer_cancel(&p->loop->wheel, &p->deadline);
	timer_cancel(&p->loop->wheel, &p->again);
	free(p->answer);
	p->answer = NULL;
	p->running = false;
}

static void end(struct probe *p, enum shm_outcome outcome)
{
	p->outcome = outcome;
	p->latency_ns = loop_clock_ns() - p->started_ns;
	if (p->answer) {
		p->status = p->answer->status;
		p->errors = p->answer->errors;
		p->entries = p->answer->entries;
	}
	release(p);
	p->done(p);
}

/* What a failed connect(2), or a failed connection before the question, says of the server. */
static enum shm_outcome connect_outcome(int err)
{
	switch (err) {
	case ECONNREFUSED:
	case ECONNRESET:
	case EPIPE:
		return SHM_OUT_REFUSED;
	case ETIMEDOUT:
		return SHM_OUT_CONNECT_TIMEOUT;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:		/* epoll watches */
	case EADDRNOTAVAIL:	/* no local port left */
		return SHM_OUT_LOCAL;
	default:		/* no route, network down, no such socket, not allowed */
		return SHM_OUT_UNREACHABLE;
	}
}

/*
 * A connect to a local port that nobody listens on can get that very port as its own and be
 * answered by itself. It holds the server's port, too: all the more reason to let go of it.
 */
static bool is_self(int fd)
{
	struct sockaddr_storage here, there;
	socklen_t nhere = sizeof here, nthere = sizeof there;

	memset(&here, 0, sizeof here);
	memset(&there, 0, sizeof there);
	if (getsockname(fd, (struct sockaddr *)&here, &nhere) < 0 ||
	    getpeername(fd, (struct sockaddr *)&there, &nthere) < 0)
		return false;
	if (here.ss_family != AF_INET && here.ss_family != AF_INET6)
		return false;
	return nhere == nthere && memcmp(&here, &there, nhere) == 0;
}

static void read_answer(struct probe *p)
{
	enum shm_outcome outcome;

	do {
		size_t room;
		char *at = answer_room(p->answer, &room);
		ssize_t n = recv(p->fd.fd, at, room, 0);

		if (n > 0)
			outcome = answer_feed(p->answer, (size_t)n);
		else if (n == 0)
			outcome = answer_eof(p->answer);
		else if (errno == EAGAIN || errno == EINTR)
			return;		/* level-triggered: there will be another event */
		else
			outcome = SHM_OUT_RESET;
	} while (outcome == SHM_OUT_NONE);
	end(p, outcome);
}

static void ask(struct probe *p)
{
	ssize_t n = send(p->fd.fd, p->question->text + p->sent, p->question->size - p->sent, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			end(p, SHM_OUT_SEND_FAILED);
		return;
	}
	p->sent += (size_t)n;
	if (p->sent == p->question->size && loop_mod(p->loop, &p->fd, EPOLLIN) < 0)
		end(p, SHM_OUT_LOCAL);
}

static void on_connected(struct probe *p)
{
	int err = sock_error(p->fd.fd);

	if (err) {
		end(p, connect_outcome(err));
		return;
	}
	if (is_self(p->fd.fd)) {
		end(p, SHM_OUT_REFUSED);
		return;
	}
	p->connected = true;
	if (p->question->kind == CONF_CHECK_TCP) {
		/* The connection is proof enough; the header, where there is one, only keeps a server's log clean. */
		if (p->question->size && send(p->fd.fd, p->question->text, p->question->size, MSG_NOSIGNAL) < 0) {
			end(p, SHM_OUT_SEND_FAILED);
			return;
		}
		end(p, SHM_OUT_OK);
		return;
	}
	p->answer = malloc(sizeof *p->answer);
	if (!p->answer) {
		end(p, SHM_OUT_LOCAL);
		return;
	}
	answer_start(p->answer, p->question->kind);
	ask(p);
}

static void on_event(struct loop_fd *h, uint32_t events)
{
	struct probe *p = OF(h, struct probe, fd);

	(void)events;	/* errors and hang-ups are found by asking the socket */
	if (!p->connected)
		on_connected(p);
	else if (p->sent < p->question->size)
		ask(p);
	else
		read_answer(p);
}

static void knock(struct probe *p)
{
	p->fd.fd = sock_connect((const struct sockaddr *)&p->addr, p->addr_size);
	if (p->fd.fd < 0) {
		if (errno == EAGAIN && p->addr.ss_family == AF_UNIX)
			timer_set(&p->loop->wheel, &p->again, loop_clock_ns() + KNOCK_AGAIN_NS);
		else
			end(p, connect_outcome(errno));
		return;
	}
	if (loop_add(p->loop, &p->fd, EPOLLOUT) < 0) {
		close(p->fd.fd);	/* the loop does not know it */
		p->fd.fd = -1;
		end(p, SHM_OUT_LOCAL);
	}
}

static void on_again(struct timer *t)
{
	knock(OF(t, struct probe, again));
}

static void on_deadline(struct timer *t)
{
	struct probe *p = OF(t, struct probe, deadline);

	end(p, p->connected ? SHM_OUT_ANSWER_TIMEOUT : SHM_OUT_CONNECT_TIMEOUT);
}

/* A server that wants a PROXY header gets one that says: this is the proxy itself. */
static void write_proxy_header(FILE *f, enum conf_proxy version)
{
	struct proxy_header local = { .local = true };
	char text[PROXY_HEADER_WRITE_MAX] = "";

	if (version != CONF_PROXY_OFF)
		fwrite(text, 1, proxy_header_write(text, version, &local), f);
}

/* What a probe's Host says; c->host is the name of a service where the ports are found by SRV. */
static void write_host(char *host, size_t room, const struct conf_server *c)
{
	const char *name = c->host ? c->host : "localhost";	/* a unix socket has no name that HTTP knows */
	size_t n;

	/* _http._tcp.app.example.org is asked for as app.example.org. */
	while (c->host && c->port == 0 && *name == '_' && strchr(name, '.'))
		name = strchr(name, '.') + 1;
	n = strlen(name);
	n -= n > 1 && name[n - 1] == '.';
	if (!c->host || c->port == 0)
		snprintf(host, room, "%.*s", (int)n, name);
	else
		snprintf(host, room, strchr(name, ':') ? "[%.*s]:%u" : "%.*s:%u", (int)n, name, c->port);
}

int probe_question(struct probe_question *q, const struct conf_pool *pool, const struct conf_server *c)
{
	const struct conf_check *check = &pool->check;
	bool http = check->kind == CONF_CHECK_SEED || check->kind == CONF_CHECK_HTTP;
	char host[300], *text = NULL;
	size_t size = 0;
	FILE *f;

	q->kind = check->kind;
	q->timeout_ns = check->timeout_ns;
	if (!http && pool->send_proxy == CONF_PROXY_OFF)
		return 0;
	write_host(host, sizeof host, c);
	f = open_memstream(&text, &size);
	if (!f)
		return -1;
	write_proxy_header(f, pool->send_proxy);
	if (http)
		fprintf(f, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: loadbalancer-health\r\nConnection: close\r\n\r\n",
		    check->path, host);
	if (fclose(f) != 0) {
		free(text);
		return -1;
	}
	q->text = text;
	q->size = size;
	return 0;
}

void probe_init(struct probe *p, struct loop *loop, probe_done *done)
{
	memset(p, 0, sizeof *p);
	p->loop = loop;
	p->fd.cb = on_event;
	p->fd.fd = -1;
	p->deadline.cb = on_deadline;
	p->again.cb = on_again;
	p->done = done;
}

void probe_start(struct probe *p, const struct probe_question *q, const struct sockaddr_storage *addr,
    socklen_t addr_size)
{
	p->question = q;
	p->addr = *addr;
	p->addr_size = addr_size;
	p->sent = 0;
	p->connected = false;
	p->running = true;
	p->outcome = SHM_OUT_NONE;
	p->status = 0;
	p->errors = p->entries = 0;
	p->started_ns = loop_clock_ns();
	timer_set(&p->loop->wheel, &p->deadline, p->started_ns + q->timeout_ns);
	knock(p);
}

void probe_cancel(struct probe *p)
{
	if (p->running)
		release(p);
}
