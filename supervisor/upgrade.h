/*
 * An upgrade: another program takes this process over, with its pid, listeners and children.
 */
#ifndef SUPERVISOR_UPGRADE_H
#define SUPERVISOR_UPGRADE_H

#include "supervisor/state.h"

/* In main(), before anything else: how to start the program again. taking_over: a predecessor knows its path. */
void upgrade_init(char **argv, bool taking_over);
/* SIGUSR2: lets the program that now lies where we were started from look at the configuration. */
void upgrade_begin(struct supervisor *s);
/* From children_reap(): it has. */
void upgrade_checked(struct supervisor *s, int status);
/* After each turn: goes over to it when nothing is under way. */
void upgrade_turn(struct supervisor *s);
/*
 * Becomes the program in that place, or the same one as this, with everything that inherit.c describes. Returns only when
 * it fails: -1, errno.
 */
int upgrade_exec(struct supervisor *s, bool same);

#endif
