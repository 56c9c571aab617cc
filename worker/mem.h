/*
 * Memory of a worker: everything that comes and goes with connections is taken from free lists, so
 * the steady state never calls the allocator. A list is a stack: what was used last is handed out
 * first, still warm in the cache. Small things stay in their lists; of buffers, those that nobody
 * has needed for a second or two go back to the kernel.
 */
#ifndef WORKER_MEM_H
#define WORKER_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

#define BUF_SIZE (16384 - 24)	/* of an ordinary buffer: with its head it fills whole pages */
#define BUF_LARGE (65536 - 24)	/* of one that holds a request to be repeated */

/* Bytes on their way: data[at..end). */
struct buf {
	uint32_t at, end, size;
	uint32_t tail_size;	/* of our own answers: what goes behind data, of the configuration */
	const char *tail;
	char data[];
};

/* A pipe for splice(2). held: bytes in it. */
struct pipe {
	int fd[2];		/* 0 read, 1 write */
	uint32_t held, room;
};

struct slab {
	size_t size;		/* of one object, bytes; at least a pointer */
	void *free;		/* given back */
	char **block;		/* of as many objects each; pages are touched as used */
	unsigned nblocks;
	unsigned used;		/* objects ever taken, those given back included */
};

/* Uninitialised memory; NULL with errno ENOMEM. */
void *slab_take(struct slab *s);
/* Its first bytes are overwritten, where a pointer goes; the rest stays as it is until it is taken again. */
void slab_give(struct slab *s, void *p);
/* Any of used objects, whether it is in use now or not: that, the object must say. */
void *slab_at(const struct slab *s, unsigned i);

struct buf *buf_take(void);		/* empty; NULL: out of memory */
struct buf *buf_take_large(void);
void buf_give(struct buf **b);		/* sets *b to NULL; NULL is fine */
static inline uint32_t buf_size(const struct buf *b) { return b ? b->end - b->at : 0; }
static inline uint32_t buf_room(const struct buf *b) { return b->size - b->end; }
void buf_compact(struct buf *b);	/* moves what is there to the front */

struct http_head *head_take(void);	/* uninitialised; NULL: out of memory */
void head_give(struct http_head **h);	/* as buf_give() */

struct pipe *pipe_take(void);		/* empty; NULL with errno */
/* One that another process filled. Takes both descriptors; on failure (NULL, errno) they are closed. */
struct pipe *pipe_adopt(int rd, int wr, uint32_t held, uint32_t room);
void pipe_give(struct pipe **p);	/* one that is not empty is closed */

#endif
