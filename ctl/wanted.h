/* Which pool or servers a word of the command line means. */
#ifndef CTL_WANTED_H
#define CTL_WANTED_H

#include "ipc/view.h"

struct wanted {
	const char *pattern;	/* NULL: all */
	bool is_pool;		/* it is a pool's name, and no server's */
	bool is_name;		/* it is a server's name, letter by letter */
};

/* pools: a pool may be meant too. False, after a message with the nearest name: nothing is called so. */
bool wanted_take(struct wanted *w, const struct view *v, const char *pattern, bool pools);
/* The word that this one was probably meant to be, of a list with NULL at its end, where it means no pool and no server. */
const char *wanted_word(const struct view *v, const char *word, const char *const *list);
/* Whether it means the server, be it by its pool. */
bool wanted_server(const struct wanted *w, const struct view *v, const struct view_server *s);
bool wanted_pool(const struct wanted *w, const struct view *v, const struct view_pool *p);

#endif
