/* The known word that somebody probably meant: edit distance with transpositions. */
#include "conf/near.h"

#include <string.h>

static unsigned near_min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* ASCII only, whatever the locale. */
static char near_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

unsigned near_distance(const char *a, const char *b)
{
	/* Three rows of the usual matrix: a swap looks back two. */
	unsigned row[3][NEAR_MAX];
	size_t na = strlen(a), nb = strlen(b), i, j;

	if (na >= NEAR_MAX || nb >= NEAR_MAX)
		return NEAR_MAX;
	for (j = 0; j <= nb; j++)
		row[0][j] = (unsigned)j;
	for (i = 1; i <= na; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *older = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (j = 1; j <= nb; j++) {
			char ca = near_lower(a[i - 1]), cb = near_lower(b[j - 1]);

			now[j] = near_min(near_min(last[j], now[j - 1]) + 1, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == near_lower(b[j - 2]) && cb == near_lower(a[i - 2]))
				now[j] = near_min(now[j], older[j - 2] + 1);
		}
	}
	return row[na % 3][nb];
}

void near_start(struct near *n, const char *word)
{
	size_t size = strlen(word);

	n->word = word;
	n->best = NULL;
	/* A third of the letters may differ, at least one, at most three; the first candidate at that
	 * distance still counts. */
	n->distance = (size < 6 ? 1 : size < 9 ? 2 : 3) + 1;
	if (size == 0)
		n->distance = 0;
}

void near_try(struct near *n, const char *candidate)
{
	unsigned d = near_distance(n->word, candidate);

	/* Never a word of which nothing is left. */
	if (d < n->distance && d < strlen(candidate)) {
		n->best = candidate;
		n->distance = d;
	}
}
