/* What is there at one moment: a screen, lists, and the same as JSON. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <stdio.h>

#include "ctl/lbctl.h"
#include "ipc/view.h"

enum show_sort { SHOW_CONFIGURED, SHOW_NAME, SHOW_STATE, SHOW_RATE, SHOW_INFLIGHT, SHOW_ERRORS, SHOW_P99, SHOW_SORTS };

/* How the screen is drawn. */
struct show_style {
	bool color;
	bool lately;		/* errors and latencies of the time between two looks, not of the whole life */
	enum show_sort sort;
};

extern const char *const show_sorts[];	/* by enum show_sort, NULL at the end */

/* The one screen: instance, what is wrong, pools and servers. */
void show_screen(FILE *out, const struct view *v, const struct show_style *style);
/* `lbctl show ...`: takes looks and prints. */
enum lbctl_exit show_command(struct table *t, const struct lbctl_options *o);

#endif
