/*
 * Telling an operator what connections are here (ipc/conns.h): a bounded number of them in each turn of the
 * loop, so that those who are served do not notice.
 */
#ifndef WORKER_CONNS_H
#define WORKER_CONNS_H

#include "ipc/handoff.h"

#include <stdbool.h>

/* A message of type HANDOFF_ASK. Takes its descriptor. */
void conns_ask(const struct handoff_msg *m);
/* Goes on with what is asked; the worker's loop calls it in each turn. True: there is more to do at once. */
bool conns_run(void);

#endif
