/* The shared table: made, mapped, walked. Supervisor, workers, health and lbctl. */
#include "ipc/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balance/learn.h"
#include "ipc/seen.h"

static uint64_t lines(uint64_t bytes)
{
	return (bytes + SHM_LINE - 1) / SHM_LINE * SHM_LINE;
}

/* Where everything lies, for the sizes given. The one place that decides it. */
static void lay_out(struct shm_instance *h, struct table_size size)
{
	uint64_t at = sizeof *h, in_column = 0;

	h->magic = SHM_MAGIC;
	h->layout = SHM_LAYOUT;
	h->header_size = sizeof *h;
	h->max_workers = size.workers;
	h->max_pools = size.pools;
	h->max_servers = size.servers;
	h->max_listeners = size.listeners;
	h->worker_offset = at;
	at += size.workers * sizeof(struct shm_worker);
	h->pool_offset = at;
	at += size.pools * sizeof(struct shm_pool);
	h->server_offset = at;
	at += size.servers * sizeof(struct shm_server);
	h->health_offset = at;
	at += size.servers * sizeof(struct shm_health);
	h->listener_offset = at;
	at += size.listeners * sizeof(struct shm_listener);
	h->history_servers = size.servers < SHM_HISTORY_SERVERS ? size.servers : SHM_HISTORY_SERVERS;
	h->history_offset = at;
	at += sizeof(struct shm_history);
	h->past_pool_offset = at;
	at += size.pools * sizeof(struct shm_past);
	h->past_server_offset = at;
	at += h->history_servers * sizeof(struct shm_past);
	h->past_worker_offset = at;
	at += size.workers * sizeof(struct shm_past);
	h->load_offset = at;
	h->inflight_offset = in_column;
	in_column += lines(size.servers * sizeof(uint32_t));
	h->passive_offset = in_column;
	in_column += lines(size.servers * sizeof(uint32_t));
	h->dispatched_offset = in_column;
	in_column += lines(size.servers * sizeof(uint64_t));
	h->clients_offset = in_column;
	in_column += lines(size.listeners * sizeof(uint32_t));
	h->queue_offset = in_column;
	in_column += size.pools * sizeof(struct shm_queue);
	h->cell_offset = in_column;
	in_column += size.servers * sizeof(struct shm_load);
	h->learn_offset = in_column;
	in_column += size.servers * sizeof(struct shm_learn);
	h->load_stride = in_column;
	h->choices_offset = at + size.workers * in_column;
	h->size = h->choices_offset + size.workers * sizeof(struct shm_choices);
}

static void point(struct table *t, void *base, size_t size)
{
	struct shm_instance *h = base;
	char *at = base;

	t->inst = h;
	t->worker = (void *)(at + h->worker_offset);
	t->pool = (void *)(at + h->pool_offset);
	t->server = (void *)(at + h->server_offset);
	t->health = (void *)(at + h->health_offset);
	t->listener = (void *)(at + h->listener_offset);
	t->history = (void *)(at + h->history_offset);
	t->past_pool = (void *)(at + h->past_pool_offset);
	t->past_server = (void *)(at + h->past_server_offset);
	t->past_worker = (void *)(at + h->past_worker_offset);
	t->load = at + h->load_offset;
	t->choices = (void *)(at + h->choices_offset);
	t->load_stride = h->load_stride;
	t->inflight_offset = h->inflight_offset;
	t->passive_offset = h->passive_offset;
	t->dispatched_offset = h->dispatched_offset;
	t->clients_offset = h->clients_offset;
	t->queue_offset = h->queue_offset;
	t->cell_offset = h->cell_offset;
	t->learn_offset = h->learn_offset;
	t->max_workers = h->max_workers;
	t->max_pools = h->max_pools;
	t->max_servers = h->max_servers;
	t->max_listeners = h->max_listeners;
	t->history_servers = h->history_servers;
	t->size = size;
	t->seen = NULL;
	t->seen_base = NULL;
}

static int keep_name(struct table *t, const char *name)
{
	size_t n = strlen(name);

	if (n >= sizeof t->name) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(t->name, name, n + 1);
	return 0;
}

int table_create(struct table *t, const char *name, const char *version, struct table_size size)
{
	struct shm_instance h;
	void *base;
	int fd, saved;

	if (size.workers < 2 || size.workers > SHM_WORKERS_MAX || size.pools < 1 || size.servers < 1 ||
	    size.pools > 1 << 16 || size.servers > 1 << 20 || size.listeners > 1 << 16) {
		errno = EINVAL;
		return -1;
	}
	if (keep_name(t, name) < 0)
		return -1;
	memset(&h, 0, sizeof h);
	lay_out(&h, size);
	strncpy(h.version, version, sizeof h.version - 1);
	strncpy(h.instance, name[0] == '/' ? name + 1 : name, sizeof h.instance - 1);

	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	if (fchmod(fd, 0644) < 0 || ftruncate(fd, (off_t)h.size) < 0)	/* whatever the umask: lbctl reads it */
		goto fail;
	base = mmap(NULL, h.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		goto fail;
	close(fd);
	memcpy(base, &h, sizeof h);
	point(t, base, h.size);
	table_live(t, 0);
	if (seen_create(t) < 0) {
		saved = errno;
		table_unmap(t);
		shm_unlink(name);
		errno = saved;
		return -1;
	}
	return 0;
fail:
	saved = errno;
	close(fd);
	shm_unlink(name);
	errno = saved;
	return -1;
}

static int map_existing(struct table *t, const char *name, bool write)
{
	struct shm_instance want;
	struct stat st;
	void *base = MAP_FAILED;
	int fd, saved;

	if (keep_name(t, name) < 0)
		return -1;
	fd = shm_open(name, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		goto fail;
	if (st.st_size < (off_t)sizeof(struct shm_instance)) {
		errno = EPROTO;
		goto fail;
	}
	base = mmap(NULL, (size_t)st.st_size, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		goto fail;
	/* The layout follows from three numbers: compute it again and compare, rather than check each offset. */
	const struct shm_instance *h = base;
	memset(&want, 0, sizeof want);
	errno = EPROTO;
	if (h->magic != SHM_MAGIC || h->layout != SHM_LAYOUT || h->max_workers > SHM_WORKERS_MAX ||
	    h->max_pools > 1 << 16 || h->max_servers > 1 << 20 || h->max_listeners > 1 << 16)
		goto fail;
	lay_out(&want, (struct table_size){ h->max_workers, h->max_pools, h->max_servers, h->max_listeners });
	if (memcmp(h, &want, offsetof(struct shm_instance, version)) != 0 || want.size != (uint64_t)st.st_size)
		goto fail;
	close(fd);
	point(t, base, (size_t)st.st_size);
	return 0;
fail:
	saved = errno;
	if (base != MAP_FAILED)
		munmap(base, (size_t)st.st_size);
	close(fd);
	errno = saved;
	return -1;
}

int table_open(struct table *t, const char *name)
{
	return map_existing(t, name, false);
}

int table_attach(struct table *t, const char *name)
{
	if (map_existing(t, name, true) < 0)
		return -1;
	if (seen_attach(t) == 0)
		return 0;
	int saved = errno;
	table_unmap(t);
	errno = saved;
	return -1;
}

int table_remove(const char *name)
{
	seen_unlink(name);
	return shm_unlink(name);
}

int table_unlink(const struct table *t)
{
	return table_remove(t->name);
}

void table_unmap(struct table *t)
{
	seen_unmap(t);
	munmap(t->inst, t->size);
	t->inst = NULL;
}

uint32_t table_next_live(const struct table *t, uint32_t from)
{
	for (uint32_t w = from / 64; from < t->max_workers; from = ++w * 64) {
		uint64_t bits = atomic_load_explicit(&t->inst->live[w], memory_order_acquire) >> (from % 64);
		if (bits) {
			from += (uint32_t)__builtin_ctzll(bits);
			return from < t->max_workers ? from : t->max_workers;
		}
	}
	return t->max_workers;
}

uint64_t table_sum_inflight(const struct table *t, uint32_t server)
{
	uint64_t sum = 0;

	for (uint32_t s = table_next_live(t, 0); s < t->max_workers; s = table_next_live(t, s + 1))
		sum += atomic_load_explicit(&table_inflight(t, s)[server], memory_order_relaxed);
	return sum;
}

uint64_t table_sum_passive(const struct table *t, uint32_t server)
{
	uint64_t sum = 0;

	for (uint32_t s = table_next_live(t, 0); s < t->max_workers; s = table_next_live(t, s + 1))
		sum += atomic_load_explicit(&table_passive(t, s)[server], memory_order_relaxed) >> 8;
	return sum;
}

uint64_t table_sum_dispatched(const struct table *t, uint32_t server)
{
	uint64_t sum = 0;

	for (uint32_t s = table_next_live(t, 0); s < t->max_workers; s = table_next_live(t, s + 1))
		sum += atomic_load_explicit(&table_dispatched(t, s)[server], memory_order_relaxed);
	return sum;
}

uint64_t table_sum_clients(const struct table *t, uint32_t listener)
{
	uint64_t sum = 0;

	for (uint32_t s = table_next_live(t, 1); s < t->max_workers; s = table_next_live(t, s + 1))
		sum += atomic_load_explicit(&table_clients(t, s)[listener], memory_order_relaxed);
	return sum;
}

static void add_queue(struct shm_queue *to, const struct shm_queue *from)
{
	table_add(&to->queued, atomic_load_explicit(&from->queued, memory_order_relaxed));
	table_add(&to->refused, atomic_load_explicit(&from->refused, memory_order_relaxed));
	table_add(&to->timeouts, atomic_load_explicit(&from->timeouts, memory_order_relaxed));
	table_add(&to->wait_ns, atomic_load_explicit(&from->wait_ns, memory_order_relaxed));
	table_add(&to->retries, atomic_load_explicit(&from->retries, memory_order_relaxed));
	table_add(&to->retries_refused, atomic_load_explicit(&from->retries_refused, memory_order_relaxed));
	table_add(&to->hedges, atomic_load_explicit(&from->hedges, memory_order_relaxed));
	table_add(&to->hedges_won, atomic_load_explicit(&from->hedges_won, memory_order_relaxed));
	table_add(&to->hedges_refused, atomic_load_explicit(&from->hedges_refused, memory_order_relaxed));
	table_add(&to->shed, atomic_load_explicit(&from->shed, memory_order_relaxed));
}

void table_sum_queue(const struct table *t, uint32_t pool, struct shm_queue *sum)
{
	for (int attempt = 0; attempt < 1000; attempt++) {	/* as in table_sum_cell() */
		uint32_t seq = atomic_load_explicit(&t->inst->fold_seq, memory_order_acquire);
		uint64_t lowest = 0;
		memset((void *)sum, 0, sizeof *sum);
		for (uint32_t s = table_next_live(t, 0); s < t->max_workers; s = table_next_live(t, s + 1)) {
			const struct shm_queue *q = &table_queue(t, s)[pool];
			uint64_t want = atomic_load_explicit(&q->want, memory_order_relaxed);
			uint64_t late = atomic_load_explicit(&q->late_ns, memory_order_relaxed);
			if (s > 0 && late > atomic_load_explicit(&sum->late_ns, memory_order_relaxed))
				atomic_store_explicit(&sum->late_ns, late, memory_order_relaxed);
			if (want && (lowest == 0 || want < lowest))
				lowest = want;
			add_queue(sum, q);
			table_add32(&sum->waiting, atomic_load_explicit(&q->waiting, memory_order_relaxed));
			table_add32(&sum->inflight, atomic_load_explicit(&q->inflight, memory_order_relaxed));
		}
		atomic_store_explicit(&sum->want, lowest, memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if ((seq & 1) == 0 && atomic_load_explicit(&t->inst->fold_seq, memory_order_relaxed) == seq)
			return;
	}
}

/* A cell is counters all the way, but for this one word. */
#define CELL_WORDS (sizeof(struct shm_load) / sizeof(uint64_t))
#define EWMA_WORD (offsetof(struct shm_load, latency_ewma_ns) / sizeof(uint64_t))

static void add_cell(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
	for (size_t i = 0; i < CELL_WORDS; i++)
		if (i != EWMA_WORD)
			table_add(&to[i], atomic_load_explicit(&from[i], memory_order_relaxed));
}

void table_sum_cell(const struct table *t, uint32_t server, struct shm_load *sum)
{
	/* While a column is folded its figures stand in two places or in none. The attempts are bounded: a
	 * supervisor that died in the middle must not hang whoever looks at the table. */
	for (int attempt = 0; attempt < 1000; attempt++) {
		uint32_t seq = atomic_load_explicit(&t->inst->fold_seq, memory_order_acquire);
		struct shm_load one;
		memset(&one, 0, sizeof one);
		uint64_t ewma = 0, n = 0;
		for (uint32_t s = table_next_live(t, 0); s < t->max_workers; s = table_next_live(t, s + 1)) {
			struct shm_load *cell = &table_cell(t, s)[server];
			add_cell((_Atomic uint64_t *)&one, (const _Atomic uint64_t *)cell);
			uint64_t e = atomic_load_explicit(&cell->latency_ewma_ns, memory_order_relaxed);
			ewma += e;
			n += e != 0;
		}
		atomic_thread_fence(memory_order_acquire);
		if ((seq & 1) == 0 && atomic_load_explicit(&t->inst->fold_seq, memory_order_relaxed) == seq) {
			add_cell((_Atomic uint64_t *)sum, (const _Atomic uint64_t *)&one);
			if (n)
				atomic_store_explicit(&sum->latency_ewma_ns, ewma / n, memory_order_relaxed);
			return;
		}
	}
}

void table_live(struct table *t, uint32_t slot)
{
	_Atomic uint64_t *w = &t->inst->live[slot / 64];

	atomic_store_explicit(w, atomic_load_explicit(w, memory_order_relaxed) | UINT64_C(1) << (slot % 64),
	    memory_order_release);
}

void table_fold(struct table *t, uint32_t slot)
{
	_Atomic uint64_t *w = &t->inst->live[slot / 64];
	uint32_t n = atomic_load_explicit(&t->inst->servers, memory_order_relaxed);
	uint32_t npools = atomic_load_explicit(&t->inst->pools, memory_order_relaxed);
	_Atomic uint32_t *seq = &t->inst->fold_seq;

	atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (uint32_t i = 0; i < n; i++) {
		struct shm_load *cell = &table_cell(t, slot)[i];
		uint32_t passive = atomic_load_explicit(&table_passive(t, slot)[i], memory_order_relaxed);
		_Atomic uint32_t *kept = &table_passive(t, 0)[i];
		table_add(&table_dispatched(t, 0)[i],
		    atomic_load_explicit(&table_dispatched(t, slot)[i], memory_order_relaxed));
		if (passive)	/* count above, reason in the low byte: add one, keep the latest of the other */
			atomic_store_explicit(kept, ((atomic_load_explicit(kept, memory_order_relaxed) >> 8) +
			    (passive >> 8)) << 8 | (passive & 0xff), memory_order_relaxed);
		add_cell((_Atomic uint64_t *)&table_cell(t, 0)[i], (const _Atomic uint64_t *)cell);
		learn_fold(&table_learn(t, 0)[i], &table_learn(t, slot)[i]);
	}
	for (uint32_t i = 0; i < npools; i++) {
		uint64_t late = atomic_load_explicit(&table_queue(t, slot)[i].late_ns, memory_order_relaxed);
		add_queue(&table_queue(t, 0)[i], &table_queue(t, slot)[i]);
		if (late)
			atomic_store_explicit(&table_queue(t, 0)[i].late_ns, late, memory_order_relaxed);
	}
	memset((void *)table_queue(t, slot), 0, npools * sizeof(struct shm_queue));
	memset((void *)table_clients(t, slot), 0, t->max_listeners * sizeof(uint32_t));
	memset(t->load + slot * t->load_stride, 0, t->inflight_offset + lines(n * sizeof(uint32_t)));
	memset((void *)table_passive(t, slot), 0, n * sizeof(uint32_t));
	memset((void *)table_dispatched(t, slot), 0, n * sizeof(uint64_t));
	memset((void *)table_cell(t, slot), 0, n * sizeof(struct shm_load));
	memset((void *)table_learn(t, slot), 0, n * sizeof(struct shm_learn));
	atomic_store_explicit(w, atomic_load_explicit(w, memory_order_relaxed) & ~(UINT64_C(1) << (slot % 64)),
	    memory_order_release);
	atomic_store_explicit(seq, atomic_load_explicit(seq, memory_order_relaxed) + 1, memory_order_release);
}

void table_clear_server(struct table *t, uint32_t server)
{
	for (uint32_t s = 0; s < t->max_workers; s++) {
		/* Untouched columns stay untouched: reading does not take memory, writing does. */
		if (s != 0 && !(atomic_load_explicit(&t->inst->live[s / 64], memory_order_relaxed) >> (s % 64) & 1))
			continue;
		atomic_store_explicit(&table_inflight(t, s)[server], 0, memory_order_relaxed);
		atomic_store_explicit(&table_passive(t, s)[server], 0, memory_order_relaxed);
		atomic_store_explicit(&table_dispatched(t, s)[server], 0, memory_order_relaxed);
		memset((void *)&table_cell(t, s)[server], 0, sizeof(struct shm_load));
		memset((void *)&table_learn(t, s)[server], 0, sizeof(struct shm_learn));
	}
	memset((void *)&t->health[server], 0, sizeof t->health[server]);
}

void table_clear_pool(struct table *t, uint32_t pool)
{
	for (uint32_t s = table_next_live(t, 0); s < t->max_workers; s = table_next_live(t, s + 1))
		memset((void *)&table_queue(t, s)[pool], 0, sizeof(struct shm_queue));
}

void table_clear_listener(struct table *t, uint32_t listener)
{
	for (uint32_t s = table_next_live(t, 0); s < t->max_workers; s = table_next_live(t, s + 1))
		atomic_store_explicit(&table_clients(t, s)[listener], 0, memory_order_relaxed);
	atomic_store_explicit(&t->listener[listener].accepted, 0, memory_order_relaxed);
}

socklen_t table_address(const struct table *t, uint32_t server, struct sockaddr_storage *ss)
{
	const struct shm_health *h = &t->health[server];
	uint64_t word[SHM_ADDR_MAX / 8];

	for (int attempt = 0; attempt < 1000; attempt++) {
		uint32_t seq = atomic_load_explicit(&h->addr_seq, memory_order_acquire);
		uint32_t size = atomic_load_explicit(&h->addr_size, memory_order_relaxed);
		if (seq & 1 || size > SHM_ADDR_MAX)
			continue;
		for (uint32_t i = 0; i < (size + 7) / 8; i++)
			word[i] = atomic_load_explicit(&h->addr[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&h->addr_seq, memory_order_relaxed) == seq) {
			memcpy(ss, word, size);
			return size;
		}
	}
	return 0;
}

void table_set_address(struct table *t, uint32_t server, const struct sockaddr *sa, socklen_t size)
{
	struct shm_health *h = &t->health[server];
	uint64_t word[SHM_ADDR_MAX / 8] = { 0 };
	/* A predecessor that died in the middle left it odd: stay odd until done. */
	uint32_t seq = atomic_load_explicit(&h->addr_seq, memory_order_relaxed) | 1;

	if (size > SHM_ADDR_MAX)
		return;
	memcpy(word, sa, size);
	atomic_store_explicit(&h->addr_seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < SHM_ADDR_MAX / 8; i++)
		atomic_store_explicit(&h->addr[i], word[i], memory_order_relaxed);
	atomic_store_explicit(&h->addr_size, size, memory_order_relaxed);
	atomic_store_explicit(&h->addr_seq, seq + 1, memory_order_release);
}

unsigned table_latency_bucket(uint64_t ns)
{
	uint64_t n = ns / 16000;	/* 16 us */
	unsigned b = n ? 64 - (unsigned)__builtin_clzll(n) : 0;

	return b < SHM_LATENCY_BUCKETS ? b : SHM_LATENCY_BUCKETS - 1;
}

const char *table_outcome_text(uint32_t outcome)
{
	static const char *const text[SHM_OUT_COUNT] = {
		[SHM_OUT_NONE] = "not probed yet",
		[SHM_OUT_OK] = "ok",
		[SHM_OUT_REFUSED] = "connection refused",
		[SHM_OUT_UNREACHABLE] = "unreachable",
		[SHM_OUT_CONNECT_TIMEOUT] = "no connection in time",
		[SHM_OUT_SEND_FAILED] = "probe could not be sent",
		[SHM_OUT_ANSWER_TIMEOUT] = "no answer in time",
		[SHM_OUT_RESET] = "connection reset",
		[SHM_OUT_EMPTY] = "closed without an answer",
		[SHM_OUT_TRUNCATED] = "answer cut short",
		[SHM_OUT_BAD_HEAD] = "answer is not HTTP",
		[SHM_OUT_BAD_STATUS] = "unwanted status",
		[SHM_OUT_BAD_BODY] = "body is not errors and entries",
		[SHM_OUT_BODY_TOO_LONG] = "body too long",
		[SHM_OUT_NO_ADDRESS] = "name does not resolve",
		[SHM_OUT_LOCAL] = "no resources on this side",
		[SHM_OUT_WORKER_REFUSED] = "refused a worker's connection",
		[SHM_OUT_WORKER_TIMEOUT] = "did not answer a worker in time",
		[SHM_OUT_WORKER_RESET] = "closed a worker's connection without an answer",
	};

	return outcome < SHM_OUT_COUNT ? text[outcome] : "unknown";
}

const char *table_verdict_text(uint32_t verdict)
{
	return verdict == SHM_UP ? "up" : verdict == SHM_DOWN ? "down" : verdict == SHM_EMPTY ? "empty" : "unknown";
}

const char *table_eject_text(uint32_t reason)
{
	static const char *const text[] = {
		[SHM_EJECT_NOT] = "not ejected",
		[SHM_EJECT_ROW] = "requests fail one after the other",
		[SHM_EJECT_RATE] = "more of its requests fail than of the others'",
		[SHM_EJECT_SLOW] = "answers much later than the others",
	};

	return reason < sizeof text / sizeof *text ? text[reason] : "unknown";
}

const char *table_standing_text(uint32_t standing)
{
	static const char *const text[SHM_STOOD_COUNT] = {
		[SHM_STOOD_COMPARED] = "compared",
		[SHM_STOOD_DOWN] = "down",
		[SHM_STOOD_EJECTED] = "ejected",
		[SHM_STOOD_FULL] = "full",
		[SHM_STOOD_TRIED] = "has failed it",
		[SHM_STOOD_DRAIN] = "drained",
		[SHM_STOOD_MAINT] = "in maintenance",
		[SHM_STOOD_WEIGHT] = "of weight 0",
		[SHM_STOOD_UNPROBED] = "not probed yet",
		[SHM_STOOD_OVER] = "above its share",
		[SHM_STOOD_SPARE] = "a backup",
	};

	return standing < SHM_STOOD_COUNT ? text[standing] : "unknown";
}

const char *table_rule_text(uint32_t rule)
{
	static const char *const text[SHM_RULE_COUNT] = {
		[SHM_RULE_NONE] = "none",
		[SHM_RULE_LEAST_REQUESTS] = "least-requests",
		[SHM_RULE_LEAST_CONNECTIONS] = "least-connections",
		[SHM_RULE_ROUND_ROBIN] = "round-robin",
		[SHM_RULE_RANDOM] = "random",
		[SHM_RULE_HASH] = "hash",
		[SHM_RULE_ADAPTIVE] = "adaptive",
		[SHM_RULE_FIRST] = "first",
		[SHM_RULE_HASH_NEXT] = "hash-next",
		[SHM_RULE_STICKY] = "sticky",
		[SHM_RULE_ONLY] = "only",
	};

	return rule < SHM_RULE_COUNT ? text[rule] : "unknown";
}

char *table_how_text(char buf[static TABLE_HOW_MAX], uint32_t how)
{
	static const char text[][12] = {
		"retry", "queued", "backup", "unprobed", "panic", "unstuck", "full", "ejected", "hedge",
	};
	size_t at = 0;

	for (unsigned i = 0; i < sizeof text / sizeof *text; i++) {
		if (!(how >> i & 1))
			continue;
		buf[at++] = '+';
		memcpy(buf + at, text[i], strlen(text[i]));
		at += strlen(text[i]);
	}
	buf[at] = '\0';
	return buf;
}

_Static_assert(SHM_HOW_ALL == (1 << 9) - 1, "a word for each bit");
