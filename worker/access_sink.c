/*
 * Writing access logs. Worker only.
 *
 * A worker must never wait for a disk. O_NONBLOCK does nothing for plain files: write(2) sleeps when too many
 * pages are dirty, when the file system commits its journal, and for ever on a network file system that is
 * gone. So each log has a thread of its own, the only ones of this program, which does nothing but write:
 *
 *	worker		fills `fill`; when that is worth a write or a second old, and the writer is idle: gives
 *			it to the writer and goes on with the other buffer
 *	writer		sleeps in read(2) of an eventfd; writes what it was given; is idle again
 *
 * One word, `busy`, says whose the job is; everything else in struct job belongs to whoever it names. While a
 * write hangs, one buffer's worth of lines is kept, and the ones behind it are dropped and counted.
 *
 * What that does not help: a process ends only when all its threads do. A worker whose writer hangs in the
 * kernel cannot be buried before the kernel lets go. It serves until then, and a worker that has finished
 * has nothing left that anybody waits for; but one that crashes at that moment is replaced only afterwards.
 */
#include "worker/access_sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "os/log.h"

#define SINK_SIZE	(4u << 20)	/* bytes of one buffer; memory is touched only as far as the writer lags behind, */
#define SINK_USUAL	(256u << 10)	/* and what lies above this is given back after it has been needed */
#define SINK_EAGER	(32u << 10)	/* from here on it goes out as soon as it can */
#define SINK_FLUSH_NS	CONF_SECOND
#define SINK_SAY_NS	(10 * CONF_SECOND)	/* between two complaints of one log */
#define SINK_STACK	(128 * 1024)	/* of the thread, bytes: sanitizers want more than the code does */
#define SINK_BATCH	64		/* datagrams in one system call */
#define SINK_SYSLOG	"/dev/log"

/* What the writer is to do. */
struct job {
	_Atomic int busy;	/* 1: the writer's; release on both sides */
	char *data;
	uint32_t size;
	int fd;			/* -1: not open */
	bool pipe;		/* short of PIPE_BUF, writes of several workers do not mix */
	bool datagrams;		/* syslog: one for each line */
	bool torn;		/* fd ends with a piece of a line */
	uint64_t lost;		/* lines that could not be written, */
	int error;		/* for this reason */
};

struct sink {
	const char *target;	/* NULL: nobody logs there */
	char *fill, *other;
	uint32_t used;
	int wake;		/* eventfd of the writer */
	int fd;
	bool pipe, datagrams;
	bool renewed;		/* fd is not the one that the last job had: that one is `old` */
	int old;		/* to be closed when the writer is idle; -1: none */
	uint64_t lost;		/* lines, not told yet */
	uint64_t say_ns;	/* not again before */
	char why[64];		/* they are lost */
	struct timer flush, say;
	struct job job;
};

static struct sink sinks[CONF_ACCESS_LOGS_MAX];

/* ---- the writer's thread ---- */

static uint64_t lines_in(const char *at, size_t size)
{
	const char *end = at + size;
	uint64_t n = 0;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		n++;
		at++;
	}
	return n;
}

static void give_up(struct job *j, size_t at, int err)
{
	j->error = err;
	j->lost += lines_in(j->data + at, j->size - at);
}

/* Bytes to write at once: to a pipe as many whole lines as the kernel takes in one piece, or one longer one. */
static size_t portion(const struct job *j, size_t at)
{
	size_t left = j->size - at;
	const char *last;

	if (!j->pipe || left <= PIPE_BUF)
		return left;
	last = memrchr(j->data + at, '\n', PIPE_BUF);
	if (last == NULL)
		last = memchr(j->data + at, '\n', left);	/* every buffer ends with a whole line */
	return last ? (size_t)(last - (j->data + at)) + 1 : left;
}

static void write_bytes(struct job *j)
{
	size_t at = 0;

	while (at < j->size) {
		ssize_t n = j->torn ? write(j->fd, "\n", 1) : write(j->fd, j->data + at, portion(j, at));

		if (n > 0 && j->torn) {
			j->torn = false;
			continue;
		}
		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {	/* somebody who shares it wants it so */
			struct pollfd p = { .fd = j->fd, .events = POLLOUT };
			poll(&p, 1, -1);
			continue;
		}
		/* What is in the file of a line is ended before the next one that gets there. */
		j->torn = j->torn || (at > 0 && j->data[at - 1] != '\n');
		give_up(j, at, n < 0 ? errno : EIO);
		return;
	}
}

static int dial(struct job *j)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = SINK_SYSLOG };

	if (j->fd >= 0)
		close(j->fd);
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (j->fd < 0)
		return -1;
	if (connect(j->fd, (struct sockaddr *)&un, sizeof un) == 0)
		return 0;
	int err = errno;
	close(j->fd);
	j->fd = -1;
	errno = err;
	return -1;
}

/* Lines as datagrams. Waits while the daemon is busy; when it was restarted its socket is another one. */
static void send_lines(struct job *j)
{
	struct mmsghdr msg[SINK_BATCH];
	struct iovec iov[SINK_BATCH];
	bool dialled = false;
	size_t at = 0;

	while (at < j->size) {
		unsigned n = 0;
		size_t next = at;

		for (; n < SINK_BATCH && next < j->size; n++) {
			const char *end = memchr(j->data + next, '\n', j->size - next);
			size_t size = end ? (size_t)(end - (j->data + next)) : j->size - next;
			iov[n] = (struct iovec){ j->data + next, size };
			msg[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[n], .msg_iovlen = 1 } };
			next += size + 1;
		}
		int sent = j->fd < 0 ? -1 : sendmmsg(j->fd, msg, n, MSG_NOSIGNAL);
		if (sent < 0 && j->fd >= 0 && errno == EINTR)
			continue;
		if (sent < 0 && j->fd >= 0 && errno == EMSGSIZE) {	/* the first of them is too long for it */
			j->lost++;
			j->error = EMSGSIZE;
			sent = 1;
		}
		if (sent < 0 && !dialled && dial(j) == 0) {
			dialled = true;
			continue;
		}
		if (sent < 0) {
			give_up(j, at, errno);
			return;
		}
		for (int i = 0; i < sent; i++)
			at += iov[i].iov_len + 1;
	}
}

static void *writer(void *arg)
{
	struct sink *k = arg;
	struct job *j = &k->job;
	uint64_t count;

	for (;;) {
		if (read(k->wake, &count, sizeof count) < 0 && errno != EINTR)
			return NULL;	/* cannot be; then lines are dropped, and that is told */
		if (!atomic_load_explicit(&j->busy, memory_order_acquire))
			continue;
		if (j->datagrams)
			send_lines(j);
		else
			write_bytes(j);
		atomic_store_explicit(&j->busy, 0, memory_order_release);
	}
}

/* ---- the worker's side ---- */

static bool idle(struct sink *k)
{
	return !atomic_load_explicit(&k->job.busy, memory_order_acquire);
}

static void lose(struct sink *k, uint64_t lines, const char *why)
{
	if (lines == 0)
		return;
	table_add(&worker.row->log_dropped, lines);
	k->lost += lines;
	snprintf(k->why, sizeof k->why, "%s", why);
	if (!timer_armed(&k->say))	/* a moment later, with all that goes the same way */
		timer_set(&worker.loop.wheel, &k->say, k->say_ns > state_now() ? k->say_ns : state_now() + SINK_FLUSH_NS);
}

/* What the writer found out; it is idle. */
static void collect(struct sink *k)
{
	uint64_t lost = k->job.lost;

	k->job.lost = 0;
	if (lost)
		lose(k, lost, strerror(k->job.error));
	if (k->job.size > SINK_USUAL)
		madvise(k->other + SINK_USUAL, SINK_SIZE - SINK_USUAL, MADV_DONTNEED);	/* if not, it stays */
	k->job.size = 0;
	if (k->old >= 0)
		close(k->old);
	k->old = -1;
}

/* Gives the writer what there is. False: it is busy. */
static bool send_off(struct sink *k)
{
	uint64_t one = 1;
	char *data = k->fill;

	if (!idle(k))
		return false;
	collect(k);
	if (k->used == 0)
		return true;
	k->fill = k->other;
	k->other = data;
	k->job.data = data;
	k->job.size = k->used;
	k->used = 0;
	if (!k->datagrams) {
		k->job.torn = k->job.torn && !k->renewed;
		k->job.fd = k->fd;
		k->job.pipe = k->pipe;
		k->renewed = false;
	}
	atomic_store_explicit(&k->job.busy, 1, memory_order_release);
	if (write(k->wake, &one, sizeof one) < 0) {	/* cannot be: it is far from full */
		atomic_store_explicit(&k->job.busy, 0, memory_order_relaxed);
		lose(k, lines_in(data, k->job.size), "the writer cannot be woken");
	}
	return true;
}

static void on_flush(struct timer *t)
{
	struct sink *k = (struct sink *)(void *)((char *)t - offsetof(struct sink, flush));

	bool more = k->used > 0;

	if (!send_off(k) || more)	/* once more, to hear how it went */
		timer_set(&worker.loop.wheel, t, state_now() + SINK_FLUSH_NS);
}

static void on_say(struct timer *t)
{
	struct sink *k = (struct sink *)(void *)((char *)t - offsetof(struct sink, say));

	log_warn("access log %s: %llu lines dropped: %s", k->target, (unsigned long long)k->lost, k->why);
	k->lost = 0;
	k->say_ns = state_now() + SINK_SAY_NS;
}

bool sink_begin(unsigned log, struct http_out *o)
{
	struct sink *k = &sinks[log];

	*o = (struct http_out){ .at = k->fill + k->used, .end = k->fill + SINK_SIZE - 1 };	/* less the end of the line */
	return k->datagrams;
}

bool sink_end(unsigned log, struct http_out *o)
{
	struct sink *k = &sinks[log];

	if (o->full) {
		send_off(k);
		return false;
	}
	*o->at++ = '\n';
	k->used = (uint32_t)(o->at - k->fill);
	if (k->used >= SINK_EAGER)
		send_off(k);
	if (!timer_armed(&k->flush))
		timer_set(&worker.loop.wheel, &k->flush, state_now() + SINK_FLUSH_NS);
	return true;
}

void sink_drop(unsigned log, uint64_t lines)
{
	struct sink *k = &sinks[log];

	lose(k, lines, k->used ? "what is written to does not keep up" : "a line longer than the buffer");
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

void sink_adopt(unsigned log, int fd)
{
	struct sink *k = log < CONF_ACCESS_LOGS_MAX ? &sinks[log] : NULL;

	if (k == NULL || k->target == NULL || k->datagrams) {
		close(fd);
		return;
	}
	send_off(k);
	/* The writer may have the old one in its hand, or never have had it. */
	if (k->renewed)
		close(k->fd);
	else
		k->old = k->fd;
	k->fd = fd;
	k->pipe = is_pipe(fd);
	k->renewed = true;
	if (idle(k))
		collect(k);
	else if (!timer_armed(&k->flush))
		timer_set(&worker.loop.wheel, &k->flush, state_now() + SINK_FLUSH_NS);
}

void sink_stop(void)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t until = loop_clock_ns() + SINK_STOP_NS;

	for (unsigned i = 0; i < CONF_ACCESS_LOGS_MAX; i++) {
		struct sink *k = &sinks[i];

		if (k->target == NULL)
			continue;
		while ((!send_off(k) || !idle(k)) && loop_clock_ns() < until)
			nanosleep(&pause, NULL);
		if (idle(k))
			collect(k);
		else	/* what is in its hand may yet get there */
			lose(k, lines_in(k->fill, k->used) + lines_in(k->other, k->job.size), "it could not be written to before the end");
		if (k->lost)
			on_say(&k->say);
	}
}

/* ---- beginning ---- */

static void *map_buffer(void)
{
	return mmap(NULL, SINK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void begin(struct sink *k, const struct conf_access_log *log)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int err;

	k->target = log->target;
	k->datagrams = k->job.datagrams = strcmp(log->target, "syslog") == 0;
	k->fd = strcmp(log->target, "stdout") == 0 ? STDOUT_FILENO : strcmp(log->target, "stderr") == 0 ? STDERR_FILENO : log->fd;
	k->old = k->job.fd = -1;
	k->pipe = !k->datagrams && is_pipe(k->fd);
	k->flush.cb = on_flush;
	k->say.cb = on_say;
	k->fill = map_buffer();
	k->other = map_buffer();
	k->wake = eventfd(0, EFD_CLOEXEC);
	if (k->fill == MAP_FAILED || k->other == MAP_FAILED || k->wake < 0)
		log_fatal("access log %s: %s", k->target, strerror(errno));
	/* Signals are the worker's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_attr_init(&attr);
	if (err == 0)
		err = pthread_attr_setstacksize(&attr, SINK_STACK);
	if (err == 0)
		err = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (err == 0)
		err = pthread_create(&thread, &attr, writer, k);
	if (err)
		log_fatal("access log %s: no thread to write it: %s", k->target, strerror(err));
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void sink_init(void)
{
	for (unsigned i = 0; i < worker.conf->nlisteners; i++) {
		unsigned log = worker.conf->listener[i].access.log;

		if (log != CONF_NO_LOG && sinks[log].target == NULL)
			begin(&sinks[log], &worker.conf->access_log[log]);
	}
}
