/* What is true when the configuration does not say otherwise. */
#ifndef CONF_DEFAULT_H
#define CONF_DEFAULT_H

#include "conf/conf.h"

#define DEFAULT_MAX_SERVERS 1024

/* Each fills a struct that is all zero. -1: no memory. */
int default_conf(struct conf *c);
int default_listener(struct conf_listener *l);
void default_pool(struct conf_pool *p);
void default_check(struct conf_check *k);
void default_server(struct conf_server *s);
void default_discover(struct conf_discover *d);

/* Processors that this process may use, 1..CONF_WORKERS_MAX. */
unsigned default_workers(void);

#endif
