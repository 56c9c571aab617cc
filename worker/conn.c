/* One end of a conversation. Worker only. */
#include "worker/conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "worker/custody.h"
#include "worker/state.h"

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
	if (events & EPOLLOUT)
		c->wr = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		c->rd = true;
		c->hup = true;
	}
	if (events & (EPOLLHUP | EPOLLERR)) {
		c->wr = true;	/* writing fails, and shows it */
		c->broken = true;
	}
}

void conn_close(struct conn *c)
{
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

long conn_write(struct conn *c, const char *first, size_t first_size, const char *second, size_t second_size, bool fin)
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
	if (n >= 0) {
		if ((size_t)n < first_size + second_size)
			c->wr = false;
		return n;
	}
	c->wr = false;
	return errno == EAGAIN || errno == ENOTCONN ? CONN_AGAIN : CONN_ERROR;
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
