/*
 * Asking name servers. Runs in the children of the health process that look names up.
 *
 * Against forged answers: each turn has a socket of its own, connected to the server, so that the kernel chooses
 * its port by lot and passes on nothing from other addresses; ids are random; the question must come back.
 */
#include "health/query.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "os/loop.h"

#define TCP_MESSAGE_MAX 65535

static uint8_t message[TCP_MESSAGE_MAX];	/* one at a time: what a child reads, it reads at once */

static int wait_ms(uint64_t until_ns)
{
	uint64_t now = loop_clock_ns();

	if (now >= until_ns)
		return 0;
	now = (until_ns - now + 999999) / 1000000;
	return now > 60000 ? 60000 : (int)now;
}

/* Until the descriptor is ready. False: the time is up, or waiting failed. */
static bool ready(int fd, short events, uint64_t until_ns)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int ms = wait_ms(until_ns), n = poll(&p, 1, ms);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		if (n == 0 && wait_ms(until_ns) == 0)
			return false;
	}
}

static void keep(void *arg, const struct dns_record *r)
{
	struct query *q = arg;
	unsigned room = q->room ? 2 * q->room : 8;

	if (q->n == QUERY_RECORDS_MAX)
		return;
	if (q->n == q->room) {
		struct dns_record *bigger = realloc(q->record, room * sizeof *bigger);

		if (!bigger)
			return;
		q->record = bigger;
		q->room = room;
	}
	q->record[q->n++] = *r;
}

static bool is_open(const struct query *q)
{
	return q->result == QUERY_WAITING;
}

/* Takes what came. True: it settles the question, or this server's part in it. */
static enum dns_result take(struct query *q, const uint8_t *msg, size_t size)
{
	enum dns_result r;
	unsigned rcode;

	q->n = 0;
	r = dns_answer(msg, size, q->id, q->name, q->type, keep, q, &rcode);
	switch (r) {
	case DNS_OK:
		q->result = QUERY_OK;
		break;
	case DNS_NO_NAME:
		q->result = QUERY_NO_NAME;
		break;
	case DNS_NO_DATA:
		q->result = QUERY_NO_DATA;
		break;
	case DNS_FAILED:
		q->rcode = rcode;
		if ((rcode == 1 || rcode == 4) && !q->plain)	/* FORMERR, NOTIMP: it may be EDNS that it does not know */
			q->plain = true;
		else
			q->sent = false;
		break;
	case DNS_BAD:
		q->n = 0;
		q->sent = false;
		break;
	case DNS_TRUNCATED:
	case DNS_NOT_OURS:
		break;
	}
	return r;
}

static bool send_all(int fd, const uint8_t *p, size_t n, uint64_t until_ns)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if ((errno != EAGAIN && errno != EINTR) || !ready(fd, POLLOUT, until_ns))
			return false;
	}
	return true;
}

static bool read_all(int fd, uint8_t *p, size_t n, uint64_t until_ns)
{
	while (n) {
		ssize_t k = recv(fd, p, n, MSG_DONTWAIT);

		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (k == 0 || (errno != EAGAIN && errno != EINTR) || !ready(fd, POLLIN, until_ns))
			return false;
	}
	return true;
}

/* One question by TCP, on a connection of its own. */
static void ask_tcp(struct query *q, const struct query_server *server, uint64_t until_ns)
{
	uint8_t out[2 + DNS_QUESTION_MAX], size[2];
	int fd = socket(server->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;
	socklen_t len = sizeof err;
	size_t n = dns_question(out + 2, q->id, q->name, q->type, false);

	if (fd < 0)
		return;
	out[0] = (uint8_t)(n >> 8);
	out[1] = (uint8_t)n;
	if (connect(fd, (const struct sockaddr *)&server->addr, server->addr_size) < 0 &&
	    (errno != EINPROGRESS || !ready(fd, POLLOUT, until_ns) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err))
		goto out;
	if (!send_all(fd, out, n + 2, until_ns) || !read_all(fd, size, 2, until_ns))
		goto out;
	n = (size_t)size[0] << 8 | size[1];
	if (!read_all(fd, message, n, until_ns))
		goto out;
	take(q, message, n);
	if (is_open(q))
		q->sent = false;
	close(fd);
	return;
out:
	q->sent = false;
	close(fd);
}

static bool put(int fd, struct query *q)
{
	uint8_t out[DNS_QUESTION_MAX];
	size_t n = dns_question(out, q->id, q->name, q->type, !q->plain);

	return send(fd, out, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

/* One server's turn. */
static void ask_udp(struct query *q, unsigned n, const struct query_server *server, uint64_t until_ns)
{
	int fd = socket(server->addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unsigned waiting = 0;

	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&server->addr, server->addr_size) < 0)
		goto out;
	for (unsigned i = 0; i < n; i++) {
		q[i].sent = is_open(&q[i]) && put(fd, &q[i]);
		waiting += q[i].sent;
	}
	while (waiting && ready(fd, POLLIN, until_ns)) {
		ssize_t size = recv(fd, message, sizeof message, MSG_DONTWAIT);

		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (size < 0)	/* nobody listens there */
			break;
		for (unsigned i = 0; i < n; i++) {
			enum dns_result r;
			bool plain = q[i].plain;

			if (!q[i].sent || !is_open(&q[i]))
				continue;
			r = take(&q[i], message, (size_t)size);
			if (r == DNS_NOT_OURS)
				continue;
			if (r == DNS_TRUNCATED)
				ask_tcp(&q[i], server, until_ns);
			else if (q[i].plain != plain)	/* once more, in the old way */
				q[i].sent = put(fd, &q[i]);
			break;
		}
		waiting = 0;
		for (unsigned i = 0; i < n; i++)
			waiting += q[i].sent && is_open(&q[i]);
	}
out:
	close(fd);
}

/* Ids that are unlike each other. False: no randomness. */
static bool draw_ids(struct query *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;

		if (getrandom(&q[i].id, sizeof q[i].id, 0) != sizeof q[i].id)
			return false;
		while (k < i && q[k].id != q[i].id)
			k++;
		if (k < i)
			i--;
	}
	return true;
}

static unsigned count_open(const struct query *q, unsigned n)
{
	unsigned open = 0;

	for (unsigned i = 0; i < n; i++)
		open += is_open(&q[i]);
	return open;
}

void query_run(struct query *q, unsigned n, const struct query_way *way, uint64_t until_ns)
{
	uint8_t out[DNS_QUESTION_MAX];

	for (unsigned i = 0; i < n; i++)
		q[i].result = dns_question(out, 0, q[i].name, q[i].type, true) ? QUERY_WAITING : QUERY_LOCAL;
	for (unsigned turn = 0; turn < way->nservers * way->attempts && count_open(q, n); turn++) {
		const struct query_server *server = &way->server[turn % way->nservers];
		uint64_t now = loop_clock_ns(), end = now + way->timeout_ns < until_ns ? now + way->timeout_ns : until_ns;

		if (now >= until_ns)
			break;
		if (!draw_ids(q, n)) {	/* guessable ones are worse than none */
			for (unsigned i = 0; i < n; i++)
				if (is_open(&q[i]))
					q[i].result = QUERY_LOCAL;
			return;
		}
		if (!way->tcp) {
			ask_udp(q, n, server, end);
			continue;
		}
		for (unsigned i = 0; i < n; i++)
			if (is_open(&q[i]))
				ask_tcp(&q[i], server, end);
	}
	for (unsigned i = 0; i < n; i++)
		if (is_open(&q[i]) && q[i].rcode)
			q[i].result = QUERY_FAILED;
}

void query_free(struct query *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(q[i].record);
}
