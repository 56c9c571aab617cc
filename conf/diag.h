/* The configuration's complaints: each one line, "FILE:LINE:COLUMN: what is wrong; what was expected". */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

#include <stdio.h>

#include "conf/lex.h"

#define DIAG_MAX 10		/* messages; what is wrong further down often follows from these */
#define DIAG_QUOTE_MAX 80	/* room for a quoted word */

struct diag {
	FILE *out;
	const char *file;
	unsigned errors;	/* all, also those not printed */
};

void diag_at(struct diag *d, unsigned line, unsigned column, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The word between quotation marks, cut when long, fit for a terminal. Returns buf. */
const char *diag_quote(char buf[static DIAG_QUOTE_MAX], const char *text);

#endif
