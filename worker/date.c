/*
 * The Date of answers that have none, and of our own: a text that is written once a second. Worker only.
 */
#include "worker/date.h"

#include <time.h>

struct http_text date_now(void)
{
	static char text[HTTP_DATE_SIZE];
	static uint64_t until_ns;	/* monotonic; the text is right before it */
	struct timespec now;

	if (state_now() >= until_ns) {
		/* It cannot fail: the clock is there, and `now` is ours. */
		clock_gettime(CLOCK_REALTIME, &now);
		http_date(text, (uint64_t)now.tv_sec);
		until_ns = state_now() + CONF_SECOND - (uint64_t)now.tv_nsec;
	}
	return (struct http_text){ text, sizeof text };
}
