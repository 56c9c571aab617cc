/*
 * The control socket: what an operator asks of the supervisor, by lbctl or by hand.
 *
 * A connection carries one request, a line of words, and one answer: the line "ok" or "error", and
 * then text until the end. For example
 *
 *	drain app/app1		ok
 *				app/app1: drain, was ready; 3 in flight
 *
 * Requests: drain, maint, ready SERVER...; weight SERVER N|default; check SERVER...; reload; upgrade;
 * config; conns FILTER, with a socket for the answer: ipc/conns.h;
 * log level [LEVEL]; stop [now]. SERVER is as ipc/match.h says.
 *
 * Who may connect is said by the mode of the socket's file, and asked of the kernel again: root, the
 * user that runs the supervisor, and members of control-group. Whatever a client does, it costs a
 * bounded amount of memory and time.
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include "supervisor/state.h"

/* For -t: whether the group exists. 0, or -1 with a message. */
int control_test(const struct conf *conf, char *err, size_t size);
/* Opens the socket, if one is configured, and writes its path into the table, which is there. 0, or -1 with a message. */
int control_open(struct supervisor *s, const struct conf *conf, char *err, size_t size);
/* After each turn: answers those who wait for a reload. */
void control_turn(struct supervisor *s);
/* Removes the socket's file, if it is still ours, and lets clients go. */
void control_close(struct supervisor *s);

#endif
