/*
 * activate ADDRESS... -- COMMAND...: opens listening sockets and passes them as a service manager does (LISTEN_FDS).
 *
 *	ADDRESS		A.B.C.D:PORT, [ADDR]:PORT (v6 only), PORT (all addresses of both families in one socket),
 *			unix:PATH, dgram:PORT (not a stream)
 *
 * The sockets stay open here. When the command ends it is started again, until SIGTERM, which is passed on; then this
 * ends with the command's status. Each start appends "started PID" to stdout.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST 3

static volatile sig_atomic_t told_to_end;

static void on_term(int sig)
{
	(void)sig;
	told_to_end = 1;
}

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "activate: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int listen_at(const char *text)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in4 = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr *sa = (struct sockaddr *)&in6;
	socklen_t size = sizeof(in6);
	const char *colon = strrchr(text, ':');
	int on = 1, v6only = 0, type = SOCK_STREAM, fd;
	char host[64];

	if (strncmp(text, "dgram:", 6) == 0) {
		type = SOCK_DGRAM;
		in6.sin6_port = htons((uint16_t)atoi(text + 6));
	} else if (strncmp(text, "unix:", 5) == 0) {
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", text + 5);
		sa = (struct sockaddr *)&un;
		size = sizeof(un);
	} else if (!colon) {
		in6.sin6_port = htons((uint16_t)atoi(text));
	} else if (text[0] == '[') {
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2, text + 1);
		in6.sin6_port = htons((uint16_t)atoi(colon + 1));
		v6only = 1;
		if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
			die(text);
	} else {
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
		in4.sin_port = htons((uint16_t)atoi(colon + 1));
		sa = (struct sockaddr *)&in4;
		size = sizeof(in4);
		if (inet_pton(AF_INET, host, &in4.sin_addr) != 1)
			die(text);
	}
	fd = socket(sa->sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die(text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
	if (bind(fd, sa, size) != 0 || (type == SOCK_STREAM && listen(fd, 4096) != 0))
		die(text);
	return fd;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	int fd[64], n = 0, status = 0, i;
	pid_t pid;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0 && n < 64; i++)
		fd[n++] = fcntl(listen_at(argv[i]), F_DUPFD_CLOEXEC, 100);	/* out of the way of the numbers they will have */
	if (i + 1 >= argc || n == 0) {
		fputs("usage: activate ADDRESS... -- COMMAND...\n", stderr);
		return 2;
	}
	argv += i + 1;
	sigaction(SIGTERM, &sa, NULL);
	while (!told_to_end) {
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			char text[32];
			for (i = 0; i < n; i++)
				if (dup2(fd[i], FIRST + i) < 0)
					die("dup2");
			snprintf(text, sizeof(text), "%d", (int)getpid());
			setenv("LISTEN_PID", text, 1);
			snprintf(text, sizeof(text), "%d", n);
			setenv("LISTEN_FDS", text, 1);
			setenv("LISTEN_FDNAMES", "one:two", 1);
			execvp(argv[0], argv);
			die(argv[0]);
		}
		printf("started %d\n", (int)pid);
		fflush(stdout);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			if (told_to_end)
				kill(pid, SIGTERM);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
