/* Descriptors and what is known of them, between supervisor and worker. */
#include "ipc/handoff.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

int handoff_pair(int sv[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv);
}

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(HANDOFF_MAX * sizeof(int))];
};

int handoff_send(int ch, const struct handoff_msg *m)
{
	size_t n = handoff_fds(m);
	union control ctl;
	struct iovec iov[3] = {
		{ (void *)&m->head, sizeof m->head },
		{ (void *)m->rec, m->head.count * sizeof m->rec[0] },
		{ (void *)m->extra, m->head.extra },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = m->head.extra ? 3 : m->head.count ? 2 : 1 };

	if (n > HANDOFF_MAX || m->head.count > HANDOFF_MAX || m->head.extra > HANDOFF_EXTRA_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (n) {
		msg.msg_control = &ctl;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), m->fd, n * sizeof(int));
	}
	ssize_t r;
	do
		r = sendmsg(ch, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -1 : 0;	/* SEQPACKET: whole or not at all */
}

/* The sender may have been taken over: what a message claims must fit its type, and what really came. */
static int fits(const struct handoff_head *h, size_t fds, size_t bytes)
{
	if (h->count > HANDOFF_MAX || h->extra > HANDOFF_EXTRA_MAX || (h->fds ? h->fds : h->count) != fds ||
	    bytes != sizeof *h + h->count * sizeof(struct handoff_record) + h->extra)
		return 0;
	if (h->type == HANDOFF_MOVE)
		return h->count == 1 && fds >= 2 && fds <= HANDOFF_MOVE_FDS;
	if (h->type == HANDOFF_ASK)
		return h->count == 0 && fds == 1;
	if (h->type == HANDOFF_KEPT)
		return h->count == 0 && h->extra == fds * sizeof(struct handoff_kept);
	return fds == h->count && h->extra == 0;
}

int handoff_recv(int ch, struct handoff_msg *m)
{
	_Static_assert(offsetof(struct handoff_msg, more) == offsetof(struct handoff_msg, rec) + sizeof m->rec, "one piece");
	union control ctl;
	struct iovec iov[2] = {
		{ &m->head, sizeof m->head },
		{ m->rec, sizeof m->rec + sizeof m->more },
	};
	struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = &ctl, .msg_controllen = sizeof ctl,
	};
	size_t n = 0;
	ssize_t r;

	do
		r = recvmsg(ch, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == ECONNRESET ? 0 : -1;
	if (r == 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);	/* the buffer holds HANDOFF_MAX at most */
			memcpy(m->fd, CMSG_DATA(c), n * sizeof(int));
		}
	if ((size_t)r >= sizeof m->head && !(msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) && fits(&m->head, n, (size_t)r)) {
		m->extra = (const char *)m->rec + m->head.count * sizeof m->rec[0];
		return 1;
	}
	while (n > 0)
		close(m->fd[--n]);
	errno = EBADMSG;
	return -1;
}

void handoff_set_peer(struct handoff_record *r, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const void *)ss;
	const struct sockaddr_in6 *in6 = (const void *)ss;

	r->family = (uint8_t)ss->ss_family;
	if (ss->ss_family == AF_INET) {
		memcpy(r->addr, &in->sin_addr, 4);
		r->port = ntohs(in->sin_port);
	} else if (ss->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		/* Through a socket of both families, which only a service manager opens. */
		r->family = AF_INET;
		memcpy(r->addr, in6->sin6_addr.s6_addr + 12, 4);
		r->port = ntohs(in6->sin6_port);
	} else if (ss->ss_family == AF_INET6) {
		memcpy(r->addr, &in6->sin6_addr, 16);
		r->port = ntohs(in6->sin6_port);
	}
}
