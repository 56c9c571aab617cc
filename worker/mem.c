/* Free lists, buffers and pipes. Worker only. */
#include "worker/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPE_SIZE (256 * 1024)	/* what we ask for; the kernel may give less */
#define PIPES_KEPT 64		/* each one holds two descriptors */

#define ROUND(n) (((n) + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *))

static struct slab bufs = { .size = ROUND(sizeof(struct buf) + BUF_SIZE) };
static struct slab large_bufs = { .size = ROUND(sizeof(struct buf) + BUF_LARGE) };
static struct slab heads = { .size = sizeof(struct http_head) };
static struct pipe *kept[PIPES_KEPT];
static unsigned nkept;

void *slab_take(struct slab *s)
{
	void *p = s->free;

	if (p == NULL) {
		/* A batch at a time: about 64 KiB, but at least one. */
		size_t n = 65536 / s->size ? 65536 / s->size : 1;
		char *block = malloc(n * s->size);
		if (block == NULL)
			return NULL;
		for (size_t i = n; i > 0; i--) {
			p = block + (i - 1) * s->size;
			*(void **)p = s->free;
			s->free = p;
		}
	}
	s->free = *(void **)p;
	s->used++;
	return p;
}

void slab_give(struct slab *s, void *p)
{
	*(void **)p = s->free;
	s->free = p;
	s->used--;
}

static struct buf *take(struct slab *slab, uint32_t size)
{
	struct buf *b = slab_take(slab);

	if (b) {
		b->at = b->end = 0;
		b->size = size;
	}
	return b;
}

struct buf *buf_take(void)
{
	return take(&bufs, BUF_SIZE);
}

struct buf *buf_take_large(void)
{
	return take(&large_bufs, BUF_LARGE);
}

void buf_give(struct buf **b)
{
	if (*b) {
		slab_give((*b)->size == BUF_LARGE ? &large_bufs : &bufs, *b);
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
	struct pipe *p;
	int size;

	if (nkept > 0)
		return kept[--nkept];
	p = malloc(sizeof *p);
	if (p == NULL)
		return NULL;
	if (pipe2(p->fd, O_NONBLOCK | O_CLOEXEC) < 0) {
		int saved = errno;
		free(p);
		errno = saved;
		return NULL;
	}
	size = fcntl(p->fd[1], F_SETPIPE_SZ, PIPE_SIZE);	/* refused past the user's soft limit: take what there is */
	if (size < 0)
		size = fcntl(p->fd[1], F_GETPIPE_SZ);
	p->room = size > 0 ? (uint32_t)size : 4096;
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
