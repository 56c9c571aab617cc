/* What is said of connections: words, and filters as text. */
#include "ipc/conns.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

const char *const conns_words[CONNS_STATES + 1] = {
	[CONNS_IDLE] = "idle", [CONNS_PREAMBLE] = "preamble", [CONNS_HEAD] = "head", [CONNS_QUEUE] = "queue",
	[CONNS_CONNECT] = "connect", [CONNS_REQUEST] = "request", [CONNS_WAIT] = "wait", [CONNS_ANSWER] = "answer",
	[CONNS_TUNNEL] = "tunnel", [CONNS_OWN] = "own", [CONNS_LINGER] = "linger",
};

int conns_filter_write(const struct conns_filter *f, char *text, size_t room)
{
	char net[33];
	int n;

	for (unsigned i = 0; i < 16; i++)
		snprintf(net + 2 * i, 3, "%02x", f->net[i]);
	n = snprintf(text, room, "states=%" PRIu32 " listener=%" PRIu32 " older=%" PRIu64 " since=%" PRIu64 " client=%" PRIu32 "/%" PRIu32
	    "/%s server=%s", f->states, f->listener, f->older_ns, f->since_ns, f->family, f->bits, net, f->server);
	return n < 0 || (size_t)n >= room ? -1 : 0;
}

int conns_filter_read(struct conns_filter *f, const char *text, size_t size)
{
	char copy[CONNS_FILTER_MAX], net[33];
	int at = 0;

	memset(f, 0, sizeof *f);
	if (size >= sizeof copy || memchr(text, '\0', size))
		return -1;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (sscanf(copy, "states=%" SCNu32 " listener=%" SCNu32 " older=%" SCNu64 " since=%" SCNu64 " client=%" SCNu32 "/%" SCNu32
	    "/%32[0-9a-f] server=%n", &f->states, &f->listener, &f->older_ns, &f->since_ns, &f->family, &f->bits, net, &at) != 7 ||
	    at == 0 || strlen(net) != 32 || strlen(copy + at) >= sizeof f->server ||
	    f->bits > (f->family == AF_INET6 ? 128 : 32))
		return -1;
	for (unsigned i = 0; i < 16; i++)
		if (sscanf(net + 2 * i, "%2hhx", &f->net[i]) != 1)
			return -1;
	memcpy(f->server, copy + at, strlen(copy + at) + 1);
	return 0;
}

bool conns_filter_client(const struct conns_filter *f, uint32_t family, const uint8_t *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned bytes = f->bits / 8, rest = f->bits % 8;

	if (f->family == 0)
		return true;
	if (family == AF_INET6 && f->family == AF_INET && memcmp(addr, mapped, sizeof mapped) == 0) {
		family = AF_INET;
		addr += sizeof mapped;
	}
	return family == f->family && memcmp(f->net, addr, bytes) == 0 &&
	    (rest == 0 || ((f->net[bytes] ^ addr[bytes]) & (0xff00u >> rest) & 0xffu) == 0);
}
