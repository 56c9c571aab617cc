/*
 * How many second chances there are: a share of the requests, and a few a second besides, so that a
 * retry is there when a server dies and an outage is not made worse by twice the load. Pure.
 *
 * A request puts `percent` hundredths into the account, a retry takes one. What lies there wears off
 * towards BUDGET_FLOOR with a time constant of BUDGET_SECONDS, from above and from below: an account that is
 * empty earns a floor of BUDGET_FLOOR / BUDGET_SECONDS retries a second, and what was saved in
 * quiet times covers some seconds of full retrying, not more.
 */
#ifndef BALANCE_BUDGET_H
#define BALANCE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_SECONDS	10
#define BUDGET_FLOOR	100		/* retries; 10 a second */
#define BUDGET_UNLIMITED UINT32_MAX	/* percent: every retry is allowed */

struct budget {
	uint64_t micro;		/* millionths of a retry */
	uint64_t at_ns;		/* when that was right */
};

static inline void budget_start(struct budget *b, uint64_t now_ns)
{
	*b = (struct budget){ BUDGET_FLOOR * UINT64_C(1000000), now_ns };
}

void budget_wear(struct budget *b, uint64_t now_ns);

#define BUDGET_STEP_NS UINT64_C(100000000)

/* now_ns must not go back. */
static inline void budget_request(struct budget *b, uint32_t percent, uint64_t now_ns)
{
	if (percent == BUDGET_UNLIMITED)
		return;
	if (now_ns - b->at_ns >= BUDGET_STEP_NS)
		budget_wear(b, now_ns);
	b->micro += percent * UINT64_C(10000);
}

/* True: one was there, and is taken. */
bool budget_retry(struct budget *b, uint32_t percent, uint64_t now_ns);

#endif
