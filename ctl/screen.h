/* The terminal, as far as more than one command cares. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <stdbool.h>

/* Columns of the terminal that fd is; 0: it is no terminal, lines may be long. */
unsigned screen_columns(int fd);
/* Whether what goes to fd may be coloured. */
bool screen_colors(int fd);

#endif
