/*
 * The way of a request to its server.
 */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "worker/exchange.h"

/* Moves what there is of the request, head and body. WAIT also when there is no more to move. */
enum exchange_result request_send(struct exchange *x);

#endif
