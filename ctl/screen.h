/* The terminal, as far as more than one command cares. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

/* Columns of the terminal that fd is; 0: it is no terminal, lines may be long. */
unsigned screen_columns(int fd);
/* Whether what goes to fd may be coloured. */
bool screen_colors(int fd);

enum screen_ink { INK_NONE, INK_BAD, INK_WARN, INK_BOLD };
/* What follows is so, or, with INK_NONE, as usual. Colour is never all that tells. */
void screen_ink(FILE *out, bool color, enum screen_ink ink);

/* Writes lines of text, those that are longer in several, cut at a space and set in. */
void screen_wrap(FILE *out, const char *text, unsigned columns);

#endif
