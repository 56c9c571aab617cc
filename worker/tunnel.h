/*
 * Bytes both ways, whatever they mean: mode tcp, and after 101 Switching Protocols.
 */
#ifndef WORKER_TUNNEL_H
#define WORKER_TUNNEL_H

#include "worker/exchange.h"

enum exchange_result tunnel_run(struct exchange *x);

#endif
