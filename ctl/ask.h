/* Asking the supervisor for something, by its control socket. The protocol: supervisor/control.h. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctl/lbctl.h"
#include "ipc/table.h"

/*
 * Sends one request and reads the whole answer. LBCTL_OK and LBCTL_FAILED say what the supervisor
 * said: then *text is its answer, to be freed. LBCTL_CONTROL: there was none, after a message. Who
 * listens must be the process `pid`, whatever the table says, to which less trusted processes can
 * write; 0: whoever it is. fd goes along with the request; -1: none does.
 */
enum lbctl_exit ask(const char *path, pid_t pid, const char *request, int fd, uint64_t timeout_ns, char **text);
/* The same of the supervisor of this table, by the socket that it or the command line names. */
enum lbctl_exit ask_supervisor(const struct table *t, const struct lbctl_options *o, const char *request, int fd,
			       uint64_t timeout_ns, char **text);

#endif
