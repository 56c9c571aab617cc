/*
 * A token bucket in one number: the time at which it would be full again. A token taken moves that
 * time one period on; a token is there while it lies less than a whole depth ahead.
 */
#include "health/bucket.h"

void bucket_init(struct bucket *b, unsigned burst, uint64_t period_ns)
{
	b->period_ns = period_ns;
	b->depth_ns = (burst ? burst : 1) * period_ns;
	b->full_ns = 0;
}

uint64_t bucket_ready_ns(const struct bucket *b)
{
	uint64_t need = b->full_ns + b->period_ns;

	return need > b->depth_ns ? need - b->depth_ns : 0;
}

bool bucket_take(struct bucket *b, uint64_t now_ns)
{
	if (bucket_ready_ns(b) > now_ns)
		return false;
	if (b->full_ns < now_ns)
		b->full_ns = now_ns;
	b->full_ns += b->period_ns;
	return true;
}
