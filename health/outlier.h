/*
 * Taking out servers that requests find wanting, in pools with `eject on`: balance/eject.h decides,
 * this file brings it the figures and publishes what it says.
 */
#ifndef HEALTH_OUTLIER_H
#define HEALTH_OUTLIER_H

#include "conf/conf.h"
#include "ipc/table.h"
#include "os/loop.h"

/* Once, at the start; whoever was out is in again. 0, or -1 with errno. */
int outlier_start(struct loop *loop, const struct conf *conf, struct table *table);

#endif
