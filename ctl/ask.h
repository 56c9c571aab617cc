/* Asking the supervisor for something, by its control socket. The protocol: supervisor/control.h. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctl/lbctl.h"

/*
 * Sends one request and reads the whole answer. LBCTL_OK and LBCTL_FAILED say what the supervisor
 * said: then *text is its answer, to be freed. LBCTL_CONTROL: there was none, after a message. Who
 * listens must be the process `pid`, whatever the table says, to which less trusted processes can
 * write; 0: whoever it is.
 */
enum lbctl_exit ask(const char *path, pid_t pid, const char *request, uint64_t timeout_ns, char **text);

#endif
