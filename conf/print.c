/* The effective configuration, in its own language: what it prints reads back as the same. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "conf/check.h"
#include "conf/conf.h"
#include "conf/parse_access.h"
#include "conf/parse_fields.h"
#include "conf/value.h"
#include "conf/words.h"
#include "os/sock.h"

static void print_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* A word, quoted where the lexer would read it differently without. */
static void print_word(FILE *out, const char *text)
{
	if (text[0] != '\0' && !strpbrk(text, " \t\"\\#{}"))
		fputs(text, out);
	else
		print_quoted(out, text);
}

/* The value of an entry; its type is not WORDS_OWN, nor a text that is NULL and has no word for that. */
static void print_value(FILE *out, const struct words_entry *e, const void *object)
{
	const void *field = (const char *)object + e->offset;
	char text[VALUE_TEXT_MAX];
	const char *word;
	uint64_t v = 0;

	switch (e->type) {
	case WORDS_UINT:
	case WORDS_PERCENT:
	case WORDS_LIMIT:
		v = *(const unsigned *)field;
		break;
	case WORDS_UINT64:
	case WORDS_TIME:
	case WORDS_SIZE64:
		v = *(const uint64_t *)field;
		break;
	case WORDS_SIZE:
		v = *(const size_t *)field;
		break;
	case WORDS_BOOL:
		fputs(e->choice[*(const bool *)field], out);
		return;
	case WORDS_ENUM:
		fputs(e->choice[*(const int *)field], out);
		return;
	case WORDS_CHOICE:
	case WORDS_TOKEN:
	case WORDS_NAME:
	case WORDS_PATH:
	case WORDS_LOG:
		word = *(const char *const *)field;
		print_word(out, word ? word : e->special ? e->special : "");
		return;
	case WORDS_FLAG:
	case WORDS_OWN:
		return;
	}
	if (e->type == WORDS_LIMIT && ((const uint32_t *)field)[1])
		fprintf(out, "%" PRIu32 "..", ((const uint32_t *)field)[1]);
	if (e->special && v == e->special_value)
		fputs(e->special, out);
	else if (e->type == WORDS_TIME)
		fputs(value_time_text(text, v), out);
	else if (e->type == WORDS_SIZE || e->type == WORDS_SIZE64)
		fputs(value_size_text(text, v), out);
	else
		fprintf(out, e->type == WORDS_PERCENT ? "%" PRIu64 "%%" : "%" PRIu64, v);
}

static bool print_is_text(const struct words_entry *e)
{
	return e->type == WORDS_TOKEN || e->type == WORDS_NAME || e->type == WORDS_PATH || e->type == WORDS_LOG;
}

/* All directives of a table that take one value, a line each. */
static void print_table(FILE *out, const struct words_entry *e, const void *object, const char *indent)
{
	for (; e->name; e++) {
		if (e->type == WORDS_OWN)
			continue;
		if (print_is_text(e) && !e->special && !*(const char *const *)(const void *)((const char *)object + e->offset))
			continue;
		fprintf(out, "%s%s ", indent, e->name);
		print_value(out, e, object);
		fputc('\n', out);
	}
}

/* All options of a table, on the line that is being printed. */
static void print_options(FILE *out, const struct words_entry *e, const void *object)
{
	for (; e->name; e++) {
		if (e->type == WORDS_FLAG) {
			if (*(const bool *)(const void *)((const char *)object + e->offset))
				fprintf(out, " %s", e->name);
			continue;
		}
		fprintf(out, " %s ", e->name);
		print_value(out, e, object);
	}
}

static void print_check(FILE *out, const struct conf_check *k)
{
	fprintf(out, "\tcheck %s", words_check_kinds[k->kind]);
	if (k->path) {
		fputc(' ', out);
		print_word(out, k->path);
	}
	if (k->kind != CONF_CHECK_NONE) {
		/* "or N requests" stands directly behind the interval. */
		fprintf(out, " %s ", words_check[WORDS_CHECK_EVERY].name);
		print_value(out, &words_check[WORDS_CHECK_EVERY], k);
		if (k->requests > 0)
			fprintf(out, " or %" PRIu64 " requests", k->requests);
		print_options(out, &words_check[WORDS_CHECK_EVERY + 1], k);
	}
	fputc('\n', out);
}

/* The balance, and what else decides which server gets a request. */
static void print_place(FILE *out, const struct conf_pool *pool)
{
	char text[VALUE_TEXT_MAX];
	unsigned i;

	fprintf(out, "\tbalance %s", pool->balance);
	if (strcmp(pool->balance, words_balance[WORDS_HASH]) == 0)
		fprintf(out, pool->hash_name ? " %s %s" : " %s", words_hashes[pool->hash], pool->hash_name);
	fputs(pool->retry_on ? "\n\tretry-on" : "\n\tretry-on none", out);
	for (i = 0; words_retry_on[i]; i++)
		if (pool->retry_on & 1u << i)
			fprintf(out, " %s", words_retry_on[i]);
	fputs("\n\thedge ", out);
	if (pool->hedge_ns == 0 || pool->hedge_ns == CONF_HEDGE_LEARNED)
		fputs(pool->hedge_ns ? "on\n" : "off\n", out);
	else
		fprintf(out, "%s\n", value_time_text(text, pool->hedge_ns));
	if (pool->sticky.cookie) {
		fprintf(out, "\tsticky cookie %s", pool->sticky.cookie);
		print_options(out, words_sticky, pool);
		fputc('\n', out);
	}
}

static void print_server(FILE *out, const struct conf_server *s)
{
	char address[512];

	if (s->path)
		snprintf(address, sizeof(address), "unix:%s", s->path);
	else
		snprintf(address, sizeof(address), strchr(s->host, ':') ? "[%s]:%u" : "%s:%u", s->host, s->port);
	fputs("\tserver ", out);
	print_word(out, s->name);
	fputc(' ', out);
	print_word(out, address);
	print_options(out, words_server, s);
	fputc('\n', out);
}

static void print_discover(FILE *out, const struct conf_discover *d)
{
	fputs("\tdiscover ", out);
	print_word(out, d->name);
	if (d->srv)
		fprintf(out, " srv %s", d->host);
	else
		fprintf(out, " %s:%u", d->host, d->port);
	print_options(out, words_discover, d);
	fputc('\n', out);
}

static void print_resolvers(FILE *out, const struct conf *c)
{
	char text[SOCK_TEXT_MAX];
	unsigned i;

	fputs(c->nresolvers ? "resolver" : "resolver system", out);
	for (i = 0; i < c->nresolvers; i++)
		fprintf(out, " %s", sock_text((const struct sockaddr *)&c->resolver[i].addr, c->resolver[i].addr_size, text, sizeof(text)));
	fputc('\n', out);
}

/* " FILE type TYPE", and the end of the line. */
static void print_body(FILE *out, const struct conf_body *b)
{
	if (b->path) {
		fputc(' ', out);
		print_word(out, b->path);
		fputs(" type ", out);
		print_word(out, b->type);
	}
	fputc('\n', out);
}

static void print_errors(FILE *out, const char *indent, const struct conf_errors *e)
{
	unsigned i;

	for (i = 0; i < e->n; i++) {
		fprintf(out, "%serror-file %u", indent, e->error[i].status);
		print_body(out, &e->error[i].body);
	}
}

static void print_edits(FILE *out, const char *directive, const struct conf_edits *e)
{
	unsigned i;

	for (i = 0; i < e->n; i++) {
		const struct http_edit *d = &e->edit[i];

		fprintf(out, "\t%s %s ", directive, parse_fields_ops[d->op]);
		print_word(out, d->name);
		if (d->value) {
			fputc(' ', out);
			print_word(out, d->value);
		}
		fputc('\n', out);
	}
}

static void print_trust(FILE *out, const char *word, const struct conf_trust *t)
{
	char address[INET6_ADDRSTRLEN];
	unsigned i;

	fprintf(out, "\t%s%s", word, !t->listed ? " all" : t->nnets == 0 && !t->unix_sockets ? " none" : "");
	for (i = 0; i < t->nnets; i++)
		if (inet_ntop(t->net[i].family, t->net[i].addr, address, sizeof(address)))
			fprintf(out, " %s/%u", address, t->net[i].bits);
	fputs(t->unix_sockets ? " unix\n" : "\n", out);
}

static void print_access(FILE *out, const char *indent, const struct conf *c, const struct conf_access *a)
{
	fprintf(out, "%saccess-log ", indent);
	if (a->log == CONF_NO_LOG) {
		fputs("off\n", out);
		return;
	}
	print_word(out, c->access_log[a->log].target);
	if (c->access_log[a->log].facility >= 0)
		fprintf(out, " facility %s", words_facilities[c->access_log[a->log].facility]);
	fputs(" format ", out);
	print_word(out, parse_access_formats[a->format] ? parse_access_formats[a->format] : a->text);
	fputc('\n', out);
}

static void print_route(FILE *out, const struct conf *c, const struct conf_route *r)
{
	unsigned i;

	fputs("\troute", out);
	if (r->host)
		fprintf(out, " host %s", r->host);
	if (r->path) {
		fputs(" path ", out);
		print_word(out, r->path);
	}
	if (r->methods) {
		fputs(" method ", out);
		print_word(out, r->methods);
	}
	for (i = 0; i < r->nheaders; i++) {
		const struct conf_route_header *h = &r->header[i];

		fputs(" header ", out);
		print_word(out, h->name);
		if (h->value) {
			fputc(' ', out);
			print_quoted(out, h->value);	/* it may be a word of routes */
		}
	}
	if (r->action == CONF_ROUTE_SERVE) {
		fputs(" serve status\n", out);
	} else if (r->action == CONF_ROUTE_TO) {
		fprintf(out, " to %s\n", c->pool[r->pool].name);
	} else if (r->action == CONF_ROUTE_REDIRECT) {
		fprintf(out, " redirect %u ", r->status);
		print_word(out, r->target);
		fputc('\n', out);
	} else {
		fprintf(out, " answer %u", r->status);
		print_body(out, &r->body);
	}
}

static void print_pool(FILE *out, const struct conf_pool *pool)
{
	unsigned i;

	fprintf(out, "\npool %s {\n", pool->name);
	print_place(out, pool);
	print_table(out, words_pool, pool, "\t");
	print_check(out, &pool->check);
	print_edits(out, "request-field", &pool->request);
	print_edits(out, "response-field", &pool->response);
	for (i = 0; i < pool->nservers; i++) {
		const struct conf_server *s = &pool->server[i];

		if (!s->discover)
			print_server(out, s);
		else if (pool->discover[s->discover - 1].first == i)
			print_discover(out, &pool->discover[s->discover - 1]);
	}
	fputs("}\n", out);
}

static void print_listener(FILE *out, const struct conf *c, const struct conf_listener *l)
{
	unsigned i;

	fprintf(out, "\nlisten %s {\n", l->name);
	for (i = 0; i < l->nbinds; i++) {
		fputs("\tbind ", out);
		print_word(out, l->bind[i].text);
		fputs(l->bind[i].optional ? " optional\n" : "\n", out);
	}
	print_table(out, words_listen, l, "\t");
	for (i = 0; i < l->nsnis; i++)
		fprintf(out, "\troute sni %s to %s\n", l->sni[i].name, c->pool[l->sni[i].pool].name);
	if (l->mode == CONF_MODE_HTTP)
		print_trust(out, words_listen[WORDS_LISTEN_TRUSTED].name, &l->http.trust);
	if (l->accept_proxy != CONF_PROXY_OFF)
		print_trust(out, words_listen[WORDS_LISTEN_PROXY_FROM].name, &l->proxy_from);
	print_edits(out, "request-field", &l->http.request);
	print_edits(out, "response-field", &l->http.response);
	print_access(out, "\t", c, &l->access);
	print_errors(out, "\t", &l->http.errors);
	for (i = 0; i < l->nroutes; i++)
		print_route(out, c, &l->route[i]);
	if (check_serves(l))
		print_trust(out, words_listen[WORDS_LISTEN_SERVE_TO].name, &l->serve_to);
	if (l->serve)
		fputs("\tserve status\n", out);
	if (l->pool != CONF_NO_POOL)
		fprintf(out, "\tto %s\n", c->pool[l->pool].name);
	fputs("}\n", out);
}

void conf_print(const struct conf *c, FILE *out)
{
	unsigned i;

	print_table(out, words_top, c, "");
	print_access(out, "", c, &c->access);
	print_resolvers(out, c);
	print_errors(out, "", &c->errors);
	for (i = 0; i < c->npools; i++)
		print_pool(out, &c->pool[i]);
	for (i = 0; i < c->nlisteners; i++)
		print_listener(out, c, &c->listener[i]);
}
