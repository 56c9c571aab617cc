/* A configuration as a whole: read from its file, loaded as the options ask, freed. */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/body.h"
#include "conf/parse.h"
#include "conf/parse_access.h"
#include "conf/parse_fields.h"
#include "conf/parse_route.h"

#define CONF_FILE_MAX (16u << 20)	/* bytes; 16384 servers need a tenth */

/* The whole file in memory, with room for one byte more. NULL with errno. */
static char *conf_slurp(const char *file, size_t *size)
{
	FILE *in = fopen(file, "re");
	size_t room = 65536, n = 0, got;
	char *buf = NULL, *bigger;
	int err;

	if (!in)
		return NULL;
	for (;;) {
		bigger = realloc(buf, room + 1);
		if (!bigger)
			goto fail;
		buf = bigger;
		got = fread(buf + n, 1, room - n, in);
		n += got;
		if (ferror(in))
			goto fail;
		if (n < room)
			break;
		if (room >= CONF_FILE_MAX) {
			errno = EFBIG;
			goto fail;
		}
		room *= 2;
	}
	fclose(in);
	*size = n;
	return buf;
fail:
	err = errno;
	free(buf);
	fclose(in);
	errno = err;
	return NULL;
}

/* Takes over text, which has room for one byte more. */
static struct conf *conf_parse(char *text, size_t size, const char *file, FILE *err)
{
	char *buf = malloc(size + 1);	/* the reader ends words in place */
	struct conf *c;

	if (!buf) {
		fprintf(err, "loadbalancer: not enough memory\n");
		free(text);
		return NULL;
	}
	memcpy(buf, text, size);
	c = parse_buffer(buf, size, file, err);
	free(buf);
	if (!c || body_read_all(c, err) < 0) {
		conf_free(c);
		free(text);
		return NULL;
	}
	c->text = text;
	c->text_size = size;
	return c;
}

struct conf *conf_read(const char *file, FILE *err)
{
	size_t size;
	char *text = conf_slurp(file, &size);

	if (!text) {
		fprintf(err, "%s:1:1: cannot read it: %s; expected a configuration file\n", file, strerror(errno));
		return NULL;
	}
	return conf_parse(text, size, file, err);
}

/* What the command line says over the file. Frees c when it cannot be done. */
static struct conf *conf_overrule(struct conf *c, const struct conf_options *o, FILE *err)
{
	char *pid_file;

	if (!c)
		return NULL;
	if (o->workers_set)
		c->workers = o->workers;
	if (o->pid_file) {
		pid_file = strdup(o->pid_file);
		if (!pid_file) {
			fprintf(err, "loadbalancer: not enough memory\n");
			conf_free(c);
			return NULL;
		}
		free(c->pid_file);
		c->pid_file = pid_file;
	}
	return c;
}

struct conf *conf_load(const struct conf_options *o, FILE *err)
{
	return o->conf_file ? conf_overrule(conf_read(o->conf_file, err), o, err) : conf_command_line(o, err);
}

struct conf *conf_load_text(const struct conf_options *o, const char *text, size_t size, FILE *err)
{
	char *copy;

	if (!o->conf_file || !text)
		return conf_command_line(o, err);
	copy = malloc(size + 1);
	if (!copy) {
		fprintf(err, "loadbalancer: not enough memory\n");
		return NULL;
	}
	memcpy(copy, text, size);
	return conf_overrule(conf_parse(copy, size, o->conf_file, err), o, err);
}

static void conf_free_pool(struct conf_pool *pool)
{
	unsigned i;

	for (i = 0; i < pool->nservers; i++) {
		free(pool->server[i].name);
		free(pool->server[i].host);
		free(pool->server[i].path);
	}
	free(pool->server);
	for (i = 0; i < pool->ndiscovers; i++) {
		free(pool->discover[i].name);
		free(pool->discover[i].host);
	}
	free(pool->discover);
	free(pool->check.path);
	parse_fields_free_edits(&pool->request);
	parse_fields_free_edits(&pool->response);
	free(pool->hash_name);
	free(pool->sticky.cookie);
	free(pool->name);
}

static void conf_free_listener(struct conf_listener *l)
{
	unsigned i;

	for (i = 0; i < l->nbinds; i++)
		free(l->bind[i].text);
	for (i = 0; i < l->nsnis; i++)
		free(l->sni[i].name);
	free(l->sni);
	for (i = 0; i < l->nroutes; i++)
		parse_route_free(&l->route[i]);
	parse_fields_free_edits(&l->http.request);
	parse_fields_free_edits(&l->http.response);
	parse_fields_free_errors(&l->http.errors);
	parse_access_free(&l->access);
	free(l->http.trust.net);
	free(l->proxy_from.net);
	free(l->serve_to.net);
	free(l->http.via);
	free(l->bind);
	free(l->route);
	free(l->name);
}

void conf_free(struct conf *c)
{
	unsigned i;

	if (!c)
		return;
	for (i = 0; i < c->npools; i++)
		conf_free_pool(&c->pool[i]);
	for (i = 0; i < c->nlisteners; i++)
		conf_free_listener(&c->listener[i]);
	parse_fields_free_errors(&c->errors);
	parse_access_free(&c->access);
	for (i = 0; i < c->naccess_logs; i++)
		free(c->access_log[i].target);
	free(c->access_log);
	free(c->pool);
	free(c->listener);
	free(c->text);
	free(c->file);
	free(c->user);
	free(c->group);
	free(c->pid_file);
	free(c->control);
	free(c->control_group);
	free(c->log);
	free(c);
}
