/* Why requests went where they did: the last choices that workers wrote down. */
#ifndef CTL_WHY_H
#define CTL_WHY_H

#include "ctl/lbctl.h"
#include "ipc/table.h"

/* `lbctl why [POOL | SERVER]` */
enum lbctl_exit why_command(struct table *t, const struct lbctl_options *o);

#endif
