/* What is there at one moment: a screen, lists, and the same as JSON. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include "ctl/lbctl.h"
#include "ipc/table.h"

/* `lbctl show ...`: takes looks and prints. */
enum lbctl_exit show_command(struct table *t, const struct lbctl_options *o);

#endif
