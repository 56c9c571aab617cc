/* The event loop. Any process; each has its own. */
#include "os/loop.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "os/log.h"

uint64_t loop_clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);	/* cannot fail: the clock exists and ts is ours */
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int loop_init(struct loop *l, unsigned max_fds)
{
	l->ep = epoll_create1(EPOLL_CLOEXEC);
	if (l->ep < 0)
		return -1;
	l->max_fds = max_fds;
	/* Reserved, not taken: a page is touched when a descriptor in its range is first used. */
	void *p = mmap(NULL, max_fds * sizeof(struct loop_fd *), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		goto fail;
	l->slot = p;
	l->now_ns = loop_clock_ns();
	l->before = NULL;
	l->after = NULL;
	l->told = NULL;
	l->ahead = 0;
	timer_wheel_init(&l->wheel, l->now_ns);
	return 0;
fail:
	close(l->ep);
	return -1;
}

void loop_free(struct loop *l)
{
	munmap(l->slot, l->max_fds * sizeof(struct loop_fd *));
	close(l->ep);
}

static int control(struct loop *l, int op, struct loop_fd *h, uint32_t events)
{
	struct epoll_event ev = {
		.events = events,
		.data.u64 = (uint64_t)h->tag << 32 | (uint32_t)h->fd,
	};
	return epoll_ctl(l->ep, op, h->fd, &ev);
}

int loop_add(struct loop *l, struct loop_fd *h, uint32_t events)
{
	if (h->fd < 0 || (unsigned)h->fd >= l->max_fds) {
		errno = EMFILE;
		return -1;
	}
	h->tag = ++l->tags;
	if (control(l, EPOLL_CTL_ADD, h, events) < 0)
		return -1;
	l->slot[h->fd] = h;
	return 0;
}

int loop_mod(struct loop *l, struct loop_fd *h, uint32_t events)
{
	return control(l, EPOLL_CTL_MOD, h, events);
}

void loop_del(struct loop *l, struct loop_fd *h)
{
	l->slot[h->fd] = NULL;
	epoll_ctl(l->ep, EPOLL_CTL_DEL, h->fd, NULL);	/* fails only for what is not there */
}

void loop_close(struct loop *l, struct loop_fd *h)
{
	if (h->fd < 0)
		return;
	l->slot[h->fd] = NULL;
	close(h->fd);
	h->fd = -1;
}

void loop_set_hooks(struct loop *l, void (*before)(void *), void (*after)(void *, uint64_t now_ns), void (*told)(void *),
    void *arg)
{
	l->before = before;
	l->after = after;
	l->told = told;
	l->hook_arg = arg;
}

/* Whom an event is for; NULL: nobody any more. */
static struct loop_fd *listener_of(const struct loop *l, const struct epoll_event *ev)
{
	struct loop_fd *h = l->slot[(uint32_t)ev->data.u64];

	return h && h->tag == (uint32_t)(ev->data.u64 >> 32) ? h : NULL;
}

int loop_turn(struct loop *l, uint64_t max_wait_ns)
{
	uint64_t next = timer_next_ns(&l->wheel), wait = max_wait_ns, due = log_due_ns();
	int timeout, n;

	if (due < next)
		next = due;
	if (next != UINT64_MAX) {
		uint64_t until = next > l->now_ns ? next - l->now_ns : 0;
		if (until < wait)
			wait = until;
	}
	if (wait == UINT64_MAX)
		timeout = -1;
	else if (wait > UINT64_C(3600000) * 1000000)	/* an hour; also keeps it within an int */
		timeout = 3600000;
	else
		timeout = (int)((wait + 999999) / 1000000);

	if (l->before)
		l->before(l->hook_arg);
	n = epoll_wait(l->ep, l->event, LOOP_EVENTS, timeout);
	int err = errno;
	l->now_ns = loop_clock_ns();
	if (l->after)
		l->after(l->hook_arg, l->now_ns);
	if (n < 0 && err != EINTR)
		return -1;
	l->ahead = n > 0 ? (unsigned)n : 0;
	for (int i = 0; i < n; i++) {
		struct loop_fd *h = listener_of(l, &l->event[i]);
		if (h && h->first) {
			uint32_t events = l->event[i].events;
			l->event[i].events = 0;
			l->ahead--;
			h->cb(h, events);
		}
	}
	for (int i = 0; i < n; i++) {
		struct loop_fd *h;
		if (l->event[i].events == 0)
			continue;
		l->ahead--;
		h = listener_of(l, &l->event[i]);
		if (h)
			h->cb(h, l->event[i].events);
	}
	if (l->told)
		l->told(l->hook_arg);
	timer_run(&l->wheel, l->now_ns);
	if (l->now_ns >= due)
		log_tick(l->now_ns);
	return n < 0 ? 0 : n;
}
