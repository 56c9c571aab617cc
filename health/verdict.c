/*
 * Rise and fall.
 *
 *	unknown   the first outcome decides: nothing is known that it would have to outweigh
 *	up        `fall` bad probes in a row, or one finding of a worker, take it down
 *	down      `rise` good probes in a row bring it up
 */
#include "health/verdict.h"

static bool change(struct verdict *v, uint32_t to)
{
	v->now = to;
	v->in_a_row = 0;
	v->hurried = false;
	return true;
}

bool verdict_probe(struct verdict *v, const struct conf_check *check, enum shm_outcome outcome)
{
	bool good = outcome == SHM_OUT_OK;

	switch (v->now) {
	case SHM_UP:
		if (outcome == SHM_OUT_LOCAL)	/* says something of this side, nothing of the server */
			return false;
		if (good) {
			v->in_a_row = 0;
			return false;
		}
		return ++v->in_a_row >= check->fall && change(v, SHM_DOWN);
	case SHM_DOWN:
		if (outcome == SHM_OUT_LOCAL)
			return false;
		if (!good) {
			v->in_a_row = 0;
			v->hurried = false;
			return false;
		}
		return ++v->in_a_row >= check->rise && change(v, SHM_UP);
	default:
		return change(v, good ? SHM_UP : SHM_DOWN);
	}
}

bool verdict_finding(struct verdict *v)
{
	if (v->now == SHM_DOWN)
		return false;
	change(v, SHM_DOWN);
	v->hurried = true;
	return true;
}

uint64_t verdict_wait_ns(const struct verdict *v, const struct conf_check *check)
{
	if (v->now == SHM_UP)
		return UINT64_MAX;
	if (v->hurried && v->in_a_row && VERDICT_HURRY_NS < check->down_interval_ns)
		return VERDICT_HURRY_NS;
	return check->down_interval_ns;
}
