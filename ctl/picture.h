/* The one screen: instance, what is wrong, pools and servers. Of show and top. */
#ifndef CTL_PICTURE_H
#define CTL_PICTURE_H

#include <stdio.h>

#include "ctl/screen.h"
#include "ctl/wanted.h"
#include "ipc/view.h"

enum picture_sort {
	PICTURE_CONFIGURED, PICTURE_NAME, PICTURE_STATE, PICTURE_RATE, PICTURE_INFLIGHT, PICTURE_ERRORS, PICTURE_P99, PICTURE_SORTS
};

extern const char *const picture_sorts[];	/* by enum picture_sort, NULL at the end */

/* How it is drawn. */
struct picture {
	bool color;
	bool lately;		/* errors and latencies of the time between two looks, not of the whole life */
	bool trouble;		/* only servers that are not up */
	enum picture_sort sort;
	unsigned columns;	/* of the terminal; fewer than PICTURE_WIDE: fewer figures. 0: as many as there are */
	const struct wanted *wanted;	/* which servers; NULL: all */
};

#define PICTURE_WIDE 118

void picture_draw(FILE *out, const struct view *v, const struct picture *how);
/* Whether a server gets requests, as far as its state goes. */
bool picture_is_up(const struct view_server *s);

#endif
