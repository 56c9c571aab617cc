/*
 * The shared table by the names of its words: what a supervisor writes down for a successor whose table has another
 * layout, and how that one fills its own with it. Whatever both know by name goes over; rows keep their numbers,
 * since workers name them in what they hand over.
 *
 * What is summed over workers stays a sum: it comes to stand in the supervisor's own column. Gauges begin at
 * nothing, and so does what `balance adaptive` has learned.
 */
#ifndef SUPERVISOR_KEEP_H
#define SUPERVISOR_KEEP_H

#include <stdio.h>

#include "supervisor/state.h"

/* Makes the table of this program's layout, with rows for at least `servers`. 0, or -1 with errno. */
int keep_make_table(struct supervisor *s, const struct conf *conf, const char *name, uint32_t servers);

/* One line for each row that is in use. */
void keep_write(const struct supervisor *s, FILE *f);
/* How many rows for servers it takes to read that again; 0: it cannot be read. Leaves f at the beginning of the lines. */
uint32_t keep_servers(FILE *f);
/* Reads `size` bytes of lines into s->table, which is new. 0, or -1: a line cannot be understood. */
int keep_read(struct supervisor *s, FILE *f, long size);

#endif
