/*
 * A second copy of a request that is late, at another server: the first answer wins. Off unless the pool says
 * `hedge`.
 */
#ifndef WORKER_HEDGE_H
#define WORKER_HEDGE_H

#include "worker/exchange.h"

/* The exchange waits for its server: the session's timer is set to when that has been long enough, if a copy may follow. */
void hedge_await(struct exchange *x);
/* That time has come: begins with another server, if one has room and the budget allows. WAIT or GO. */
enum exchange_result hedge_begin(struct exchange *x);
/* The exchange waits, and x->hedge is there: goes on with it as far as it can. GO: it has become the exchange's own. */
enum exchange_result hedge_run(struct exchange *x);
/* The timer of the copy's connection has fired. */
void hedge_late(struct exchange *x);
/* The exchange's own server answers, or all is over: lets go of the copy, if there is one. */
void hedge_drop(struct exchange *x);
/* The exchange's own server has failed, which is booked: leaves it and goes on with the copy. False: there is none. */
bool hedge_instead(struct exchange *x);
/* A final answer has begun: learns what is late. */
void hedge_learn(struct exchange *x);

#endif
