/* Many sends in one system call. Any process; one ring a process, for the thread that opened it. */
#include "os/burst.h"

#include <errno.h>
#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/log.h"

static void send_one(struct burst_op *op)
{
	ssize_t n;

	do
		n = send(op->fd, op->data, op->size, op->flags);
	while (n < 0 && errno == EINTR);
	op->result = n < 0 ? -errno : (int)n;
}

#ifdef IORING_SETUP_DEFER_TASKRUN

/* Shared with the kernel: it moves sq_head and cq_tail, we the other two. */
static struct {
	int fd;			/* -1: none */
	unsigned enter_flags;
	int enter_fd;		/* fd, or its number among registered ones */
	char *map;
	size_t map_size, sqes_size;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	_Atomic unsigned *sq_tail, *cq_head, *cq_tail;
	unsigned sq_mask, cq_mask;
} ring = { .fd = -1 };

static void shut(void)
{
	if (ring.sqe)
		munmap(ring.sqe, ring.sqes_size);
	if (ring.map)
		munmap(ring.map, ring.map_size);
	if (ring.fd >= 0)
		close(ring.fd);
	ring.sqe = NULL;
	ring.map = NULL;
	ring.fd = -1;
}

/* Saves a look-up of the descriptor in each call. What cannot be had is not missed. */
static void enlist(void)
{
	struct io_uring_rsrc_update up = { .offset = UINT32_MAX, .data = (unsigned)ring.fd };

	ring.enter_fd = ring.fd;
	ring.enter_flags = 0;
	if (syscall(__NR_io_uring_register, ring.fd, IORING_REGISTER_RING_FDS, &up, 1) == 1) {
		ring.enter_fd = (int)up.offset;
		ring.enter_flags = IORING_ENTER_REGISTERED_RING;
	}
}

int burst_open(void)
{
	/* The flags are not needed so much as the kernels that have them. */
	struct io_uring_params p = { .flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN };
	unsigned *array;
	void *m;
	int err;

	ring.fd = (int)syscall(__NR_io_uring_setup, BURST_MAX, &p);	/* close-on-exec by nature */
	if (ring.fd < 0)
		return -1;
	if (!(p.features & IORING_FEAT_SINGLE_MMAP) || p.sq_entries < BURST_MAX || p.cq_entries < BURST_MAX) {
		errno = ENOSYS;
		goto fail;
	}
	ring.map_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	if (ring.map_size < p.sq_off.array + p.sq_entries * sizeof(unsigned))
		ring.map_size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
	m = mmap(NULL, ring.map_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	if (m == MAP_FAILED)
		goto fail;
	ring.map = m;
	ring.sqes_size = p.sq_entries * sizeof(struct io_uring_sqe);
	m = mmap(NULL, ring.sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQES);
	if (m == MAP_FAILED)
		goto fail;
	ring.sqe = m;
	ring.cqe = (struct io_uring_cqe *)(void *)(ring.map + p.cq_off.cqes);
	ring.sq_tail = (_Atomic unsigned *)(void *)(ring.map + p.sq_off.tail);
	ring.cq_head = (_Atomic unsigned *)(void *)(ring.map + p.cq_off.head);
	ring.cq_tail = (_Atomic unsigned *)(void *)(ring.map + p.cq_off.tail);
	ring.sq_mask = *(unsigned *)(void *)(ring.map + p.sq_off.ring_mask);
	ring.cq_mask = *(unsigned *)(void *)(ring.map + p.cq_off.ring_mask);
	array = (unsigned *)(void *)(ring.map + p.sq_off.array);
	for (unsigned i = 0; i < p.sq_entries; i++)	/* each place always names the entry of the same number */
		array[i] = i;
	enlist();
	return 0;
fail:
	err = errno;
	shut();
	errno = err;
	return -1;
}

/* Returns how many have a result. */
static unsigned take_results(struct burst_op *op, unsigned n)
{
	unsigned head = atomic_load_explicit(ring.cq_head, memory_order_relaxed), done = 0;

	/* Acquire: what the kernel wrote of them before it moved its end. */
	for (unsigned tail = atomic_load_explicit(ring.cq_tail, memory_order_acquire); head != tail; head++) {
		const struct io_uring_cqe *c = &ring.cqe[head & ring.cq_mask];
		if (c->user_data < n) {
			op[c->user_data].result = c->res;
			done++;
		}
	}
	/* Release: we have read them. */
	atomic_store_explicit(ring.cq_head, head, memory_order_release);
	return done;
}

/* Returns how many of them are done: all, or, for good, fewer. */
static unsigned send_together(struct burst_op *op, unsigned n)
{
	unsigned tail = atomic_load_explicit(ring.sq_tail, memory_order_relaxed), done;
	int taken;

	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *e = &ring.sqe[(tail + i) & ring.sq_mask];
		memset(e, 0, sizeof *e);
		e->opcode = IORING_OP_SEND;
		e->fd = op[i].fd;
		e->addr = (uintptr_t)op[i].data;
		e->len = op[i].size;
		e->msg_flags = (unsigned)op[i].flags;
		e->user_data = i;
	}
	/* Release: the entries, before the kernel sees that they are there. */
	atomic_store_explicit(ring.sq_tail, tail + n, memory_order_release);
	taken = (int)syscall(__NR_io_uring_enter, ring.enter_fd, n, 0, ring.enter_flags, NULL, 0);
	if (taken < (int)n)	/* it is short of memory, or is forbidden now */
		log_warn("io_uring takes %d sends of %u (%s); from here on each is a system call of its own", taken, n,
		    taken < 0 ? strerror(errno) : "no reason given");
	if (taken < 0)
		taken = 0;
	done = take_results(op, (unsigned)taken);
	if (done < (unsigned)taken)	/* they would be the kernel's still, and so would their data */
		log_fatal("io_uring has taken %d sends and done %u, which with MSG_DONTWAIT cannot be", taken, done);
	if ((unsigned)taken < n)
		shut();
	return done;
}

#else	/* built for a kernel that has none */

static struct { int fd; } ring = { .fd = -1 };

int burst_open(void)
{
	errno = ENOSYS;
	return -1;
}

static unsigned send_together(struct burst_op *op, unsigned n)
{
	(void)op;
	(void)n;
	return 0;
}

#endif

void burst_send(struct burst_op *op, unsigned n)
{
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++)
		op[i].flags |= MSG_DONTWAIT | MSG_NOSIGNAL;
	if (ring.fd >= 0 && n > 1)
		done = send_together(op, n);
	for (; done < n; done++)
		send_one(&op[done]);
}
