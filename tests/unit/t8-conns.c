/* ipc/conns: filters, there and back, and what is not one. */
#include <arpa/inet.h>

#include "ipc/conns.h"
#include "tests/unit/tap.h"

static bool reads(const char *text)
{
	struct conns_filter f;

	return conns_filter_read(&f, text, strlen(text)) == 0;
}

static bool client(const char *net, unsigned bits, const char *address)
{
	struct conns_filter f = { .family = strchr(net, ':') ? AF_INET6 : AF_INET, .bits = bits };
	uint32_t family = strchr(address, ':') ? AF_INET6 : AF_INET;
	uint8_t addr[16] = { 0 };

	return inet_pton((int)f.family, net, f.net) == 1 && inet_pton((int)family, address, addr) == 1 &&
	    conns_filter_client(&f, family, addr);
}

int main(void)
{
	struct conns_filter f = { .states = 12, .listener = 3, .older_ns = 5000000000, .since_ns = 7, .family = AF_INET6, .bits = 33,
	    .net = { 1, 2, 0xfe, [15] = 255 }, .server = "app/app1" }, g;
	char text[CONNS_FILTER_MAX];

	ok(conns_filter_write(&f, text, sizeof text) == 0, "written");
	ok(conns_filter_read(&g, text, strlen(text)) == 0 && memcmp(&f, &g, sizeof f) == 0, "and read back the same");
	memset(&f, 0, sizeof f);
	f.listener = SEEN_NONE;
	ok(conns_filter_write(&f, text, sizeof text) == 0 && reads(text), "one that lets all pass");
	ok(conns_filter_write(&f, text, 20) < 0, "no room");
	memset(f.server, '*', sizeof f.server - 1);
	ok(conns_filter_write(&f, text, sizeof text) == 0 && conns_filter_read(&g, text, strlen(text)) == 0 &&
	    strcmp(f.server, g.server) == 0, "the longest name");
	size_t end = strlen(text);
	text[end] = '*';
	text[end + 1] = '\0';
	ok(!reads(text), "a longer one");
	ok(!reads(""), "nothing");
	ok(!reads("states=1"), "a part of one");
	ok(!reads("states=1 listener=2 older=3 since=4 client=2/8/00 server="), "a net too short");
	ok(!reads("states=1 listener=2 older=3 since=4 client=2/33/00000000000000000000000000000000 server="), "too many bits");
	ok(reads("states=1 listener=2 older=3 since=4 client=2/32/00000000000000000000000000000000 server="), "as many as there are");
	ok(reads("states=1 listener=2 older=3 since=4 client=10/128/00000000000000000000000000000000 server="), "of IPv6, too");
	ok(conns_filter_read(&g, "states=1\0", 9) < 0, "a NUL byte");

	ok(client("10.1.0.0", 16, "10.1.255.3") && !client("10.1.0.0", 16, "10.2.0.0"), "a net");
	ok(client("10.1.64.0", 18, "10.1.127.9") && !client("10.1.64.0", 18, "10.1.128.0"), "bits within a byte");
	ok(client("10.1.2.3", 32, "10.1.2.3") && !client("10.1.2.3", 32, "10.1.2.4"), "an address");
	ok(client("0.0.0.0", 0, "9.9.9.9") && !client("0.0.0.0", 0, "::1"), "all of a family");
	ok(client("10.0.0.0", 8, "::ffff:10.1.2.3"), "IPv4 that came by IPv6");
	ok(client("2001:db8::", 32, "2001:db8:1::1") && !client("2001:db8::", 32, "2001:db9::1"), "IPv6");
	return done_testing();
}
