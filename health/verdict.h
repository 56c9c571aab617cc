/*
 * Rise and fall: what the outcomes of probes, and workers' findings, make of a server. Pure.
 */
#ifndef HEALTH_VERDICT_H
#define HEALTH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "shm_stats.h"

/* After a worker's finding a server proves itself at this pace, so that a hiccup costs little. */
#define VERDICT_HURRY_NS (100 * CONF_MS)

struct verdict {
	uint32_t now;		/* enum shm_verdict */
	uint32_t in_a_row;	/* good probes while down, bad ones while up, since the last change */
	bool hurried;		/* a worker took it down, and no probe has said so since */
};

/* A probe has ended. True: the verdict has changed. */
bool verdict_probe(struct verdict *v, const struct conf_check *check, enum shm_outcome outcome);
/* A worker could not use the server. True: the verdict has changed. */
bool verdict_finding(struct verdict *v);
/* How long until a probe of its own is due; UINT64_MAX: the rounds of its pool are enough. */
uint64_t verdict_wait_ns(const struct verdict *v, const struct conf_check *check);

#endif
