/* portfree PORT: succeeds when a server could listen on PORT now, IPv4 and (where there is one) IPv6. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int can(const struct sockaddr *sa, socklen_t size)
{
	int one = 1, fd = socket(sa->sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		return sa->sa_family == AF_INET6;	/* a kernel without IPv6 */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	int free_now = bind(fd, sa, size) == 0 && listen(fd, 1) == 0;
	close(fd);
	return free_now;
}

int main(int argc, char **argv)
{
	uint16_t port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0));
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };

	return port != 0 && can((struct sockaddr *)&in4, sizeof(in4)) && can((struct sockaddr *)&in6, sizeof(in6)) ? 0 : 1;
}
