/* Defaults of a configuration file. Where the command line's differ, options.c says so. */
#include "conf/default.h"

#include <limits.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "conf/parse_access.h"
#include "conf/words.h"

unsigned default_workers(void)
{
	cpu_set_t set;
	long n;

	/* Affinity is what a container or taskset(1) limits; it fails on machines beyond 1024 processors. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	else
		n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n < 1)
		return 1;
	return n > CONF_WORKERS_MAX ? CONF_WORKERS_MAX : (unsigned)n;
}

int default_conf(struct conf *c)
{
	c->workers = default_workers();
	c->max_connections = UINT_MAX;
	c->grace_ns = 30 * CONF_SECOND;
	c->drain_ns = 3600 * CONF_SECOND;
	c->hang_ns = 10 * CONF_SECOND;
	c->custody = true;
	c->io_uring = true;
	c->heir = true;
	c->log_level = CONF_LOG_INFO;
	parse_access_off(&c->access);
	c->log = strdup("stderr");
	return c->log ? 0 : -1;
}

void default_check(struct conf_check *k)
{
	k->kind = CONF_CHECK_TCP;
	k->interval_ns = 5 * CONF_SECOND;
	k->down_interval_ns = 500 * CONF_MS;
	k->timeout_ns = 2 * CONF_SECOND;
	k->rise = 1;
	k->fall = 1;
}

void default_pool(struct conf_pool *p)
{
	p->balance = words_balance[WORDS_ADAPTIVE];
	default_check(&p->check);
	p->retries = UINT_MAX;
	p->retry_on = CONF_RETRY_CONNECT | CONF_RETRY_RESET;
	p->retry_budget = 20;
	p->queue = 1000;
	p->queue_timeout_ns = 5 * CONF_SECOND;
	p->queue_interval_ns = 100 * CONF_MS;
	p->connect_timeout_ns = 3 * CONF_SECOND;
	p->answer_timeout_ns = 60 * CONF_SECOND;
	p->stall_timeout_ns = 60 * CONF_SECOND;
	p->keepalive_ns = 30 * CONF_SECOND;
	p->keepalive_max = 128;
}

void default_server(struct conf_server *s)
{
	s->weight = 1;
}

void default_discover(struct conf_discover *d)
{
	d->places = 10;
	d->hold_ns = 30 * CONF_SECOND;
	d->weight = 1;
}

int default_listener(struct conf_listener *l)
{
	l->mode = CONF_MODE_HTTP;
	l->backlog = 4096;
	l->head_timeout_ns = 10 * CONF_SECOND;
	l->body_timeout_ns = 60 * CONF_SECOND;
	l->idle_timeout_ns = 75 * CONF_SECOND;
	l->send_timeout_ns = 60 * CONF_SECOND;
	l->linger_timeout_ns = 2 * CONF_SECOND;
	l->max_connections = UINT_MAX;
	l->tunnel_timeout_ns = 3600 * CONF_SECOND;
	l->max_body = UINT64_MAX;
	l->max_head = 15 * 1024;
	l->splice = true;
	parse_access_off(&l->access);
	l->pool = CONF_NO_POOL;
	l->http.forwarded_for = CONF_FORWARDED_APPEND;
	l->http.max_fields = HTTP_FIELDS_MAX;
	l->http.max_requests = UINT_MAX;
	l->http.max_request_line = 8 * 1024;
	l->http.retry_after_ns = CONF_SECOND;
	l->http.via = strdup("loadbalancer");
	return l->http.via ? 0 : -1;
}
