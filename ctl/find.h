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

#endif
