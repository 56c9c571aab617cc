/* Rows of the table for pools and servers. Supervisor: the one writer of shm_pool and shm_server. */
#include "supervisor/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/words.h"
#include "os/loop.h"

/* Rows in use, by identity: so that thousands of servers are matched in one pass. Open addressing. */
struct rows_index {
	uint32_t *place;	/* row + 1; 0: empty */
	uint32_t mask;
};

static uint32_t rows_hash(uint32_t pool, const char *name)
{
	uint32_t h = 2166136261u ^ (pool * 2654435761u);	/* FNV-1a */

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h ^ h >> 15;
}

static uint32_t rows_load(_Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static int rows_index(struct rows_index *x, const struct table *t)
{
	uint32_t size = 16, i, at;

	while (size < 2 * t->max_servers)
		size *= 2;
	x->mask = size - 1;
	x->place = calloc(size, sizeof(*x->place));
	if (!x->place)
		return -1;
	for (i = 0; i < t->max_servers; i++) {
		if (!rows_load(&t->server[i].used))
			continue;
		for (at = rows_hash(t->server[i].pool, t->server[i].name) & x->mask; x->place[at]; at = (at + 1) & x->mask)
			;
		x->place[at] = i + 1;
	}
	return 0;
}

static uint32_t rows_find_server(const struct rows_index *x, const struct table *t, uint32_t pool, const char *name)
{
	uint32_t at;

	for (at = rows_hash(pool, name) & x->mask; x->place[at]; at = (at + 1) & x->mask) {
		uint32_t row = x->place[at] - 1;

		if (t->server[row].pool == pool && strcmp(t->server[row].name, name) == 0)
			return row;
	}
	return UINT32_MAX;
}

static uint32_t rows_find_pool(const struct table *t, const char *name)
{
	uint32_t i;

	for (i = 0; i < t->max_pools; i++) {
		if (rows_load(&t->pool[i].used) && strcmp(t->pool[i].name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

/* The next free row from *from on; UINT32_MAX: none. */
static uint32_t rows_free_pool(const struct table *t, uint32_t *from)
{
	while (*from < t->max_pools) {
		if (!rows_load(&t->pool[(*from)++].used))
			return *from - 1;
	}
	return UINT32_MAX;
}

static uint32_t rows_free_server(const struct table *t, uint32_t *from)
{
	while (*from < t->max_servers) {
		if (!rows_load(&t->server[(*from)++].used))
			return *from - 1;
	}
	return UINT32_MAX;
}

static void rows_tell_pool(struct shm_pool *row, const struct conf_pool *p)
{
	int algorithm = words_choice(words_balance, p->balance);
	uint32_t places = 0;

	for (unsigned i = 0; i < p->ndiscovers; i++)
		places += p->discover[i].places;
	atomic_store_explicit(&row->places, places, memory_order_relaxed);

	atomic_store_explicit(&row->check, (uint32_t)p->check.kind + 1, memory_order_relaxed);
	atomic_store_explicit(&row->balance, (uint32_t)(algorithm + 1), memory_order_relaxed);
}

static void rows_new_pool(struct table *t, const struct conf_pool *conf, uint32_t generation)
{
	uint32_t row = conf->row;
	struct shm_pool *p = &t->pool[row];

	memset(p->name, 0, sizeof(p->name));
	memcpy(p->name, conf->name, strlen(conf->name));
	rows_tell_pool(p, conf);
	/* Health's words, which it sets when it comes to this pool. No worker looks at a row that was free. */
	atomic_store_explicit(&p->round_target, UINT64_MAX, memory_order_relaxed);
	atomic_store_explicit(&p->rounds, 0, memory_order_relaxed);
	atomic_store_explicit(&p->unresolved_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&p->used, generation, memory_order_release);
	if (row >= rows_load(&t->inst->pools))
		atomic_store_explicit(&t->inst->pools, row + 1, memory_order_release);
}

/* ranked: health says how much it can take, and has said so before (rows_rank()). */
static void rows_tell(struct shm_server *row, const struct conf_server *v, bool ranked)
{
	atomic_store_explicit(&row->maxconn, v->maxconn, memory_order_relaxed);
	atomic_store_explicit(&row->maxconn_least, v->maxconn_least, memory_order_relaxed);
	if (ranked)
		return;
	atomic_store_explicit(&row->weight_conf, v->weight, memory_order_relaxed);
	if (!rows_load(&row->weight_set))	/* what an operator said by hand stands over the file */
		atomic_store_explicit(&row->weight, v->weight, memory_order_relaxed);
	atomic_store_explicit(&row->backup, v->backup, memory_order_relaxed);
}

void rows_rank(struct table *t, const struct conf *conf, uint32_t number, uint32_t weight, bool backup)
{
	struct shm_server *row;

	if (number >= t->max_servers || weight < 1 || weight > 256)
		return;
	row = &t->server[number];
	for (unsigned i = 0; i < conf->npools; i++) {
		const struct conf_pool *p = &conf->pool[i];

		for (unsigned k = 0; k < p->ndiscovers; k++) {
			const struct conf_discover *d = &p->discover[k];

			for (unsigned j = 0; d->srv && j < d->places; j++) {
				if (p->server[d->first + j].row != number)
					continue;
				atomic_store_explicit(&row->weight_conf, weight, memory_order_relaxed);
				if (!rows_load(&row->weight_set))
					atomic_store_explicit(&row->weight, weight, memory_order_relaxed);
				atomic_store_explicit(&row->backup, backup, memory_order_relaxed);
				return;
			}
		}
	}
}

static void rows_new_server(struct table *t, const struct conf_server *v, uint32_t pool, uint32_t generation)
{
	struct shm_server *s = &t->server[v->row];

	memset(s->name, 0, sizeof(s->name));
	memcpy(s->name, v->name, strlen(v->name));
	s->pool = pool;
	atomic_store_explicit(&s->admin, SHM_READY, memory_order_relaxed);
	atomic_store_explicit(&s->admin_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&s->weight_set, 0, memory_order_relaxed);
	atomic_store_explicit(&s->added_ns, loop_clock_ns(), memory_order_relaxed);
	rows_tell(s, v, false);
	table_clear_server(t, v->row);
	atomic_store_explicit(&s->used, generation, memory_order_release);
	if (v->row >= rows_load(&t->inst->servers))
		atomic_store_explicit(&t->inst->servers, v->row + 1, memory_order_release);
}

/* A row for each listener, by its name. 0, or -1 after a message in err. */
static int rows_listeners(struct table *t, struct conf *conf, uint32_t generation, char *err, size_t size)
{
	unsigned i, k;

	for (i = 0; i < conf->nlisteners; i++) {
		struct conf_listener *l = &conf->listener[i];
		uint32_t unused = UINT32_MAX;

		if (strlen(l->name) >= SHM_NAME_MAX) {
			snprintf(err, size, "listener %s: a name has at most %d characters", l->name, SHM_NAME_MAX - 1);
			return -1;
		}
		l->row = UINT32_MAX;
		for (k = 0; k < t->max_listeners && l->row == UINT32_MAX; k++) {
			if (!rows_load(&t->listener[k].used))
				unused = unused == UINT32_MAX ? k : unused;
			else if (strcmp(t->listener[k].name, l->name) == 0)
				l->row = k;
		}
		if (l->row != UINT32_MAX)
			continue;
		if (unused == UINT32_MAX) {
			snprintf(err, size, "listener %s: the table has %u rows for listeners, and all are in use", l->name,
				 t->max_listeners);
			return -1;
		}
		l->row = unused;
		memset(t->listener[unused].name, 0, sizeof(t->listener[unused].name));
		memcpy(t->listener[unused].name, l->name, strlen(l->name));
		atomic_store_explicit(&t->listener[unused].limited, 0, memory_order_relaxed);
		atomic_store_explicit(&t->listener[unused].max_connections, l->max_connections, memory_order_relaxed);
		table_clear_listener(t, unused);
		atomic_store_explicit(&t->listener[unused].used, generation, memory_order_release);
	}
	return 0;
}

int rows_assign(struct table *t, struct conf *conf, uint32_t generation, char *err, size_t size)
{
	struct rows_index x = { 0 };
	uint32_t next_pool = 0, next_server = 0;
	unsigned i, j;

	if (rows_index(&x, t) < 0) {
		snprintf(err, size, "%s", strerror(errno));
		return -1;
	}
	if (rows_listeners(t, conf, generation, err, size) < 0)
		goto fail;
	for (i = 0; i < conf->npools; i++) {
		struct conf_pool *p = &conf->pool[i];

		if (strlen(p->name) >= SHM_NAME_MAX) {
			snprintf(err, size, "pool %s: a name has at most %d characters", p->name, SHM_NAME_MAX - 1);
			goto fail;
		}
		p->row = rows_find_pool(t, p->name);
		if (p->row == UINT32_MAX) {
			p->row = rows_free_pool(t, &next_pool);
			if (p->row == UINT32_MAX) {
				snprintf(err, size, "pool %s: the table has %u rows for pools, and all are in use", p->name,
					 t->max_pools);
				goto fail;
			}
			rows_new_pool(t, p, generation);
		}
		for (j = 0; j < p->nservers; j++) {
			struct conf_server *v = &p->server[j];

			if (strlen(v->name) >= SHM_NAME_MAX) {
				snprintf(err, size, "server %s: a name has at most %d characters", v->name, SHM_NAME_MAX - 1);
				goto fail;
			}
			v->row = rows_find_server(&x, t, p->row, v->name);
			if (v->row != UINT32_MAX)
				continue;
			v->row = rows_free_server(t, &next_server);
			if (v->row == UINT32_MAX) {
				snprintf(err, size, "server %s in pool %s: the table has %u rows for servers since the start, and "
					 "all are in use (max-servers; a restart makes it larger)", v->name, p->name, t->max_servers);
				goto fail;
			}
			rows_new_server(t, v, p->row, generation);
		}
	}
	free(x.place);
	return 0;
fail:
	free(x.place);
	rows_undo(t, generation);
	return -1;
}

int rows_known(const struct table *t, struct conf *conf)
{
	struct rows_index x = { 0 };
	unsigned i, j;
	uint32_t k;

	if (rows_index(&x, t) < 0)
		return -1;
	for (i = 0; i < conf->nlisteners; i++) {
		struct conf_listener *l = &conf->listener[i];

		for (k = 0; k < t->max_listeners; k++) {
			if (rows_load(&t->listener[k].used) && strcmp(t->listener[k].name, l->name) == 0)
				break;
		}
		if (k == t->max_listeners)
			goto fail;
		l->row = k;
	}
	for (i = 0; i < conf->npools; i++) {
		struct conf_pool *p = &conf->pool[i];

		p->row = rows_find_pool(t, p->name);
		if (p->row == UINT32_MAX)
			goto fail;
		for (j = 0; j < p->nservers; j++) {
			p->server[j].row = rows_find_server(&x, t, p->row, p->server[j].name);
			if (p->server[j].row == UINT32_MAX)
				goto fail;
		}
	}
	free(x.place);
	return 0;
fail:
	free(x.place);
	return -1;
}

void rows_publish(struct table *t, const struct conf *conf, uint32_t generation)
{
	unsigned i, j;

	for (i = 0; i < conf->npools; i++) {
		const struct conf_pool *p = &conf->pool[i];

		rows_tell_pool(&t->pool[p->row], p);
		atomic_store_explicit(&t->pool[p->row].used, generation, memory_order_release);
		for (j = 0; j < p->nservers; j++) {
			const struct conf_server *v = &p->server[j];
			struct shm_server *row = &t->server[v->row];

			rows_tell(row, v, v->discover && p->discover[v->discover - 1].srv);
			atomic_store_explicit(&row->used, generation, memory_order_release);
		}
	}
	for (i = 0; i < conf->nlisteners; i++) {
		const struct conf_listener *l = &conf->listener[i];
		struct shm_listener *row = &t->listener[l->row];

		atomic_store_explicit(&row->max_connections, l->max_connections, memory_order_relaxed);
		atomic_store_explicit(&row->used, generation, memory_order_release);
	}
	atomic_store_explicit(&t->inst->max_connections, conf->max_connections, memory_order_relaxed);
}

void rows_addresses(struct table *t, const struct conf *conf)
{
	struct sockaddr_storage now;
	unsigned i, j;

	for (i = 0; i < conf->npools; i++) {
		for (j = 0; j < conf->pool[i].nservers; j++) {
			const struct conf_server *v = &conf->pool[i].server[j];

			if (v->addr_size == 0)
				continue;
			if (table_address(t, v->row, &now) == v->addr_size && memcmp(&now, &v->addr, v->addr_size) == 0)
				continue;
			table_set_address(t, v->row, (const struct sockaddr *)&v->addr, v->addr_size);
		}
	}
}

void rows_free(struct table *t, uint32_t oldest)
{
	uint32_t i;

	for (i = 0; i < t->max_servers; i++) {
		if (rows_load(&t->server[i].used) && rows_load(&t->server[i].used) < oldest)
			atomic_store_explicit(&t->server[i].used, 0, memory_order_release);
	}
	for (i = 0; i < t->max_pools; i++) {
		if (rows_load(&t->pool[i].used) && rows_load(&t->pool[i].used) < oldest)
			atomic_store_explicit(&t->pool[i].used, 0, memory_order_release);
	}
	for (i = 0; i < t->max_listeners; i++) {
		if (rows_load(&t->listener[i].used) && rows_load(&t->listener[i].used) < oldest)
			atomic_store_explicit(&t->listener[i].used, 0, memory_order_release);
	}
}

void rows_undo(struct table *t, uint32_t generation)
{
	uint32_t i;

	for (i = 0; i < t->max_servers; i++) {
		if (rows_load(&t->server[i].used) == generation)
			atomic_store_explicit(&t->server[i].used, 0, memory_order_release);
	}
	for (i = 0; i < t->max_pools; i++) {
		if (rows_load(&t->pool[i].used) == generation)
			atomic_store_explicit(&t->pool[i].used, 0, memory_order_release);
	}
	for (i = 0; i < t->max_listeners; i++) {
		if (rows_load(&t->listener[i].used) == generation)
			atomic_store_explicit(&t->listener[i].used, 0, memory_order_release);
	}
}
