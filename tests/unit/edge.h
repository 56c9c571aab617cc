/* Inputs that end at an unreadable page: a reader that goes one byte too far dies. */
#ifndef TESTS_UNIT_EDGE_H
#define TESTS_UNIT_EDGE_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct edge {
	char *room;	/* readable */
	size_t size;
};

/* Room for inputs of up to `size` bytes. Never given back. */
static inline struct edge edge_make(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct edge e = { .size = (size + page - 1) / page * page };

	e.room = mmap(NULL, e.size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e.room == MAP_FAILED || mprotect(e.room + e.size, page, PROT_NONE) < 0) {
		perror("edge");
		exit(1);
	}
	return e;
}

/* Where `size` bytes lie that end at the page. */
static inline char *edge_room(const struct edge *e, size_t size)
{
	if (size > e->size) {
		fprintf(stderr, "edge: %zu bytes do not fit\n", size);
		exit(1);
	}
	return e->room + e->size - size;
}

static inline char *edge_put(const struct edge *e, const void *data, size_t size)
{
	return size ? memcpy(edge_room(e, size), data, size) : edge_room(e, 0);
}

#endif
