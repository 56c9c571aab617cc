/* The shared table by the names of its words. A line: what it is, its row, names in hex, then NAME=VALUE. */
#include "supervisor/keep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct keep_field {
	const char *name;
	size_t offset;
	unsigned bytes;		/* 4 or 8 */
	unsigned n;		/* words in a row; more than 1: their names get ".0", ".1" ... */
};

#define KEEP(type, word) { #word, offsetof(struct type, word), sizeof(((struct type *)0)->word), 1 }
#define KEEP_ROW(type, word) { #word, offsetof(struct type, word), sizeof(((struct type *)0)->word[0]), \
	sizeof(((struct type *)0)->word) / sizeof(((struct type *)0)->word[0]) }
#define KEEP_END { NULL, 0, 0, 0 }

static const struct keep_field keep_instance[] = {
	KEEP(shm_instance, generation), KEEP(shm_instance, started_ns), KEEP(shm_instance, started_real_s),
	KEEP(shm_instance, reloaded_real_s), KEEP(shm_instance, accepted), KEEP(shm_instance, limited_times),
	KEEP(shm_instance, rescued), KEEP(shm_instance, cut),
	KEEP(shm_instance, max_connections), KEEP(shm_instance, log_level), KEEP_END
};
static const struct keep_field keep_totals[] = {
	KEEP(shm_worker, received), KEEP(shm_worker, requests), KEEP(shm_worker, refused), KEEP(shm_worker, log_dropped),
	KEEP(shm_worker, handed), KEEP(shm_worker, busy_ns), KEEP(shm_worker, restarts), KEEP_END
};
static const struct keep_field keep_listener[] = {
	KEEP(shm_listener, max_connections), KEEP(shm_listener, accepted), KEEP_END
};
static const struct keep_field keep_pool[] = {
	KEEP(shm_pool, check), KEEP(shm_pool, balance), KEEP(shm_pool, round_target), KEEP(shm_pool, rounds), KEEP_END
};
static const struct keep_field keep_queue[] = {
	KEEP(shm_queue, queued), KEEP(shm_queue, refused), KEEP(shm_queue, timeouts), KEEP(shm_queue, wait_ns),
	KEEP(shm_queue, retries), KEEP(shm_queue, retries_refused), KEEP(shm_queue, late_ns), KEEP(shm_queue, hedges),
	KEEP(shm_queue, hedges_won), KEEP(shm_queue, hedges_refused), KEEP(shm_queue, shed), KEEP_END
};
static const struct keep_field keep_server[] = {
	KEEP(shm_server, weight), KEEP(shm_server, admin), KEEP(shm_server, maxconn), KEEP(shm_server, backup),
	KEEP(shm_server, weight_conf), KEEP(shm_server, weight_set), KEEP(shm_server, added_ns), KEEP(shm_server, admin_ns),
	KEEP_END
};
static const struct keep_field keep_health[] = {
	KEEP(shm_health, verdict), KEEP(shm_health, gen), KEEP(shm_health, entries), KEEP(shm_health, errors),
	KEEP(shm_health, base), KEEP(shm_health, join), KEEP(shm_health, since_ns), KEEP(shm_health, up_since_ns),
	KEEP(shm_health, ejected_until_ns), KEEP(shm_health, outcome), KEEP(shm_health, status), KEEP(shm_health, in_a_row),
	KEEP(shm_health, down_outcome), KEEP(shm_health, probed_ns), KEEP(shm_health, probe_latency_ns),
	KEEP(shm_health, probes), KEEP(shm_health, probes_failed), KEEP(shm_health, down_ns),
	KEEP(shm_health, eject_reason), KEEP(shm_health, ejections), KEEP_END
};
static const struct keep_field keep_load[] = {
	KEEP_ROW(shm_load, responses), KEEP(shm_load, connects), KEEP(shm_load, reuses), KEEP(shm_load, connect_failures),
	KEEP(shm_load, timeouts), KEEP(shm_load, resets), KEEP(shm_load, cuts), KEEP(shm_load, invalid),
	KEEP(shm_load, retries), KEEP(shm_load, client_aborts), KEEP(shm_load, bytes_to_server),
	KEEP(shm_load, bytes_from_server), KEEP(shm_load, latency_sum_ns), KEEP_ROW(shm_load, latency), KEEP_END
};

/* ---- making ---- */

int keep_make_table(struct supervisor *s, const struct conf *conf, const char *name, uint32_t servers)
{
	struct table_size size = {
		.workers = 2 * CONF_WORKERS_MAX + 1,
		.pools = CONF_POOLS_MAX,
		.servers = conf->max_servers > servers ? conf->max_servers : servers,
		.listeners = 2 * CONF_LISTENERS_MAX,
	};

	if (size.workers > SHM_WORKERS_MAX)
		size.workers = SHM_WORKERS_MAX;
	return table_create(&s->table, name, VERSION, size);
}

/* ---- writing ---- */

/* Words that are 0 are as good as not there: in a new table they are. */
static void keep_put(FILE *f, const char *prefix, const struct keep_field *v, const void *row)
{
	unsigned i;

	for (; v->name; v++) {
		for (i = 0; i < v->n; i++) {
			const char *at = (const char *)row + v->offset + i * v->bytes;
			uint64_t n = v->bytes == 8 ?
			    atomic_load_explicit((const _Atomic uint64_t *)(const void *)at, memory_order_relaxed) :
			    atomic_load_explicit((const _Atomic uint32_t *)(const void *)at, memory_order_relaxed);

			if (n && v->n > 1)
				fprintf(f, " %s.%s.%u=%" PRIu64, prefix, v->name, i, n);
			else if (n)
				fprintf(f, " %s.%s=%" PRIu64, prefix, v->name, n);
		}
	}
}

static void keep_put_bytes(FILE *f, const void *bytes, size_t size)
{
	size_t i;

	fputc(' ', f);
	for (i = 0; i < size; i++)
		fprintf(f, "%02x", ((const unsigned char *)bytes)[i]);
}

static uint32_t keep_used(const _Atomic uint32_t *used)
{
	return atomic_load_explicit(used, memory_order_acquire);
}

static void keep_write_server(const struct table *t, uint32_t row, FILE *f)
{
	const struct shm_server *v = &t->server[row];
	struct sockaddr_storage addr;
	struct shm_load sum;
	socklen_t size;
	uint64_t n;

	fprintf(f, "server %u %u %u", row, v->pool, keep_used(&v->used));
	keep_put_bytes(f, v->name, strnlen(v->name, sizeof(v->name)));
	keep_put(f, "server", keep_server, v);
	keep_put(f, "health", keep_health, &t->health[row]);
	memset((void *)&sum, 0, sizeof(sum));
	table_sum_cell(t, row, &sum);
	keep_put(f, "load", keep_load, &sum);
	n = table_sum_dispatched(t, row);
	if (n)
		fprintf(f, " dispatched=%" PRIu64, n);
	n = table_sum_passive(t, row);
	if (n)
		fprintf(f, " passive=%" PRIu64, n);
	size = table_address(t, row, &addr);
	if (size) {
		fprintf(f, " address");
		keep_put_bytes(f, &addr, size);
	}
	fputc('\n', f);
}

void keep_write(const struct supervisor *s, FILE *f)
{
	const struct table *t = &s->table;
	struct shm_worker totals = { 0 };
	uint32_t i;

	fprintf(f, "rows %u", t->max_servers);
	keep_put(f, "instance", keep_instance, t->inst);
	for (i = 0; i < t->max_workers; i++) {
		const struct shm_worker *w = &t->worker[i];

		if (i && !s->slot_used[i])
			continue;
		table_add(&totals.received, atomic_load_explicit(&w->received, memory_order_relaxed));
		table_add(&totals.requests, atomic_load_explicit(&w->requests, memory_order_relaxed));
		table_add(&totals.refused, atomic_load_explicit(&w->refused, memory_order_relaxed));
		table_add(&totals.log_dropped, atomic_load_explicit(&w->log_dropped, memory_order_relaxed));
		table_add(&totals.handed, atomic_load_explicit(&w->handed, memory_order_relaxed));
		table_add(&totals.busy_ns, atomic_load_explicit(&w->busy_ns, memory_order_relaxed));
		table_add32(&totals.restarts, atomic_load_explicit(&w->restarts, memory_order_relaxed));
	}
	keep_put(f, "totals", keep_totals, &totals);
	fputc('\n', f);
	for (i = 0; i < t->max_listeners; i++) {
		if (!keep_used(&t->listener[i].used))
			continue;
		fprintf(f, "listener %u %u", i, keep_used(&t->listener[i].used));
		keep_put_bytes(f, t->listener[i].name, strnlen(t->listener[i].name, SHM_NAME_MAX));
		keep_put(f, "listener", keep_listener, &t->listener[i]);
		fputc('\n', f);
	}
	for (i = 0; i < t->max_pools; i++) {
		struct shm_queue sum;

		if (!keep_used(&t->pool[i].used))
			continue;
		fprintf(f, "pool %u %u", i, keep_used(&t->pool[i].used));
		keep_put_bytes(f, t->pool[i].name, strnlen(t->pool[i].name, SHM_NAME_MAX));
		keep_put(f, "pool", keep_pool, &t->pool[i]);
		memset((void *)&sum, 0, sizeof(sum));
		table_sum_queue(t, i, &sum);
		keep_put(f, "queue", keep_queue, &sum);
		fputc('\n', f);
	}
	for (i = 0; i < t->max_servers; i++) {
		if (keep_used(&t->server[i].used) && t->server[i].pool < t->max_pools)
			keep_write_server(t, i, f);
	}
}

/* ---- reading ---- */

/* A word of a line, "PREFIX.NAME=VALUE" or "PREFIX.NAME.INDEX=VALUE", into the row if it is meant and known. */
static void keep_take(const char *word, const char *prefix, const struct keep_field *v, void *row)
{
	size_t n = strlen(prefix);
	char *end;
	uint64_t value;

	if (strncmp(word, prefix, n) != 0 || word[n] != '.')
		return;
	word += n + 1;
	for (; v->name; v++) {
		unsigned long index = 0;
		char *at;

		n = strlen(v->name);
		if (strncmp(word, v->name, n) != 0 || (word[n] != '=' && word[n] != '.'))
			continue;
		end = (char *)word + n;
		if (*end == '.')
			index = strtoul(end + 1, &end, 10);
		if (*end != '=' || index >= v->n)
			return;
		value = strtoull(end + 1, NULL, 10);
		at = (char *)row + v->offset + index * v->bytes;
		if (v->bytes == 8)
			atomic_store_explicit((_Atomic uint64_t *)(void *)at, value, memory_order_relaxed);
		else
			atomic_store_explicit((_Atomic uint32_t *)(void *)at, (uint32_t)value, memory_order_relaxed);
		return;
	}
}

/* Bytes in hex. How many; -1: it is not that, or does not fit. */
static int keep_bytes(const char *hex, void *to, size_t room)
{
	size_t n = strlen(hex) / 2, i;
	unsigned byte;

	if (n > room || strlen(hex) != 2 * n)
		return -1;
	for (i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -1;
		((unsigned char *)to)[i] = (unsigned char)byte;
	}
	return (int)n;
}

static char *keep_word(char **rest)
{
	char *word = strsep(rest, " ");

	return word ? word : (char *)"";
}

static bool keep_row(char **rest, uint32_t limit, uint32_t *n)
{
	char *end, *word = keep_word(rest);
	unsigned long v = strtoul(word, &end, 10);

	*n = (uint32_t)v;
	return end != word && !*end && v < limit;
}

static int keep_read_server(struct table *t, char *rest)
{
	struct sockaddr_storage addr;
	uint32_t row, pool, used;
	struct shm_server *v;
	const char *word;
	int size;

	if (!keep_row(&rest, t->max_servers, &row) || !keep_row(&rest, t->max_pools, &pool) ||
	    !keep_row(&rest, UINT32_MAX, &used))
		return -1;
	v = &t->server[row];
	v->pool = pool;
	table_clear_server(t, row);
	if (keep_bytes(keep_word(&rest), v->name, sizeof(v->name) - 1) <= 0)
		return -1;
	while (*(word = keep_word(&rest))) {
		keep_take(word, "server", keep_server, v);
		keep_take(word, "health", keep_health, &t->health[row]);
		keep_take(word, "load", keep_load, &table_cell(t, 0)[row]);
		if (strncmp(word, "dispatched=", 11) == 0)
			atomic_store_explicit(&table_dispatched(t, 0)[row], strtoull(word + 11, NULL, 10), memory_order_relaxed);
		else if (strncmp(word, "passive=", 8) == 0)
			atomic_store_explicit(&table_passive(t, 0)[row], (uint32_t)strtoul(word + 8, NULL, 10) << 8,
					      memory_order_relaxed);
		else if (strcmp(word, "address") == 0 && (size = keep_bytes(keep_word(&rest), &addr, sizeof(addr))) > 0)
			table_set_address(t, row, (const struct sockaddr *)&addr, (socklen_t)size);
	}
	atomic_store_explicit(&v->used, used, memory_order_release);
	if (row >= atomic_load_explicit(&t->inst->servers, memory_order_relaxed))
		atomic_store_explicit(&t->inst->servers, row + 1, memory_order_release);
	return 0;
}

static int keep_read_pool(struct table *t, char *rest)
{
	uint32_t row, used;
	const char *word;

	if (!keep_row(&rest, t->max_pools, &row) || !keep_row(&rest, UINT32_MAX, &used) ||
	    keep_bytes(keep_word(&rest), t->pool[row].name, SHM_NAME_MAX - 1) <= 0)
		return -1;
	while (*(word = keep_word(&rest))) {
		keep_take(word, "pool", keep_pool, &t->pool[row]);
		keep_take(word, "queue", keep_queue, &table_queue(t, 0)[row]);
	}
	atomic_store_explicit(&t->pool[row].used, used, memory_order_release);
	if (row >= atomic_load_explicit(&t->inst->pools, memory_order_relaxed))
		atomic_store_explicit(&t->inst->pools, row + 1, memory_order_release);
	return 0;
}

static int keep_read_listener(struct table *t, char *rest)
{
	uint32_t row, used;
	const char *word;

	if (!keep_row(&rest, t->max_listeners, &row) || !keep_row(&rest, UINT32_MAX, &used) ||
	    keep_bytes(keep_word(&rest), t->listener[row].name, SHM_NAME_MAX - 1) <= 0)
		return -1;
	while (*(word = keep_word(&rest)))
		keep_take(word, "listener", keep_listener, &t->listener[row]);
	atomic_store_explicit(&t->listener[row].used, used, memory_order_release);
	return 0;
}

static int keep_read_line(struct table *t, char *line)
{
	char *rest = line;
	const char *what = keep_word(&rest), *word;

	if (strcmp(what, "server") == 0)
		return keep_read_server(t, rest);
	if (strcmp(what, "pool") == 0)
		return keep_read_pool(t, rest);
	if (strcmp(what, "listener") == 0)
		return keep_read_listener(t, rest);
	if (strcmp(what, "rows") != 0)
		return 0;	/* something that a later version keeps */
	while (*(word = keep_word(&rest))) {
		keep_take(word, "instance", keep_instance, t->inst);
		keep_take(word, "totals", keep_totals, &t->worker[0]);
	}
	return 0;
}

uint32_t keep_servers(FILE *f)
{
	long at = ftell(f);
	uint32_t n;

	if (fscanf(f, "rows %" SCNu32, &n) != 1 || n > CONF_SERVERS_MAX * 2)
		n = 0;
	return fseek(f, at, SEEK_SET) == 0 ? n : 0;
}

int keep_read(struct supervisor *s, FILE *f, long size)
{
	long end = ftell(f) + size;
	char *line = NULL;
	size_t room = 0;
	int r = 0;

	while (r == 0 && ftell(f) < end && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		r = keep_read_line(&s->table, line);
	}
	free(line);
	return r;
}
