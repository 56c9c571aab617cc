/*
 * The health process itself, with a table and servers of the test's own, and no supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "health.c"	/* NOLINT: health_main(); process files are in no archive */
#include "os/proc.h"
#include "os/sock.h"
#include "tests/unit/tap.h"

/* ---- servers ---- */

enum mode { GOOD, STATUS_500, GARBAGE, SILENT, SHUT };

struct backend {
	int fd;			/* listening, held by the test too: the port stays ours */
	pid_t pid;		/* 0: not running */
	unsigned port;
	struct shared {
		_Atomic int mode;
		_Atomic unsigned errors, entries, probes;
	} *shared;
};

static void serve(struct backend *b)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_close_others(STDERR_FILENO + 1, &b->fd, 1);	/* the others' ports, above all */
	for (;;) {
		char buf[2048], body[64];
		int c = accept4(b->fd, NULL, NULL, SOCK_CLOEXEC), mode = b->shared->mode;

		if (c < 0)
			continue;
		b->shared->probes++;
		if (mode == SILENT)
			continue;	/* stays open for ever */
		if (mode != SHUT && recv(c, buf, sizeof buf, 0) > 0) {
			snprintf(body, sizeof body, mode == GARBAGE ? "a\nb" : "%u\n%u", b->shared->errors, b->shared->entries);
			int n = snprintf(buf, sizeof buf, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
			    mode == STATUS_500 ? "500 No" : "200 OK", strlen(body), body);
			send(c, buf, (size_t)n, MSG_NOSIGNAL);
		}
		close(c);
	}
}

/* Port 0: any. */
static void bind_port(struct backend *b)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)b->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof in;
	int on = 1;

	b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (setsockopt(b->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(b->fd, (struct sockaddr *)&in, sizeof in) < 0 ||
	    getsockname(b->fd, (struct sockaddr *)&in, &size) < 0) {
		perror("bind");
		exit(2);
	}
	b->port = ntohs(in.sin_port);
}

static void run(struct backend *b)
{
	if (b->pid)
		return;
	if (listen(b->fd, 100) < 0)
		exit(2);
	b->pid = fork();
	if (b->pid == 0)
		serve(b);
}

/* The socket stays bound, so nobody else gets the port, but does not listen: connections are refused. */
static void halt(struct backend *b)
{
	if (!b->pid)
		return;
	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	b->pid = 0;
	close(b->fd);
	bind_port(b);
}

static void make(struct backend *b)
{
	b->shared = mmap(NULL, sizeof *b->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->shared == MAP_FAILED)
		exit(2);
	bind_port(b);
}

/* ---- the health process, and what a supervisor would hold ---- */

#define N 4

static struct backend backend[N];
static struct conf_server server[N + 3], unchecked[2];
static struct conf_pool pool[3];
static struct conf conf = { .pool = pool };
static struct table table;
static int ours = -1, wake_fd;
static pid_t health;
static char log_path[] = "/tmp/t3-process.XXXXXX";

static void start_health(void)
{
	int sv[2];

	if (ours >= 0)
		close(ours);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		exit(2);
	ours = sv[0];
	health = fork();
	if (health == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		proc_close_others(STDERR_FILENO + 1, (int[]){ sv[1], wake_fd }, 2);
		health_main(&(struct health_start){ .conf = &conf, .table = &table, .generation = 1,
			.channel = sv[1], .wake = wake_fd });
	}
	close(sv[1]);
}

static void wake_up(void)
{
	uint64_t one = 1;

	if (write(wake_fd, &one, sizeof one) < 0)
		exit(2);
}

static void end_health(void)
{
	kill(health, SIGKILL);
	waitpid(health, NULL, 0);
}

static uint64_t ms_since(uint64_t start)
{
	return (loop_clock_ns() - start) / CONF_MS;
}

/* Until the expression holds, at most so many ms; its value at the end. */
#define within(ms, what) ({ \
	uint64_t start_ = loop_clock_ns(); \
	bool done_; \
	while (!(done_ = (what)) && ms_since(start_) < (ms)) \
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL); \
	done_; })

static bool first_byte(void)
{
	char c;

	return recv(ours, &c, 1, MSG_DONTWAIT) == 1;
}

#define ROW(i) (&table.health[i])

/* A worker's finding. */
static void find(unsigned row, enum shm_outcome outcome)
{
	_Atomic uint32_t *word = &table_passive(&table, 1)[row];

	*word = ((*word >> 8) + 1) << 8 | outcome;
	wake_up();
}

static struct conf_server named(const char *name, struct backend *b, uint32_t row)
{
	struct conf_server s = { .name = (char *)(uintptr_t)name, .host = (char *)(uintptr_t)"127.0.0.1", .weight = 1,
		.row = row, .port = (uint16_t)(b ? b->port : 1) };

	if (b)
		sock_numeric("127.0.0.1", b->port, &s.addr, &s.addr_size);
	table.server[row].weight = 1;
	return s;
}

static bool in_log(const char *text)
{
	static char buf[1 << 16];
	FILE *f = fopen(log_path, "r");
	size_t n = f ? fread(buf, 1, sizeof buf - 1, f) : 0;

	if (f)
		fclose(f);
	buf[n] = '\0';
	return strstr(buf, text);
}

/* ---- what is tested ---- */

static void first_round(void)
{
	uint64_t start = loop_clock_ns();

	backend[0].shared->errors = 2;
	backend[0].shared->entries = 40;
	table_dispatched(&table, 1)[0] = 10;
	table_inflight(&table, 1)[0] = 3;
	run(&backend[0]);
	run(&backend[2]);
	backend[2].shared->mode = SILENT;
	start_health();
	ok(within(3000, ROW(0)->verdict == SHM_UP), "a good server is up");
	ok(ROW(0)->entries == 40 && ROW(0)->errors == 2, "with what it reports");
	ok(ROW(0)->base == 7, "which holds what was dispatched, less what is in flight");
	ok(within(3000, ROW(1)->verdict == SHM_DOWN), "one that refuses is down");
	is_int(ROW(1)->outcome, SHM_OUT_REFUSED, "because it refuses");
	is_int(ROW(2)->verdict, SHM_UNKNOWN, "of the silent one nothing is known yet: nobody waits for it");
	ok(!first_byte(), "and so the first round is not over");
	ok(within(3000, first_byte()), "it ends");
	ok(ms_since(start) >= 500 && ms_since(start) < 2000, "with the deadline (%u ms)", (unsigned)ms_since(start));
	is_int(ROW(2)->verdict, SHM_DOWN, "the silent one is down");
	is_int(ROW(2)->outcome, SHM_OUT_ANSWER_TIMEOUT, "because it did not answer");
	is_int(ROW(3)->verdict, SHM_DOWN, "the name that does not resolve is down");
	is_int(ROW(3)->outcome, SHM_OUT_NO_ADDRESS, "because it has no address");
	is_int(ROW(4)->verdict, SHM_UP, "check none is up");
	is_int(table.pool[0].rounds, 1, "one round so far");
	struct sockaddr_storage ss;
	ok(table_address(&table, 0, &ss) == sizeof(struct sockaddr_in) &&
	    ((struct sockaddr_in *)&ss)->sin_port == htons((uint16_t)backend[0].port), "addresses are in the table");
	ok(in_log("server app/s1 is down: connection refused; 1 of 4 servers up") ||
	    in_log("server app/s1 is down: connection refused; 0 of 4 servers up"), "the log says who, why, and what is left");
}

static void outcomes(void)
{
	static const struct { enum mode mode; enum shm_outcome outcome; const char *name; } cases[] = {
		{ STATUS_500, SHM_OUT_BAD_STATUS, "status 500" },
		{ GARBAGE, SHM_OUT_BAD_BODY, "a body of letters" },
		{ SHUT, SHM_OUT_EMPTY, "closed at once" },
		{ GOOD, SHM_OUT_OK, "a good answer" },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		/* what is sent back unread may make it a reset */
		backend[2].shared->mode = cases[i].mode;
		ok(within(3000, ROW(2)->outcome == cases[i].outcome ||
		    (cases[i].mode == SHUT && ROW(2)->outcome == SHM_OUT_RESET)), "outcome of %s", cases[i].name);
	}
	ok(within(3000, ROW(2)->verdict == SHM_UP), "and up it is");
	ok(ROW(2)->down_ns > 0 && ROW(2)->up_since_ns > 0 && ROW(2)->probes_failed > 0, "its time down is on record");
}

static void comes_up(void)
{
	uint64_t start;
	uint32_t gen = ROW(1)->gen;

	ok(within(3000, ROW(1)->gen - gen >= 2), "each verdict raises the generation, also the same again");
	run(&backend[1]);
	start = loop_clock_ns();
	ok(within(3000, ROW(1)->verdict == SHM_UP), "a server that starts is found");
	ok(ms_since(start) < 1000, "within a second (%u ms)", (unsigned)ms_since(start));
}

/* Turns by weight are level among servers that are up. */
static void joined(void)
{
	uint64_t zero = table_sum_dispatched(&table, 0) + ROW(0)->join, one, lead;

	table_dispatched(&table, 1)[0] += 5000;
	table_dispatched(&table, 1)[2] += 5000;
	halt(&backend[1]);
	find(1, SHM_OUT_WORKER_REFUSED);
	ok(within(3000, ROW(1)->verdict == SHM_DOWN), "down, while its peers go on");
	run(&backend[1]);
	ok(within(3000, ROW(1)->verdict == SHM_UP), "up again");
	one = table_sum_dispatched(&table, 1) + ROW(1)->join;
	lead = table_sum_dispatched(&table, 0) + ROW(0)->join;
	ok(lead == zero + 5000 && one >= lead, "it joins its peers where they are");
}

static void findings(void)
{
	uint32_t gen = ROW(0)->gen;
	uint64_t probes = ROW(0)->probes;

	find(0, SHM_OUT_WORKER_RESET);
	ok(within(3000, ROW(0)->down_outcome == SHM_OUT_WORKER_RESET), "a worker's finding takes a server down");
	ok(within(3000, ROW(0)->verdict == SHM_UP), "a probe brings it back");
	ok(ROW(0)->gen - gen >= 2 && ROW(0)->probes > probes, "with a generation for each");

	halt(&backend[0]);
	find(0, SHM_OUT_WORKER_REFUSED);
	ok(within(3000, ROW(0)->verdict == SHM_DOWN && ROW(0)->outcome == SHM_OUT_REFUSED), "or agrees");
	is_int(ROW(0)->down_outcome, SHM_OUT_WORKER_REFUSED, "what took it down stays on record");
	run(&backend[0]);
	ok(within(3000, ROW(0)->verdict == SHM_UP), "until it is there again");

	/* a worker dies: its counts move to column 0, which is no finding */
	uint64_t failed = ROW(0)->probes_failed;
	gen = ROW(0)->gen;
	table_fold(&table, 1);
	table_live(&table, 1);
	wake_up();
	ok(within(100, ROW(0)->verdict != SHM_UP) == false && ROW(0)->gen == gen && ROW(0)->probes_failed == failed,
	    "a column that is folded is no finding");

	find(4, SHM_OUT_WORKER_REFUSED);
	uint64_t start = loop_clock_ns();
	ok(within(3000, ROW(4)->verdict == SHM_DOWN), "check none: a finding counts");
	ok(within(3000, ROW(4)->verdict == SHM_UP), "for a while");
	is_int(ROW(7)->verdict, SHM_DOWN, "check none: without an address it stays down");
	ok(ms_since(start) >= 900 && ms_since(start) < 2500, "of a second (%u ms)", (unsigned)ms_since(start));
}

/* A server that answers probes and resets each request: no probe for every finding. */
static void flapping(void)
{
	uint64_t probes = ROW(0)->probes, start = loop_clock_ns();

	while (ms_since(start) < 500) {
		find(0, SHM_OUT_WORKER_RESET);
		within(2, ROW(0)->verdict == SHM_DOWN);
	}
	ok(ROW(0)->probes - probes < 30, "findings without end make few probes (%u)", (unsigned)(ROW(0)->probes - probes));
	ok(within(3000, ROW(0)->verdict == SHM_UP), "it comes back");
}

static void requests(void)
{
	uint64_t had = table.pool[0].rounds, target = table.pool[0].round_target, sum = 0, start;

	for (unsigned i = 0; i < N; i++)
		sum += table_sum_dispatched(&table, i);
	ok(target == sum + 100 || target - sum <= 100, "a target stands (%lld ahead)", (long long)(target - sum));
	table_dispatched(&table, 1)[2] += 90;
	wake_up();
	ok(!within(100, table.pool[0].rounds != had), "not reached: no round");
	table_dispatched(&table, 1)[2] += 10;
	wake_up();
	ok(within(3000, table.pool[0].rounds != had), "reached: an extra round");
	ok(within(1000, table.pool[0].round_target == sum + 200), "and the next target");

	had = table.pool[0].rounds;
	start = loop_clock_ns();
	while (ms_since(start) < 1000) {
		table_dispatched(&table, 1)[2] += 1000;
		wake_up();
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
	had = table.pool[0].rounds - had;
	ok(had >= 5 && had <= 32, "a storm of requests is none of probes (%u rounds in 1 s)", (unsigned)had);
}

static void maintenance(void)
{
	unsigned probes;

	table.server[2].admin = SHM_MAINT;
	wake_up();
	ok(within(3000, ROW(2)->verdict == SHM_UNKNOWN), "in maintenance nothing is known");
	within(300, false);	/* one that had been on its way may be counted late */
	probes = backend[2].shared->probes;
	ok(!within(700, backend[2].shared->probes != probes), "it is not probed");
	table.server[2].admin = SHM_READY;
	wake_up();
	ok(within(3000, ROW(2)->verdict == SHM_UP), "back at once when it is ready");
}

static void unix_and_names(void)
{
	struct sockaddr_storage ss;

	ok(within(3000, ROW(5)->verdict == SHM_UP), "a name that resolves is up");
	is_int(table_address(&table, 5, &ss), sizeof(struct sockaddr_in), "at its address that works");
	is_int(ROW(6)->outcome, SHM_OUT_UNREACHABLE, "no unix socket");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%s", server[6].path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&un, sizeof un) < 0 || listen(fd, 0) < 0)
		exit(2);
	ok(within(3000, ROW(6)->verdict == SHM_UP), "a unix socket that accepts, check tcp");
	/* nobody accepts: the backlog fills up, connections wait, then fail */
	ok(within(6000, ROW(6)->outcome == SHM_OUT_CONNECT_TIMEOUT), "a full backlog is no connection in time");
	close(fd);
	unlink(un.sun_path);
}

static long switches(void)
{
	char line[128], name[64];
	long sum = 0, n;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%d/status", (int)health);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
			sum += n;
	if (f)
		fclose(f);
	return sum;
}

static void succession(void)
{
	uint64_t since = ROW(0)->since_ns;
	uint32_t gen = ROW(0)->gen;
	long before;

	end_health();
	start_health();
	ok(within(3000, first_byte()), "a successor needs no first round: everything is known");
	ok(within(3000, ROW(0)->gen != gen) && ROW(0)->since_ns == since, "verdicts go on from where they stood");

	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);	/* let the first round end */
	before = switches();
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	ok(switches() - before < 60, "it sleeps when there is nothing to do (%ld switches in 1 s)", switches() - before);

	close(ours);
	ours = -1;
	ok(within(3000, waitpid(health, NULL, WNOHANG) == health || errno == ECHILD), "it ends with its channel");
}

int main(void)
{
	char name[64];
	int fd = mkstemp(log_path);

	signal(SIGPIPE, SIG_IGN);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		exit(2);
	for (unsigned i = 0; i < N; i++)
		make(&backend[i]);
	snprintf(name, sizeof name, "/t3-process.%d", (int)getpid());
	if (table_create(&table, name, "0", (struct table_size){ .workers = 4, .pools = 4, .servers = 16 }) < 0)
		exit(2);
	table_unlink(&table);
	table.inst->servers = 8;
	table_live(&table, 1);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	server[0] = named("s0", &backend[0], 0);
	server[1] = named("s1", &backend[1], 1);
	server[2] = named("s2", &backend[2], 2);
	server[3] = named("s3", NULL, 3);
	server[3].host = (char *)(uintptr_t)"nosuch.invalid";
	server[4] = named("s4", &backend[3], 4);
	server[5] = named("s5", &backend[3], 5);
	server[5].addr_size = 0;
	server[5].host = (char *)(uintptr_t)"localhost";
	server[6] = named("s6", NULL, 6);
	server[6].host = NULL;
	server[6].path = malloc(64);
	snprintf(server[6].path, 64, "%s.sock", log_path);
	sock_unix(server[6].path, &server[6].addr, &server[6].addr_size);
	unchecked[0] = server[4];
	unchecked[1] = named("s7", NULL, 7);
	unchecked[1].host = server[3].host;
	run(&backend[3]);

	pool[0] = (struct conf_pool){ .name = (char *)(uintptr_t)"app", .server = server, .nservers = 4, .row = 0,
		.check = { .kind = CONF_CHECK_SEED, .path = (char *)(uintptr_t)"/healthcheck",
			.interval_ns = 60 * CONF_SECOND, .down_interval_ns = 200 * CONF_MS, .timeout_ns = 500 * CONF_MS,
			.requests = 100, .rise = 1, .fall = 1 } };
	pool[1] = pool[2] = pool[0];
	pool[1].name = (char *)(uintptr_t)"none";
	pool[1].server = unchecked;
	pool[1].nservers = 2;
	pool[1].row = 1;
	pool[1].check.kind = CONF_CHECK_NONE;
	pool[2].name = (char *)(uintptr_t)"tcp";
	pool[2].server = server + 5;
	pool[2].nservers = 2;
	pool[2].row = 2;
	pool[2].check.kind = CONF_CHECK_TCP;
	pool[2].check.interval_ns = 400 * CONF_MS;
	pool[2].check.requests = 0;
	conf.npools = 3;

	first_round();
	outcomes();
	comes_up();
	joined();
	findings();
	flapping();
	requests();
	maintenance();
	unix_and_names();
	succession();
	for (unsigned i = 0; i < N; i++)
		halt(&backend[i]);
	if (tap_failed) {
		char line[512];
		FILE *f = fopen(log_path, "r");

		while (f && fgets(line, sizeof line, f))
			printf("# %s", line);
	}
	unlink(log_path);
	return done_testing();
}
