/*
 * Files of access logs. Workers may not open files: they get these by fork, and anew through their channels
 * after SIGUSR1.
 */
#ifndef SUPERVISOR_LOGS_H
#define SUPERVISOR_LOGS_H

#include "supervisor/state.h"

/* Fills conf->access_log[].fd; a file that an older configuration has open is shared. 0, or -1 with a message in err[size]. */
int logs_open(struct conf *conf, char *err, size_t size);
/* The configuration goes: its files are closed where no other one has them. Also after a failed logs_open(). */
void logs_close(struct conf *conf);
/* Opens all of them anew; one that cannot be opened stays as it is. The descriptors keep their numbers. */
void logs_reopen(void);
/* Adds them to a message of type HANDOFF_REOPEN: descriptors, with records that say which is which. */
void logs_say(struct handoff_msg *m, const struct conf *conf);
/* -t: could they be opened? Creates nothing. 0, or -1 with a message. */
int logs_test(const struct conf *conf, char *err, size_t size);

#endif
