/*
 * Learning how many requests at a time servers with `maxconn learned` get: balance/limit.h decides, this file brings it
 * the figures and publishes what it says.
 */
#ifndef HEALTH_LIMITER_H
#define HEALTH_LIMITER_H

#include "conf/conf.h"
#include "ipc/table.h"
#include "os/loop.h"

/* Once, at the start; what the table has of before goes on. 0, or -1 with errno. */
int limiter_start(struct loop *loop, const struct conf *conf, struct table *table);

#endif
