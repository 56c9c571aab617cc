/* What is wrong, in lines that begin with "!". */
#ifndef CTL_TROUBLE_H
#define CTL_TROUBLE_H

#include "ctl/picture.h"

#define TROUBLE_ERRORS 20.0	/* percent of a server's requests that fail: then it is told of */

void trouble_tell(FILE *out, const struct view *v, const struct picture *how);

#endif
