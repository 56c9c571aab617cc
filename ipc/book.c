/* Books of custody: their memory. */
#include "ipc/book.h"

#include <sys/mman.h>

struct book *book_map(void)
{
	struct book *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	book_fork(b, 0);
	return b;
}

void book_unmap(struct book *b)
{
	if (b)
		munmap(b, sizeof *b);
}

void book_fork(struct book *b, int inherit)
{
	/* Fails only for what is not mapped. */
	if (b)
		madvise(b, sizeof *b, inherit ? MADV_DOFORK : MADV_DONTFORK);
}
