/*
 * What a supervisor leaves to the next one: listeners, channels, wake-ups, the table's name and the
 * pids of children, described in a text that says which version of it it is. It travels in a memfd
 * whose number stands in the environment; the descriptors stay open across exec(2).
 *
 * Two ways lead here: an upgrade (the same process, another program: upgrade.c) and the end of a
 * supervisor that was killed (heir.c). The successor takes over what runs and then reloads, so that
 * whatever differs in it comes with the next generation. Should that reload be refused, it goes on with the
 * configuration that its predecessor had read last, which came along: nothing is missing then but the change.
 */
#ifndef SUPERVISOR_INHERIT_H
#define SUPERVISOR_INHERIT_H

#include "supervisor/state.h"

#define INHERIT_ENV "LOADBALANCER_INHERIT"

/* Writes the description. A memfd, or -1 with errno. */
int inherit_describe(const struct supervisor *s);
/* All that is described stays open across exec(2), or does not. */
void inherit_pass(const struct supervisor *s, bool pass);

/* The description that the environment names; -1: none, this is a first start. Takes it out of the environment. */
int inherit_given(void);
/* Can this program take it over? For the predecessor, before it is too late. 0, or -1 with a message in err[size]. */
int inherit_check(int fd, char *err, size_t size);
/*
 * The configuration that serves, as the predecessor had read it: the file may have changed since, or be gone or bad.
 * NULL: it is not in the description, or cannot be read (after messages on log).
 */
struct conf *inherit_conf(int fd, const struct conf_options *o, FILE *log);
/*
 * Takes it over: fills table, wake-ups, listeners and generations of *s. The event loop must be there. Closes fd.
 * conf: if it `serves`, from inherit_conf(): the serving generation takes it over, and can have its workers and its
 * health process replaced. Or any other, for the size of a new table.
 * 1: conf was taken over; 0: it was not; -1 with a message in err[size].
 */
int inherit_adopt(struct supervisor *s, int fd, struct conf *conf, bool serves, char *err, size_t size);

#endif
