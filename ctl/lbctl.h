/* lbctl: what its commands have in common. */
#ifndef CTL_LBCTL_H
#define CTL_LBCTL_H

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses: documented in lbctl(8), and never changed. */
enum lbctl_exit {
	LBCTL_OK = 0,
	LBCTL_FAILED = 1,	/* understood, but it was refused or went wrong: a bad configuration, a probe that failed */
	LBCTL_USAGE = 2,
	LBCTL_NONE = 3,		/* no such instance, several to choose from, or it ended meanwhile */
	LBCTL_TABLE = 4,	/* its table cannot be read */
	LBCTL_CONTROL = 5,	/* the control socket cannot be used: there is none, no permission, no answer in time */
};

struct lbctl_options {
	const char *instance;	/* --instance; NULL: the only one */
	bool json;
	bool interval_set, timeout_set;
	uint64_t interval_ns;	/* between two looks */
	uint64_t timeout_ns;	/* for an answer of the supervisor */
	unsigned count;		/* of looks; 0: no end */
	const char *sort;	/* top */
	const char *socket;	/* --socket; NULL: where the table says */
	bool wait;		/* drain, maint: until nothing is in flight */
	char **arg;		/* after the command */
	int nargs;
};

#endif
