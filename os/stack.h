/*
 * Where a process was when it was asked: for one that hangs and is about to be killed.
 */
#ifndef OS_STACK_H
#define OS_STACK_H

#define STACK_STATUS 78	/* exit status of a process that has told its stack */

/* From now on SIGABRT makes this process log where it is, and end with STACK_STATUS. */
void stack_tell_on_abort(void);

#endif
