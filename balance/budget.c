/* The account of retries: budget.h. */
#include "balance/budget.h"

#define ONE UINT64_C(1000000)

/* In steps of a tenth of a second; what is left over counts next time. */
#define STEPS (BUDGET_SECONDS * 10)

void budget_wear(struct budget *b, uint64_t now_ns)
{
	uint64_t floor = BUDGET_FLOOR * ONE, steps = now_ns > b->at_ns ? (now_ns - b->at_ns) / BUDGET_STEP_NS : 0;

	b->at_ns += steps * BUDGET_STEP_NS;
	if (steps > 20 * STEPS) {	/* e^-20 of anything is nothing */
		b->micro = floor;
		return;
	}
	for (; steps > 0; steps--) {
		if (b->micro > floor)
			b->micro -= (b->micro - floor) / STEPS;
		else
			b->micro += (floor - b->micro) / STEPS;
	}
}

bool budget_retry(struct budget *b, uint32_t percent, uint64_t now_ns)
{
	if (percent == BUDGET_UNLIMITED)
		return true;
	budget_wear(b, now_ns);
	if (b->micro < ONE)
		return false;
	b->micro -= ONE;
	return true;
}
