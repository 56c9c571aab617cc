/*
 * What a request says of the server that it wants: the key of balance hash, and the cookie that keeps a
 * client with its server.
 */
#ifndef WORKER_PLACE_H
#define WORKER_PLACE_H

#include "worker/exchange.h"

/*
 * Reads both into x->key and x->sticky, and takes the cookie out of the head, whose bytes are at `at`, so that it
 * does not go to the server. Before the head is forwarded.
 */
void place_http(struct exchange *x, struct http_head *h, char *at);
/* mode tcp: the client's address is all there is. */
void place_tcp(struct exchange *x);
/* A head of an answer that ends at the end of `out`: adds the cookie where the client has not got it yet. */
void place_cookie(const struct exchange *x, struct buf *out);

#endif
