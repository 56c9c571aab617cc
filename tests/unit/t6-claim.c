/*
 * worker/queue.c: a server's maxconn under eight processes that claim as fast as they can, while others are
 * killed and their columns folded. Nothing waits here; the order of those who wait is t6-maxconn.t's.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "worker/queue.h"

#define WORKERS 8
#define RUN_NS (700 * CONF_MS)

/* What the server would see: who is at it. */
static struct seen {
	struct { _Alignas(SHM_LINE) _Atomic uint32_t here, moves; _Atomic uint64_t claims, refusals; } of[WORKERS + 1];
	_Atomic uint32_t most, stop;
	_Atomic uint64_t looks;		/* at all of them at one moment */
} *seen;

static struct table table;
static int wake[SHM_WORKERS_MAX];

/* `moves` is odd while `here` changes. */
static void set_here(uint32_t slot, uint32_t n)
{
	atomic_fetch_add(&seen->of[slot].moves, 1);
	atomic_store(&seen->of[slot].here, n);
	atomic_fetch_add(&seen->of[slot].moves, 1);
}

/* How many are at it at one and the same moment; 0: somebody came or went while we looked. Who goes and lets in another one
 * would be counted twice else. */
static uint32_t at_server(void)
{
	uint32_t n = 0, moves[WORKERS + 1];

	for (unsigned i = 1; i <= WORKERS; i++) {
		moves[i] = atomic_load(&seen->of[i].moves);
		n += atomic_load(&seen->of[i].here);
	}
	for (unsigned i = 1; i <= WORKERS; i++)
		if (moves[i] % 2 || atomic_load(&seen->of[i].moves) != moves[i])
			return 0;
	atomic_fetch_add(&seen->looks, 1);
	return n;
}

_Noreturn static void claim(uint32_t slot, uint32_t each)
{
	static struct conf_server conf_server;
	static struct conf_pool conf_pool;
	static struct conf conf;
	static struct pool pool;
	static struct server server;
	uint32_t held = 0, n, most;

	worker.table = &table;
	worker.conf = &conf;
	worker.slot = slot;
	worker.wake = wake;
	pool.conf = &conf_pool;
	pool.line = &table_queue(&table, slot)[0];
	pool.waiting_end = &pool.waiting;
	server = (struct server){ .conf = &conf_server, .pool = &pool, .row = &table.server[0], .inflight = table_inflight(&table, slot) };
	while (!atomic_load_explicit(&seen->stop, memory_order_relaxed)) {
		if (held < each && queue_claim(&server)) {
			set_here(slot, ++held);
			n = at_server();
			most = atomic_load(&seen->most);
			while (n > most && !atomic_compare_exchange_weak(&seen->most, &most, n))
				;
			table_add(&seen->of[slot].claims, 1);
		} else {
			if (held < each)
				table_add(&seen->of[slot].refusals, 1);
			if (held > 0) {
				set_here(slot, --held);
				queue_release(&server);
			}
		}
	}
	_exit(0);
}

static pid_t start(uint32_t slot, uint32_t each)
{
	pid_t pid;

	table_live(&table, slot);
	pid = fork();
	if (pid == 0)
		claim(slot, each);
	return pid;
}

static uint64_t run(uint32_t maxconn, uint32_t each, bool kills)
{
	pid_t pid[WORKERS + 1];
	uint64_t end, claims = 0, refusals = 0;
	unsigned killed = 0;

	memset((void *)seen, 0, sizeof *seen);
	atomic_store(&table.server[0].maxconn, maxconn);
	for (uint32_t i = 1; i <= WORKERS; i++)
		pid[i] = start(i, each);
	for (end = loop_clock_ns() + RUN_NS; loop_clock_ns() < end;) {
		uint32_t i = killed % WORKERS + 1;

		usleep(2000);
		if (!kills)
			continue;
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		/* Its connections are closed, then its column is cleared: the supervisor's order. */
		atomic_store(&seen->of[i].moves, 0);
		atomic_store(&seen->of[i].here, 0);
		table_fold(&table, i);
		pid[i] = start(i, each);
		killed++;
	}
	atomic_store(&seen->stop, 1);
	for (uint32_t i = 1; i <= WORKERS; i++) {
		waitpid(pid[i], NULL, 0);
		table_fold(&table, i);
		claims += atomic_load(&seen->of[i].claims);
		refusals += atomic_load(&seen->of[i].refusals);
	}
	printf("# maxconn %u, %u each: %llu claims, %llu refusals, %u killed, %llu looks\n", maxconn, each,
	    (unsigned long long)claims, (unsigned long long)refusals, killed, (unsigned long long)atomic_load(&seen->looks));
	return claims;
}

int main(void)
{
	static const struct { uint32_t maxconn, each; bool kills; } round[] = {
		{ 1, 1, false }, { 1, 1, true }, { 3, 1, false }, { 3, 4, true }, { 7, 1, false }, { 20, 4, true },
	};
	char name[64];

	snprintf(name, sizeof name, "/loadbalancer-test.%d", (int)getpid());
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED || table_create(&table, name, "test", (struct table_size){ WORKERS + 1, 1, 1, 1 }) < 0) {
		printf("Bail out! no shared memory: %s\n", strerror(errno));
		return 1;
	}
	table_unlink(&table);
	atomic_store(&table.inst->servers, 1);
	atomic_store(&table.inst->pools, 1);
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		wake[i] = -1;
	for (unsigned i = 0; i < sizeof round / sizeof round[0]; i++) {
		uint64_t claims = run(round[i].maxconn, round[i].each, round[i].kills);

		ok(atomic_load(&seen->most) <= round[i].maxconn, "maxconn %u: never more than that (%u)%s", round[i].maxconn,
		    atomic_load(&seen->most), round[i].kills ? ", workers being killed" : "");
		ok(claims > 0 && atomic_load(&seen->most) > 0, "and it goes on");
		is_int(table_sum_inflight(&table, 0), 0, "nothing is left when all are gone");
	}
	return done_testing();
}
