/*
 * How hard the machine has to work for us, so that accept.c knows whether processor time is worth saving.
 */
#ifndef SUPERVISOR_STRAIN_H
#define SUPERVISOR_STRAIN_H

#include "supervisor/state.h"

/*
 * 0: processors are idle when we want them; 1: the workers are busy nearly all of the time, or we wait for a processor
 * ourselves. A mean over some ten milliseconds; cheap to ask often.
 */
double strain_now(struct supervisor *s);

void strain_init(struct supervisor *s);
void strain_close(struct supervisor *s);

#endif
