/* The 95th of a hundred: quantile.h. */
#include "balance/quantile.h"

#define STEP_FIRST	0.5f	/* of the first answers: quickly to the right order of magnitude, ... */
#define STEP_LAST	0.02f	/* ... and of later ones: within some hundredths, over the last thousand or so */

void quantile_learn(struct quantile *q, uint64_t took_ns)
{
	float step = STEP_LAST, took = (float)took_ns;

	if (q->answers == 0)
		q->ns = took;
	if (q->answers < QUANTILE_ENOUGH) {
		step += STEP_FIRST * (float)(QUANTILE_ENOUGH - q->answers) / QUANTILE_ENOUGH;
		q->answers++;
	}
	if (took > q->ns)
		q->ns += q->ns * step * QUANTILE_SHARE + 1;
	else
		q->ns -= q->ns * step * (1 - QUANTILE_SHARE);
}
