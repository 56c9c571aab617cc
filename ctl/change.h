/* The commands that change something: each asks the supervisor, and watches the table for what follows. */
#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "ctl/lbctl.h"
#include "ipc/table.h"

/* `command` is one of those that lbctl.c's list sends here. */
enum lbctl_exit change_command(const struct table *t, const char *command, const struct lbctl_options *o);

#endif
