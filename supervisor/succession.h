/*
 * How generations follow each other: start, reload, retire, stop.
 */
#ifndef SUPERVISOR_SUCCESSION_H
#define SUPERVISOR_SUCCESSION_H

#include "supervisor/state.h"

void succession_init(struct supervisor *s);
/*
 * Prepares the first generation: listeners, rows, places. Takes over conf. 0, or -1 with a message in err[size] and
 * nothing done. Its children come up as the loop turns.
 */
int succession_start(struct supervisor *s, struct conf *conf, char *err, size_t size);
/* A predecessor's generations are in place: serves with them, and reloads. */
void succession_take_over(struct supervisor *s);
/* SIGHUP. Several in a row make one reload after the one that is under way. */
void succession_reload(struct supervisor *s);
/* SIGTERM, SIGQUIT (grace), SIGINT (at once). succession.stop is STOP_DONE when it is over. */
void succession_stop(struct supervisor *s, bool at_once);
/* After each turn of the loop: the next step, if its time has come. */
void succession_turn(struct supervisor *s);

/* A listener of generation g by its row in the serving generation; -1: it is gone there. */
int succession_translate(struct generation *g, unsigned listener);
/* Opens the log that a configuration names. A daemon has no terminal: syslog instead. 0, or -1 with errno. */
int succession_log(struct supervisor *s, const struct conf *conf);

#endif
