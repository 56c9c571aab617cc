/*
 * How a round of connections is shared among workers. Pure: unit-tested alone.
 *
 * load[i] is what worker i has, and is raised by what it is given; give[i] says how many that is.
 * The one with the least load is filled up to `slack` above the next one, again and again: a round
 * not larger than slack goes whole to one worker (one message, one wake-up), a flood of connections
 * is spread with a difference of at most slack + 1 between equals. Among equals `turn` goes first.
 */
#ifndef SUPERVISOR_SPREAD_H
#define SUPERVISOR_SPREAD_H

#include <stdint.h>

void spread_round(uint32_t workers, uint64_t *load, uint32_t connections, uint32_t slack, uint32_t turn,
		  uint32_t *give);

#endif
