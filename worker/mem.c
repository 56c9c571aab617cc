/* Free lists, buffers and pipes. Worker only. */
#include "worker/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/log.h"
#include "worker/state.h"

#define PIPE_SIZE (256 * 1024)	/* what we ask for; the kernel may give less */
#define PIPE_LEAST (64 * 1024)
#define PIPES_KEPT 64		/* each one holds two descriptors */

#define TRIM_NS CONF_SECOND	/* how often spare buffers are looked at */
#define TRIM_KEEP 16		/* spare ones that stay in any case */
#define CHUNK (256 * 1024)	/* taken from the kernel at once, bytes */

/*
 * Buffers, page by page. free[0..cold) have been given back to the kernel and come as zero pages when
 * touched again, free[cold..nfree) are still there. `low`: the fewest of the latter since the last look,
 * so many were not needed.
 */
struct pages {
	uint32_t size;		/* of one, with its head, bytes */
	struct buf **free;
	unsigned nfree, cold, low, all;
};

static struct pages bufs = { .size = sizeof(struct buf) + BUF_SIZE };
static struct pages large_bufs = { .size = sizeof(struct buf) + BUF_LARGE };
static void trim(struct timer *t);
static struct timer trimmer = { .cb = trim };

_Static_assert((sizeof(struct buf) + BUF_SIZE) % 4096 == 0 && (sizeof(struct buf) + BUF_LARGE) % 4096 == 0, "whole pages");

static struct slab heads = { .size = sizeof(struct http_head) };
static struct pipe *kept[PIPES_KEPT];
static unsigned nkept;

static int no_memory(void)
{
	log_error("memory is used up: what needs more is refused or closed until there is some");
	errno = ENOMEM;
	return -1;
}

static int add_block(struct slab *s)
{
	char **list = realloc(s->block, (s->nblocks + 1) * sizeof *list);

	if (list == NULL)
		return no_memory();
	s->block = list;
	list[s->nblocks] = malloc(CHUNK);	/* large: the kernel gives pages as they are touched */
	if (list[s->nblocks] == NULL)
		return no_memory();
	s->nblocks++;
	return 0;
}

void *slab_at(const struct slab *s, unsigned i)
{
	size_t n = CHUNK / s->size;

	return s->block[i / n] + i % n * s->size;
}

void *slab_take(struct slab *s)
{
	void *p = s->free;

	if (p) {
		s->free = *(void **)p;
		return p;
	}
	if (s->used == s->nblocks * (CHUNK / s->size) && add_block(s) < 0)
		return NULL;
	return slab_at(s, s->used++);
}

void slab_give(struct slab *s, void *p)
{
	*(void **)p = s->free;
	s->free = p;
}

/* ---- buffers ---- */

static int grow(struct pages *p)
{
	unsigned n = CHUNK / p->size;
	struct buf **list = realloc(p->free, (p->all + n) * sizeof(struct buf *));	/* room for all, so giving back never fails */

	if (list == NULL)
		return no_memory();
	p->free = list;
	char *chunk = mmap(NULL, n * p->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return no_memory();
	for (unsigned i = 0; i < n; i++)
		p->free[p->nfree++] = (struct buf *)(void *)(chunk + (n - 1 - i) * p->size);
	p->all += n;
	p->cold = p->nfree;	/* nothing of it has been touched */
	return 0;
}

static struct buf *take(struct pages *p)
{
	struct buf *b;

	if (p->nfree == 0 && grow(p) < 0)
		return NULL;
	b = p->free[--p->nfree];
	if (p->nfree < p->cold)
		p->cold = p->nfree;
	if (p->nfree - p->cold < p->low)
		p->low = p->nfree - p->cold;
	b->at = b->end = b->tail_size = 0;
	b->size = p->size - (uint32_t)sizeof *b;
	return b;
}

static void give(struct pages *p, struct buf *b)
{
	p->free[p->nfree++] = b;
	if (p->nfree - p->cold > TRIM_KEEP && !timer_armed(&trimmer))
		timer_set(&worker.loop.wheel, &trimmer, state_now() + TRIM_NS);
}

static bool trim_pages(struct pages *p)
{
	for (unsigned n = p->low > TRIM_KEEP ? p->low - TRIM_KEEP : 0; n > 0; n--)
		if (madvise(p->free[p->cold++], p->size, MADV_DONTNEED) < 0)
			log_debug("spare memory stays: %s", strerror(errno));
	p->low = p->nfree - p->cold;
	return p->low > TRIM_KEEP;
}

static void trim(struct timer *t)
{
	bool more = trim_pages(&bufs);

	more |= trim_pages(&large_bufs);
	if (more)
		timer_set(&worker.loop.wheel, t, state_now() + TRIM_NS);
}

struct buf *buf_take(void)
{
	return take(&bufs);
}

struct buf *buf_take_large(void)
{
	return take(&large_bufs);
}

void buf_give(struct buf **b)
{
	if (*b) {
		give((*b)->size == BUF_LARGE ? &large_bufs : &bufs, *b);
		*b = NULL;
	}
}

void buf_compact(struct buf *b)
{
	if (b->at == 0)
		return;
	memmove(b->data, b->data + b->at, b->end - b->at);
	b->end -= b->at;
	b->at = 0;
}

struct http_head *head_take(void)
{
	return slab_take(&heads);
}

void head_give(struct http_head **h)
{
	if (*h) {
		slab_give(&heads, *h);
		*h = NULL;
	}
}

struct pipe *pipe_take(void)
{
	static uint64_t none_until_ns;
	struct pipe *p;
	int size;

	if (nkept > 0)
		return kept[--nkept];
	if (state_now() < none_until_ns) {
		errno = EMFILE;
		return NULL;
	}
	p = malloc(sizeof *p);
	if (p == NULL)
		return NULL;
	if (pipe2(p->fd, O_NONBLOCK | O_CLOEXEC) < 0) {
		int saved = errno;
		free(p);
		errno = saved;
		return NULL;
	}
	size = fcntl(p->fd[1], F_SETPIPE_SZ, PIPE_SIZE);
	if (size < 0)	/* past the user's soft limit (fs.pipe-user-pages-soft): what is there may be two pages */
		size = fcntl(p->fd[1], F_GETPIPE_SZ);
	if (size < PIPE_LEAST) {	/* then copying costs less */
		none_until_ns = state_now() + CONF_SECOND;
		close(p->fd[0]);
		close(p->fd[1]);
		free(p);
		errno = EMFILE;
		return NULL;
	}
	p->room = (uint32_t)size;
	p->held = 0;
	return p;
}

struct pipe *pipe_adopt(int rd, int wr, uint32_t held, uint32_t room)
{
	struct pipe *p = malloc(sizeof *p);

	if (p == NULL) {
		close(rd);
		close(wr);
		errno = ENOMEM;
		return NULL;
	}
	*p = (struct pipe){ .fd = { rd, wr }, .held = held, .room = room ? room : 4096 };
	return p;
}

void pipe_give(struct pipe **pp)
{
	struct pipe *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	if (p->held == 0 && nkept < PIPES_KEPT) {
		kept[nkept++] = p;
		return;
	}
	close(p->fd[0]);
	close(p->fd[1]);
	free(p);
}
