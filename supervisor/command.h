/* What an operator may ask for; control.c carries the words. */
#ifndef SUPERVISOR_COMMAND_H
#define SUPERVISOR_COMMAND_H

#include <stdio.h>
#include <sys/socket.h>

#include "supervisor/state.h"

enum command_result {
	COMMAND_DONE,
	COMMAND_REFUSED,
	COMMAND_WAITS,	/* a reload: the answer comes when succession.ended says so */
	COMMAND_WAITS_UPGRADE,	/* when the new program has looked at the configuration: `checking` is 0 */
};

/* Does what `line` (which is overwritten) says and writes text for people to `out`. Never blocks. fd: what came along,
 * the caller's; -1: nothing did. */
enum command_result command_run(struct supervisor *s, char *line, int fd, const struct ucred *who, FILE *out);

#endif
