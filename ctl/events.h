/* What has happened: the last changes of servers, generations and workers, with their reasons. */
#ifndef CTL_EVENTS_H
#define CTL_EVENTS_H

#include "ctl/lbctl.h"
#include "ipc/view.h"

/* `lbctl show events [POOL | SERVER]` */
enum lbctl_exit events_show(const struct table *t, const struct view *v, const char *pattern, const struct lbctl_options *o);

#endif
