/* What went wrong: counts of each server, and the last errors one by one. */
#ifndef CTL_ERRORS_H
#define CTL_ERRORS_H

#include "ctl/lbctl.h"
#include "ipc/view.h"

/* `lbctl show errors [POOL | SERVER]`; v: a look with figures. */
enum lbctl_exit errors_show(struct table *t, const struct view *v, const char *pattern, const struct lbctl_options *o);

#endif
