/* pattern SIZE [SEED]: writes the bytes that /bytes/SIZE?seed=SEED of the demo server answers. */
#include "tests/tools/pattern.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	uint64_t size = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	char buf[65536];

	for (uint64_t at = 0; at < size; at += sizeof(buf)) {
		size_t n = size - at < sizeof(buf) ? (size_t)(size - at) : sizeof(buf);
		pattern_fill(buf, n, seed, at);
		if (fwrite(buf, 1, n, stdout) != n)
			return 1;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
