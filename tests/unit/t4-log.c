/* The event log: escaping, cutting, never blocking, counting what is lost. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "os/log.h"
#include "os/throttle.h"
#include "tests/unit/tap.h"

static char text[1 << 20];
static char path[] = "/tmp/t4-log.XXXXXX";

/* What a file holds, as a string. */
static const char *slurp(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static const char *after(const char *line, const char *mark)
{
	const char *at = strstr(line, mark);

	return at ? at + strlen(mark) : "(not there)";
}

static void to_file(void)
{
	char big[4096], moved[64];

	ok(log_open(path) == 0, "a file is opened");
	ok(log_is_file() && log_fd() > 2, "and known as one");
	log_name("worker 3");
	log_info("hello %d", 5);
	slurp(path);
	ok(strlen(text) > 30 && text[4] == '-' && text[10] == 'T' && text[19] == '.' && text[26] == ':',
	   "a stamp with milliseconds and zone: %.29s", text);
	is_int(atoi(after(text, " worker 3[")), getpid(), "who");
	is_str(after(text, "] info: "), "hello 5\n", "level and text");

	ok(truncate(path, 0) == 0, "emptied");
	errno = ENOENT;
	log_error("a\nb\x1b[31m \\ \xc3\xa9 \x7f");
	is_int(errno, ENOENT, "errno is left alone");
	is_str(after(slurp(path), "error: "), "a\\x0ab\\x1b[31m \\\\ \\xc3\\xa9 \\x7f\n", "control bytes are escaped, one line stays one");

	ok(truncate(path, 0) == 0, "emptied");
	log_debug("not this");
	is_str(slurp(path), "", "debug is off");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("but this");
	is_str(after(slurp(path), "debug: "), "but this\n", "until it is on");

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ok(truncate(path, 0) == 0, "emptied");
	log_info("%s", big);
	slurp(path);
	ok(strlen(text) < 2048 && strcmp(text + strlen(text) - 4, "...\n") == 0, "a long text is cut, and shows it");
	memset(big, '\n', sizeof(big) - 1);
	ok(truncate(path, 0) == 0, "emptied");
	log_info("%s", big);
	slurp(path);
	ok(strlen(text) <= 2048 && text[strlen(text) - 1] == '\n' && strchr(text, '\n') == text + strlen(text) - 1,
	   "a long text of control bytes too");

	snprintf(moved, sizeof(moved), "%s.1", path);
	ok(rename(path, moved) == 0 && log_reopen() == 0, "moved away and opened anew");
	log_info("new");
	is_str(after(slurp(path), "info: "), "new\n", "the new file gets it");
	unlink(moved);
	ok(rename(path, moved) == 0, "moved away");
	log_adopt(open(moved, O_WRONLY | O_APPEND | O_CLOEXEC));
	log_info("adopted");
	ok(strstr(slurp(moved), "adopted") != NULL, "a descriptor from elsewhere is taken over");
	unlink(moved);

	ok(log_open("/nonexistent/dir/log") < 0 && errno == ENOENT, "a file that cannot be opened: an error");
	ok(log_is_file(), "and the old one stays");
}

/* stderr is a pipe that nobody reads: neither blocked nor are its flags changed, and the loss is told. */
static void to_pipe(void)
{
	int fd[2], saved = dup(STDERR_FILENO), i, flags;
	struct timespec a, b;
	const char *note;
	ssize_t n, got = 0;

	ok(pipe(fd) == 0 && dup2(fd[1], STDERR_FILENO) == STDERR_FILENO, "stderr is a pipe");
	ok(log_open("stderr") == 0, "opened");
	flags = fcntl(STDERR_FILENO, F_GETFL);
	ok(!(flags & O_NONBLOCK), "the shared description keeps its flags");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < 5000; i++)
		log_info("line %d fills the pipe that nobody reads, and then some", i);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ok(b.tv_sec - a.tv_sec < 5, "a full pipe does not block");
	ok(!(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK), "flags are as they were");
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	while ((n = read(fd[0], text, sizeof(text))) > 0)
		got += n;
	ok(got > 30000, "what fitted is there: %zd bytes", got);
	log_info("room again");
	n = read(fd[0], text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	note = after(text, "warning: ");
	ok(atoi(note) > 1000 && strstr(note, "lines were dropped here"), "the loss is told: %.40s", note);
	ok(strstr(text, "room again") != NULL, "and then the line");
	close(fd[0]);
	log_info("nobody is there");
	ok(true, "a pipe without a reader is survived");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd[1]);
}

/* stderr is the journal's socket: priority instead of a stamp. */
static void to_journal(void)
{
	int sv[2], saved = dup(STDERR_FILENO), i;
	char stream[64], line[8192];
	struct stat st;
	ssize_t n;

	ok(socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == 0 && dup2(sv[1], STDERR_FILENO) == STDERR_FILENO, "stderr is a socket");
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_name("supervisor");
	ok(log_open("stderr") == 0, "opened");
	log_warn("careful");
	n = read(sv[0], line, sizeof(line) - 1);
	line[n < 0 ? 0 : n] = '\0';
	ok(strncmp(line, "<4>supervisor[", 14) == 0 && strstr(line, "]: careful\n"), "priority, no stamp: %.24s", line);
	for (i = 0; i < 100000; i++)
		log_info("%d", i);
	ok(true, "a full socket does not block");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open("stderr");
	while (recv(sv[0], line, sizeof(line), MSG_DONTWAIT) > 0)
		;
	log_warn("careful");
	n = recv(sv[0], line, sizeof(line) - 1, MSG_DONTWAIT);
	line[n < 0 ? 0 : n] = '\0';
	ok(line[0] != '<' && strstr(line, " warning: careful\n"), "another socket than the journal's gets a stamp");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(sv[0]);
	close(sv[1]);
}

static unsigned count(const char *haystack, const char *needle)
{
	unsigned n = 0;

	for (; (haystack = strstr(haystack, needle)); haystack += strlen(needle))
		n++;
	return n;
}

/* In time of its own. */
static void kinds(void)
{
	static struct throttle t = { .burst = 3, .due_ns = UINT64_MAX };
	static const char key[2 * THROTTLE_KINDS];
	const uint64_t s = 1000000000;
	const struct throttle_kind *due;
	struct throttle_kind *k;
	unsigned held = 0, i, kept = 0;

	for (i = 0; i < 3; i++)
		if (throttle_hold(&t, &key[0], s) == NULL)
			kept++;
	is_int(kept, 3, "so many pass");
	k = throttle_hold(&t, &key[0], 2 * s);
	ok(k && throttle_hold(&t, &key[0], 3 * s) == k, "the further ones are held back");
	ok(throttle_hold(&t, &key[1], 3 * s) == NULL, "another kind is another matter");
	is_int(t.due_ns, 11 * s, "they are told when the period is over");
	ok(throttle_due(&t, 11 * s - 1, &held) == NULL, "not before");
	due = throttle_due(&t, 11 * s, &held);
	ok(due == k && held == 2, "with their number");
	ok(throttle_due(&t, 11 * s, &held) == NULL && t.due_ns == UINT64_MAX, "once");
	ok(throttle_hold(&t, &key[0], 12 * s) == NULL, "then the next period");
	for (i = 0; i < 2; i++)
		throttle_hold(&t, &key[0], 12 * s);
	ok(throttle_hold(&t, &key[0], 20 * s) != NULL && throttle_hold(&t, &key[1], 22 * s) == NULL, "each kind has its own");
	for (i = 2; i < 2 * THROTTLE_KINDS; i++)
		throttle_hold(&t, &key[i], 22 * s);
	for (i = kept = 0; i < 10; i++)
		if (throttle_hold(&t, &key[2 * THROTTLE_KINDS - 1], 22 * s))
			kept++;
	is_int(kept, 0, "more kinds than it can know are not held back");
	due = throttle_due(&t, 40 * s, &held);
	ok(due == k && held == 1, "and what was held back is not forgotten over it");
	for (i = kept = 0; i < 10; i++)
		if (throttle_hold(&t, &key[2 * THROTTLE_KINDS - 1], 50 * s))
			kept++;
	is_int(kept, 7, "there is room again when others have been quiet");
}

static void again_and_again(void)
{
	uint64_t due;
	int i;

	ok(log_open(path) == 0, "a file");
	log_burst(5);
	for (i = 0; i < 50; i++)
		log_warn("server s%d is down", i);
	log_info("something else");
	slurp(path);
	is_int(count(text, "is down"), 5, "the first ones of many alike are told");
	is_int(count(text, "something else"), 1, "others go on");
	due = log_due_ns();
	ok(due != UINT64_MAX, "there is more to tell");
	log_tick(due - 1);
	is_int(count(slurp(path), "is down"), 5, "in its time");
	log_tick(due);
	ok(strstr(slurp(path), "warning: server s49 is down (this is the last of 45 such lines in 10 s that were left out)\n") != NULL,
	   "with the last one and their number");
	ok(log_due_ns() == UINT64_MAX, "that is all");
	for (i = 0; i < 20; i++)
		log_warn("again %d", i);
	ok(log_due_ns() != UINT64_MAX, "held back");
	log_name("worker 3");
	ok(log_due_ns() == UINT64_MAX, "a child does not tell what its parent has held back");
	log_set_level(LOG_LEVEL_DEBUG);
	for (i = 0; i < 20; i++)
		log_debug("detail %d", i);
	is_int(count(slurp(path), "detail"), 20, "who asks for details gets them all");
	log_set_level(LOG_LEVEL_INFO);
	ok(truncate(path, 0) == 0, "emptied");
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	kinds();
	again_and_again();
	log_burst(0);
	to_file();
	to_pipe();
	to_journal();
	unlink(path);
	return done_testing();
}
