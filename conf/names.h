/* Names that have been given, each in its scope: a hash set that remembers the line. */
#ifndef CONF_NAMES_H
#define CONF_NAMES_H

#include <stdint.h>

struct names_slot {
	const char *name;	/* NULL: free */
	uint32_t scope;
	unsigned line;
};

/* Zero is empty. */
struct names {
	struct names_slot *slot;
	uint32_t size;		/* slots, a power of two, or 0 */
	uint32_t used;
};

/* Adds a name, which must live as long as the set. 0: new; -1: no memory; else the line that has it already. */
long names_add(struct names *n, uint32_t scope, const char *name, unsigned line);
void names_free(struct names *n);

#endif
