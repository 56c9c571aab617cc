/*
 * Many sends in one system call: an io_uring used as nothing but that. All are non-blocking, so each has been done,
 * or has failed, when the call returns; nothing goes on behind it, and what may be asked of send(2) holds.
 *
 * Wants Linux 6.1. Where there is none, or it is forbidden (kernel.io_uring_disabled, a filter), burst_send() makes
 * the calls one by one. See io_uring_setup(2), io_uring_enter(2).
 */
#ifndef OS_BURST_H
#define OS_BURST_H

#define BURST_MAX 256

struct burst_op {
	int fd;
	int flags;		/* as of send(2); MSG_DONTWAIT and MSG_NOSIGNAL are added */
	const char *data;
	unsigned size;		/* bytes */
	int result;		/* bytes, or -errno */
};

/* For the calling thread alone. 0; -1 with errno: none is to be had, and every send will be a call of its own. */
int burst_open(void);
/* Makes them, n at most BURST_MAX, in this order, and fills in the results. */
void burst_send(struct burst_op *op, unsigned n);

#endif
