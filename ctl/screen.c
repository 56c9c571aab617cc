/* The terminal. */
#include "ctl/screen.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

unsigned screen_columns(int fd)
{
	struct winsize w;

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
}

/* no-color.org: any value but an empty one. */
bool screen_colors(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no && *no) && !(term && term[0] == 'd' && term[1] == 'u');
}
