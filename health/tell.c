/*
 * What the log says of servers.
 */
#include "health/tell.h"

#include <stdio.h>

#include "ipc/table.h"
#include "os/log.h"

/* A server may change so often in a row, then once in so much time, before its lines are withheld. */
#define TELL_BURST 10
#define TELL_PERIOD_NS UINT64_C(10000000000)

#define SECONDS(ns) ((double)(ns) / 1e9)

void tell_init(struct tell *t)
{
	bucket_init(&t->bucket, TELL_BURST, TELL_PERIOD_NS);
	t->quiet = 0;
}

static const char *reason(const struct tell_news *n, char *buf, size_t room)
{
	if (n->outcome == SHM_OUT_BAD_STATUS && n->status)
		snprintf(buf, room, "%s %u", table_outcome_text(n->outcome), n->status);
	else
		snprintf(buf, room, "%s", table_outcome_text(n->outcome));
	return buf;
}

void tell_change(struct tell *t, const struct tell_news *n)
{
	char why[96], again[64] = "";

	if (!bucket_take(&t->bucket, n->now_ns)) {
		if (!t->quiet++)
			t->quiet_since_ns = n->now_ns;
		return;
	}
	tell_rest(t, n);
	if (n->again_ns)
		snprintf(again, sizeof again, ", trying it every %.1f s", SECONDS(n->again_ns));
	if (n->now == SHM_DOWN)
		log_warn("server %s/%s is down: %s; %u of %u servers up%s", n->pool, n->server,
		    reason(n, why, sizeof why), n->up, n->total, again);
	else if (n->now == SHM_UP && n->before == SHM_DOWN)
		log_info("server %s/%s is up after %.1f s; %u of %u servers up", n->pool, n->server,
		    SECONDS(n->lasted_ns), n->up, n->total);
	else if (n->now == SHM_UP)
		log_info("server %s/%s is up; %u of %u servers up", n->pool, n->server, n->up, n->total);
	if (n->none_left)
		log_error("pool %s: no server is up, requests are answered with an error until one is", n->pool);
}

void tell_rest(struct tell *t, const struct tell_news *n)
{
	if (!t->quiet)
		return;
	if (n->before == n->now && !bucket_take(&t->bucket, n->now_ns))
		return;
	log_warn("server %s/%s changed %u more times in %.1f s; it was %s", n->pool, n->server, t->quiet,
	    SECONDS(n->now_ns - t->quiet_since_ns), table_verdict_text(n->before));
	t->quiet = 0;
}
