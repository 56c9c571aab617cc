/* Connections as they are now, asked from the workers. */
#ifndef CTL_CONNS_H
#define CTL_CONNS_H

#include "ctl/lbctl.h"
#include "ipc/table.h"

/* `lbctl show conns WORD...`: o->arg[1] and on are the filter. */
enum lbctl_exit conns_show(const struct table *t, const struct lbctl_options *o);

#endif
