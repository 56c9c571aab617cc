/* One end of a conversation. Worker only. */
#include "worker/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/burst.h"
#include "os/log.h"
#include "worker/custody.h"
#include "worker/state.h"

#define PUT_OFF_BYTES	2048		/* of one write; what is larger costs so much itself that its system call does not matter */
#define PUT_OFF_ROOM	(64 * 1024)	/* of all in one turn */
#define PUT_OFF_ROUNDS	4		/* what the last has brought about is written at once */

/* Writes that wait for the end of the turn. Two sets: while one is reported, the other fills. */
static struct {
	struct burst_op op[BURST_MAX];
	struct conn *conn[BURST_MAX];	/* NULL: it has been closed */
	unsigned n;
	uint32_t used;
	char data[PUT_OFF_ROOM];
} put_off[2];
static unsigned filling;
static bool at_once;
/* The one that is being reported: what it asked for, and got. */
static struct {
	struct conn *conn;
	size_t asked;
	int result;
} sent;

void conn_start(struct conn *c, int fd, loop_cb *cb)
{
	*c = (struct conn){ .h = { .cb = cb, .fd = fd }, .rd = true, .wr = true };
}

int conn_arm(struct conn *c)
{
	if (c->armed)
		return 0;
	if (loop_add(&worker.loop, &c->h, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0)
		return -1;
	c->armed = true;
	return 0;
}

void conn_events(struct conn *c, uint32_t events)
{
	if (events & EPOLLIN)
		c->rd = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))	/* of an end, too: writing fails, and shows it */
		c->wr = !c->sending;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		c->rd = true;
		c->hup = true;
	}
	if (events & (EPOLLHUP | EPOLLERR))
		c->broken = true;
}

static void forget_put_off(const struct conn *c)
{
	for (unsigned set = 0; set < 2; set++)
		for (unsigned i = 0; i < put_off[set].n; i++)
			if (put_off[set].conn[i] == c)
				put_off[set].conn[i] = NULL;
}

void conn_close(struct conn *c)
{
	if (c->sending)
		forget_put_off(c);
	if (sent.conn == c)
		sent.conn = NULL;
	buf_give(&c->in);
	if (c->h.fd >= 0 && (c->custody || c->owed))
		custody_end(c);
	loop_close(&worker.loop, &c->h);
	c->armed = false;
}

int conn_read(struct conn *c)
{
	struct buf *b = c->in;
	ssize_t n;

	if (c->peek)
		return custody_peek(c);
	if (c->owed && custody_discard(c) < 0)
		return CONN_ERROR;
	if (b == NULL) {
		b = c->in = buf_take();
		if (b == NULL) {
			errno = ENOMEM;
			return CONN_ERROR;
		}
	} else if (buf_room(b) == 0)
		buf_compact(b);
	uint32_t room = buf_room(b);
	do
		n = recv(c->h.fd, b->data + b->end, room, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		/* A short read means that the socket is empty; what comes later makes an edge. Not so once
		 * FIN is known to be there: its edge has been. */
		if ((uint32_t)n < room && !c->hup)
			c->rd = false;
		b->end += (uint32_t)n;
		return (int)n;
	}
	int err = errno;
	if (b->at == b->end)
		buf_give(&c->in);
	c->rd = false;
	if (n == 0) {
		c->eof = true;
		return 0;
	}
	errno = err;
	return err == EAGAIN ? CONN_AGAIN : CONN_ERROR;
}

void conn_take(struct conn *c, uint32_t n)
{
	c->in->at += n;
	if (c->in->at == c->in->end)
		buf_give(&c->in);
}

/* Alone in its turn, a write gains nothing by waiting. */
static bool may_be_put_off(size_t size)
{
	return size <= PUT_OFF_BYTES && !at_once && (worker.loop.ahead > 0 || put_off[filling].n > 0) &&
	    put_off[filling].n < BURST_MAX && put_off[filling].used + size <= PUT_OFF_ROOM;
}

static void put_it_off(struct conn *c, const char *first, size_t first_size, const char *second, size_t second_size, int flags)
{
	unsigned n = put_off[filling].n++, size = (unsigned)(first_size + second_size);
	char *data = put_off[filling].data + put_off[filling].used;

	if (first_size)	/* else it may be NULL */
		memcpy(data, first, first_size);
	if (second_size)
		memcpy(data + first_size, second, second_size);
	put_off[filling].used += size;
	put_off[filling].op[n] = (struct burst_op){ .fd = c->h.fd, .flags = flags, .data = data, .size = size };
	put_off[filling].conn[n] = c;
	c->sending = true;
	c->wr = false;
}

/* Without those whose connection has been closed: their descriptors may be somebody else's by now. */
static unsigned still_wanted(unsigned set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < put_off[set].n; i++) {
		if (put_off[set].conn[i] == NULL)
			continue;
		put_off[set].op[n] = put_off[set].op[i];
		put_off[set].conn[n++] = put_off[set].conn[i];
	}
	return put_off[set].n = n;
}

/* Its owner has not asked what was written, and would write it again. It cannot be; if it is, nobody gets a byte twice. */
static void broken_off(void)
{
	if (sent.result > 0) {
		log_error("a write was put off and is not taken note of; its connection is closed");
		shutdown(sent.conn->h.fd, SHUT_RDWR);
		sent.conn->broken = true;
	}
	sent.conn = NULL;
}

void conn_send_put_off(void)
{
	for (unsigned round = 1; put_off[filling].n > 0; round++) {
		unsigned set = filling, n = still_wanted(set);

		filling = 1 - set;
		burst_send(put_off[set].op, n);
		at_once = round == PUT_OFF_ROUNDS;
		for (unsigned i = 0; i < n; i++) {
			struct conn *c = put_off[set].conn[i];
			if (c == NULL)
				continue;
			worker.loop.ahead = n - i - 1;
			sent.conn = c;
			sent.asked = put_off[set].op[i].size;
			sent.result = put_off[set].op[i].result;
			c->sending = false;
			c->wr = true;
			c->h.cb(&c->h, 0);
			if (sent.conn)
				broken_off();
		}
		put_off[set].n = put_off[set].used = 0;
	}
	at_once = false;
	worker.loop.ahead = 0;
}

static long outcome(struct conn *c, ssize_t n, size_t asked)
{
	if (n < 0 || (size_t)n < asked)
		c->wr = false;
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == ENOTCONN ? CONN_AGAIN : CONN_ERROR;
}

long conn_write_now(struct conn *c, const char *first, size_t first_size, const char *second, size_t second_size, bool fin)
{
	int flags = MSG_NOSIGNAL | (fin ? MSG_MORE : 0);
	struct iovec iov[2] = { { (void *)first, first_size }, { (void *)second, second_size } };
	struct msghdr m = { .msg_iov = first_size ? iov : iov + 1, .msg_iovlen = first_size ? 2 : 1 };
	ssize_t n;

	do	/* send(2) is a little cheaper than sendmsg(2) where one piece is all there is */
		n = second_size == 0 ? send(c->h.fd, first, first_size, flags) :
		    first_size == 0 ? send(c->h.fd, second, second_size, flags) :
		    sendmsg(c->h.fd, &m, flags);
	while (n < 0 && errno == EINTR);
	return outcome(c, n, first_size + second_size);
}

long conn_write(struct conn *c, const char *first, size_t first_size, const char *second, size_t second_size, bool fin)
{
	if (sent.conn == c) {
		sent.conn = NULL;
		if (sent.result < 0)
			errno = -sent.result;
		return outcome(c, sent.result < 0 ? -1 : sent.result, sent.asked);
	}
	if (!may_be_put_off(first_size + second_size))
		return conn_write_now(c, first, first_size, second, second_size, fin);
	put_it_off(c, first, first_size, second, second_size, fin ? MSG_MORE : 0);
	return CONN_AGAIN;
}

void conn_reset(struct conn *c)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->h.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);	/* fails on unix sockets, which have no resets */
	if (c->custody && connect(c->h.fd, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)) == 0)
		c->broken = true;
}

void conn_shut(struct conn *c)
{
	if (!c->shut)
		shutdown(c->h.fd, SHUT_WR);	/* fails only when the connection is gone, which the next read shows */
	c->shut = true;
}
