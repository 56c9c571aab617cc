/* The screen, drawn again and again. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "ctl/lbctl.h"
#include "ipc/table.h"

enum lbctl_exit top_command(const struct table *t, const struct lbctl_options *o);

#endif
