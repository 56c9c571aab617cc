/*
 * Commands. They write the supervisor's own words of the table, which workers read at each choice, and
 * wake health, which looks what has changed. What is set by hand outlives reloads, since a server's row does.
 */
#include "supervisor/command.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "conf/near.h"
#include "conf/value.h"
#include "ipc/conns.h"
#include "ipc/match.h"
#include "os/log.h"
#include "supervisor/channel.h"
#include "supervisor/succession.h"
#include "supervisor/upgrade.h"

#define COMMAND_WORDS	72	/* of one request */
#define COMMAND_WEIGHT_MAX 256

struct command {
	struct supervisor *s;
	const struct conf *conf;	/* that serves */
	char *word[COMMAND_WORDS];
	unsigned nwords;
	FILE *out;
	int fd;				/* that came along; -1: none */
	char who[64];			/* for the log */
};

/* ---- servers ---- */

typedef void command_each(struct command *c, const struct conf_pool *p, const struct conf_server *v);

/* Whether `pattern` is some server's name, letter by letter. */
static bool command_is_name(const struct command *c, const char *pattern)
{
	for (unsigned i = 0; i < c->conf->npools; i++) {
		const struct conf_pool *p = &c->conf->pool[i];

		for (unsigned j = 0; j < p->nservers; j++)
			if (match_server(pattern, p->name, p->server[j].name) == MATCH_NAME)
				return true;
	}
	return false;
}

/* Calls `each` for the servers that are meant. Returns how many. */
static unsigned command_servers(struct command *c, const char *pattern, command_each *each)
{
	enum match wanted = command_is_name(c, pattern) ? MATCH_NAME : MATCH_PATTERN;
	unsigned n = 0;

	for (unsigned i = 0; i < c->conf->npools; i++) {
		const struct conf_pool *p = &c->conf->pool[i];

		for (unsigned j = 0; j < p->nservers; j++) {
			if (match_server(pattern, p->name, p->server[j].name) != wanted)
				continue;
			n++;
			if (each)
				each(c, p, &p->server[j]);
		}
	}
	return n;
}

static void command_no_server(struct command *c, const char *pattern)
{
	char full[2 * SHM_NAME_MAX + 2], best[2 * SHM_NAME_MAX + 2] = "";
	struct near near;

	near_start(&near, pattern);
	for (unsigned i = 0; i < c->conf->npools; i++) {
		const struct conf_pool *p = &c->conf->pool[i];

		for (unsigned j = 0; j < p->nservers; j++) {
			snprintf(full, sizeof(full), "%s/%s", p->name, p->server[j].name);
			near_try(&near, p->server[j].name);
			if (near.best == p->server[j].name)
				snprintf(best, sizeof(best), "%s", near.best);
			near_try(&near, full);
			if (near.best == full) {
				snprintf(best, sizeof(best), "%s", full);
				near.best = best;	/* `full` is used again */
			}
		}
	}
	for (unsigned i = 0; i < c->conf->npools; i++) {
		if (strcmp(c->conf->pool[i].name, pattern) == 0) {
			fprintf(c->out, "%s is a pool: '%s/*' means all its servers\n", pattern, pattern);
			return;
		}
	}
	fprintf(c->out, "there is no server %s", pattern);
	if (near.best)
		fprintf(c->out, "; did you mean %s?", best);
	fputc('\n', c->out);
}

/* All patterns must mean something before anything is done. */
static bool command_all_known(struct command *c, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		if (command_servers(c, c->word[i], NULL) == 0) {
			command_no_server(c, c->word[i]);
			return false;
		}
	}
	return true;
}

static void command_wake_health(struct command *c)
{
	uint64_t one = 1;

	if (write(c->s->health_wake, &one, sizeof(one)) < 0 && errno != EAGAIN)	/* full: it is awake anyway */
		log_error("health cannot be woken: %s", strerror(errno));
}

static struct shm_server *command_row(struct command *c, const struct conf_server *v)
{
	return &c->s->table.server[v->row];
}

/* ---- drain, maint, ready ---- */

/* The word is ours, but children could write over it. */
static const char *command_admin_name(uint32_t admin)
{
	static const char *const name[] = { [SHM_READY] = "ready", [SHM_DRAIN] = "drain", [SHM_MAINT] = "maint" };

	return admin < sizeof(name) / sizeof(name[0]) ? name[admin] : "?";
}

static void command_set_admin(struct command *c, const struct conf_pool *p, const struct conf_server *v)
{
	struct shm_server *row = command_row(c, v);
	uint32_t was = atomic_load_explicit(&row->admin, memory_order_relaxed), to = SHM_READY;

	while (to < SHM_MAINT && strcmp(command_admin_name(to), c->word[0]) != 0)
		to++;
	fprintf(c->out, "%s/%s: %s, was %s; %" PRIu64 " in flight\n", p->name, v->name, command_admin_name(to),
		command_admin_name(was), table_sum_inflight(&c->s->table, v->row));
	if (was == to)
		return;
	atomic_store_explicit(&row->admin, to, memory_order_relaxed);
	atomic_store_explicit(&row->admin_ns, loop_clock_ns(), memory_order_relaxed);
	log_info("server %s/%s: %s, by hand (%s)", p->name, v->name, command_admin_name(to), c->who);
}

static enum command_result command_admin(struct command *c)
{
	if (!command_all_known(c, 1, c->nwords))
		return COMMAND_REFUSED;
	for (unsigned i = 1; i < c->nwords; i++)
		command_servers(c, c->word[i], command_set_admin);
	command_wake_health(c);
	return COMMAND_DONE;
}

/* ---- weight ---- */

static void command_set_weight(struct command *c, const struct conf_pool *p, const struct conf_server *v)
{
	struct shm_server *row = command_row(c, v);
	uint32_t was = atomic_load_explicit(&row->weight, memory_order_relaxed);
	bool own = strcmp(c->word[2], "default") == 0;
	uint64_t to = v->weight;

	if (!own)
		value_number(c->word[2], &to);	/* looked at before */
	atomic_store_explicit(&row->weight_set, !own, memory_order_relaxed);
	atomic_store_explicit(&row->weight, (uint32_t)to, memory_order_relaxed);
	fprintf(c->out, "%s/%s: weight %u, was %u\n", p->name, v->name, (unsigned)to, was);
	if (was != to)
		log_info("server %s/%s: weight %u instead of %u, by hand (%s)", p->name, v->name, (unsigned)to, was, c->who);
}

static enum command_result command_weight(struct command *c)
{
	uint64_t n;

	if (strcmp(c->word[2], "default") != 0 && (value_number(c->word[2], &n) < 0 || n > COMMAND_WEIGHT_MAX)) {
		fprintf(c->out, "weight %s: expected 0 to %d, or default\n", c->word[2], COMMAND_WEIGHT_MAX);
		return COMMAND_REFUSED;
	}
	if (!command_all_known(c, 1, 2))
		return COMMAND_REFUSED;
	command_servers(c, c->word[1], command_set_weight);
	command_wake_health(c);
	return COMMAND_DONE;
}

/* ---- check ---- */

static void command_want_probe(struct command *c, const struct conf_pool *p, const struct conf_server *v)
{
	if (p->check.kind == CONF_CHECK_NONE ||
	    atomic_load_explicit(&command_row(c, v)->admin, memory_order_relaxed) == SHM_MAINT)
		return;
	table_add32(&command_row(c, v)->probe_wanted, 1);
	fprintf(c->out, "%s/%s\n", p->name, v->name);
}

static enum command_result command_check(struct command *c)
{
	long before = ftell(c->out);

	if (!command_all_known(c, 1, c->nwords))
		return COMMAND_REFUSED;
	for (unsigned i = 1; i < c->nwords; i++)
		command_servers(c, c->word[i], command_want_probe);
	if (ftell(c->out) == before) {
		fputs("none of them is probed: in maintenance, or check none\n", c->out);
		return COMMAND_REFUSED;
	}
	command_wake_health(c);
	return COMMAND_DONE;
}

/* ---- the rest ---- */

static enum command_result command_reload(struct command *c)
{
	if (c->s->succession.stop != STOP_NOT) {
		fputs("the instance is stopping\n", c->out);
		return COMMAND_REFUSED;
	}
	log_info("control: reload (%s)", c->who);
	succession_reload(c->s);
	return COMMAND_WAITS;
}

static enum command_result command_upgrade(struct command *c)
{
	if (c->s->succession.stop != STOP_NOT) {
		fputs("the instance is stopping\n", c->out);
		return COMMAND_REFUSED;
	}
	log_info("control: upgrade (%s)", c->who);
	upgrade_begin(c->s);
	if (c->s->checking || c->s->upgrade)
		return COMMAND_WAITS_UPGRADE;
	fputs("the new program cannot be tried; the log says why\n", c->out);
	return COMMAND_REFUSED;
}

static enum command_result command_config(struct command *c)
{
	uint32_t level = atomic_load_explicit(&c->s->table.inst->log_level, memory_order_relaxed);

	conf_print(c->conf, c->out);
	/* What was said by hand is in force, and not in the language. */
	if (level)
		fprintf(c->out, "# by hand: log level %s\n", level == LOG_LEVEL_ERROR ? "error" : level == LOG_LEVEL_WARN ? "warn" :
			level == LOG_LEVEL_INFO ? "info" : "debug");
	for (unsigned i = 0; i < c->conf->npools; i++) {
		const struct conf_pool *p = &c->conf->pool[i];

		for (unsigned j = 0; j < p->nservers; j++) {
			const struct conf_server *v = &p->server[j];
			struct shm_server *row = command_row(c, v);
			uint32_t admin = atomic_load_explicit(&row->admin, memory_order_relaxed);

			if (admin != SHM_READY)
				fprintf(c->out, "# by hand: %s %s/%s\n", command_admin_name(admin), p->name, v->name);
			if (atomic_load_explicit(&row->weight_set, memory_order_relaxed))
				fprintf(c->out, "# by hand: weight %s/%s %u\n", p->name, v->name,
					atomic_load_explicit(&row->weight, memory_order_relaxed));
		}
	}
	return COMMAND_DONE;
}

static enum command_result command_log(struct command *c)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warn", LOG_LEVEL_WARN },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
		{ "default", 0 },	/* what the configuration says */
	};
	_Atomic uint32_t *shared = &c->s->table.inst->log_level;
	unsigned i;

	if (strcmp(c->word[1], "level") != 0) {
		fputs("expected log level, or log level and one of error, warn, info, debug, default\n", c->out);
		return COMMAND_REFUSED;
	}
	if (c->nwords == 2) {
		for (i = 0; i < 4; i++)
			if (levels[i].level == log_get_level())
				fprintf(c->out, "%s\n", levels[i].name);
		return COMMAND_DONE;
	}
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(levels[i].name, c->word[2]) != 0)
			continue;
		log_info("log level %s, by hand (%s)", levels[i].name, c->who);
		atomic_store_explicit(shared, levels[i].level, memory_order_relaxed);
		for (i = 0; i < 3 && levels[i].level != log_get_level(); i++)
			;
		fprintf(c->out, "%s\n", levels[i].name);
		return COMMAND_DONE;
	}
	fprintf(c->out, "there is no log level %s; expected error, warn, info, debug or default\n", c->word[2]);
	return COMMAND_REFUSED;
}

/*
 * Each worker gets a copy of the descriptor and answers the asker by itself. Told are those that were asked, and
 * those that were not because their channel is full, or nobody is there at the moment.
 */
static enum command_result command_conns(struct command *c)
{
	char filter[CONNS_FILTER_MAX];
	size_t n = 0;

	if (c->fd < 0) {
		fputs("conns takes a socket for the answer along\n", c->out);
		return COMMAND_REFUSED;
	}
	for (unsigned i = 1; i < c->nwords; i++) {
		n += (size_t)snprintf(filter + n, sizeof(filter) - n, i > 1 ? " %s" : "%s", c->word[i]);
		if (n >= sizeof(filter)) {
			fputs("the filter is too long\n", c->out);
			return COMMAND_REFUSED;
		}
	}
	for (struct generation *g = NULL; (g = supervisor_next_generation(c->s, g));) {
		for (unsigned i = 0; i < g->nworkers; i++) {
			struct worker *w = &g->worker[i];

			if (w->gone || w->channel[0] < 0)
				continue;
			fprintf(c->out, "%s %u %d\n", w->pid && !w->full && channel_ask(w, c->fd, filter, n) == 0 ? "asked" : "not",
				w->slot, (int)w->pid);
		}
	}
	return COMMAND_DONE;
}

static enum command_result command_stop(struct command *c)
{
	bool at_once = c->nwords > 1;

	if (at_once && strcmp(c->word[1], "now") != 0) {
		fputs("expected stop, or stop now\n", c->out);
		return COMMAND_REFUSED;
	}
	log_info("control: stop%s (%s)", at_once ? " now" : "", c->who);
	fputs(at_once ? "stopping at once\n" : "stopping when what is in flight has ended\n", c->out);
	succession_stop(c->s, at_once);
	return COMMAND_DONE;
}

/* ---- which is which ---- */

static const struct {
	const char *name;
	unsigned min, max;	/* words, the name included */
	enum command_result (*run)(struct command *c);
} commands[] = {
	{ "drain", 2, COMMAND_WORDS, command_admin },
	{ "maint", 2, COMMAND_WORDS, command_admin },
	{ "ready", 2, COMMAND_WORDS, command_admin },
	{ "weight", 3, 3, command_weight },
	{ "check", 2, COMMAND_WORDS, command_check },
	{ "reload", 1, 1, command_reload },
	{ "upgrade", 1, 1, command_upgrade },
	{ "config", 1, 1, command_config },
	{ "log", 2, 3, command_log },
	{ "conns", 1, COMMAND_WORDS, command_conns },
	{ "stop", 1, 2, command_stop },
};

enum command_result command_run(struct supervisor *s, char *line, int fd, const struct ucred *who, FILE *out)
{
	struct command c = { .s = s, .out = out, .fd = fd };
	char *rest = line, *word;
	struct near near;

	while ((word = strsep(&rest, " \t\r"))) {
		if (*word == '\0')
			continue;
		if (c.nwords == COMMAND_WORDS) {
			fputs("too many words\n", out);
			return COMMAND_REFUSED;
		}
		c.word[c.nwords++] = word;
	}
	if (c.nwords == 0) {
		fputs("an empty request\n", out);
		return COMMAND_REFUSED;
	}
	snprintf(c.who, sizeof(c.who), "uid %u, pid %d", (unsigned)who->uid, (int)who->pid);
	near_start(&near, c.word[0]);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		near_try(&near, commands[i].name);
		if (strcmp(commands[i].name, c.word[0]) != 0)
			continue;
		if (c.nwords < commands[i].min || c.nwords > commands[i].max) {
			fprintf(out, "%s takes %s words\n", c.word[0], c.nwords < commands[i].min ? "more" : "fewer");
			return COMMAND_REFUSED;
		}
		if (!s->current && commands[i].run != command_stop) {
			fputs("the instance is still starting\n", out);
			return COMMAND_REFUSED;
		}
		c.conf = s->current ? s->current->conf : NULL;
		return commands[i].run(&c);
	}
	fprintf(out, "there is no command %s", c.word[0]);
	if (near.best)
		fprintf(out, "; did you mean %s?", near.best);
	fputc('\n', out);
	return COMMAND_REFUSED;
}
