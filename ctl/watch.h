/* Changes, told as they happen. */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "ctl/lbctl.h"
#include "ipc/table.h"

/* Runs until the instance ends, or until it has told o->count changes. */
enum lbctl_exit watch_command(const struct table *t, const struct lbctl_options *o);

#endif
