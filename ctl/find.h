/* Which instance: its table, found by what lives. */
#ifndef CTL_FIND_H
#define CTL_FIND_H

#include <stdio.h>

#include "ctl/lbctl.h"
#include "ipc/table.h"

/*
 * Maps the table of the instance that `wanted` names (a pid, or the name of the table), or with NULL
 * of the only one that runs. Returns one of enum lbctl_exit, after a message on `err` unless LBCTL_OK.
 */
enum lbctl_exit find_table(struct table *t, const char *wanted, FILE *err);
/* The pid of the supervisor of a table that find_table() has found; 0: there is none any more. */
long find_supervisor(const struct table *t);
/* For who has seen no supervisor for so long: whether that is the end, and not the moment before an heir takes over. */
bool find_is_over(const struct table *t, uint64_t gone_ns);

#endif
