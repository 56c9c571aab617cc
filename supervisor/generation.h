/*
 * A generation: one configuration with its workers' places.
 */
#ifndef SUPERVISOR_GENERATION_H
#define SUPERVISOR_GENERATION_H

#include "supervisor/state.h"

/*
 * Takes slots and channels for the configuration's workers; no process is started. Owns `conf` from then on.
 * NULL with errno (ENOSPC: not enough free slots); conf is then still the caller's.
 */
struct generation *generation_new(struct supervisor *s, struct conf *conf, uint32_t number);
/* Gives slots and channels back, and frees the configuration. No process of it is alive. */
void generation_free(struct generation *g);
/* Free slots of the table. */
unsigned generation_free_slots(const struct supervisor *s);
/* Gives one place's slot back: its worker is gone and drained. */
void generation_release(struct worker *w);

#endif
