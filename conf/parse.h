/*
 * The configuration's parser. parse.c walks the lines and knows blocks and the directives that take one
 * value; parse_pool.c and parse_listen.c know the ones with a grammar of their own; check.c what must be
 * true of blocks as a whole and of the file.
 *
 * Errors do not stop it: a line that is wrong is told and left out, and reading goes on, so that one
 * run shows what there is to mend. A configuration with any error is never handed out.
 */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "conf/conf.h"
#include "conf/diag.h"
#include "conf/lex.h"
#include "conf/names.h"
#include "conf/words.h"

enum parse_block { PARSE_TOP, PARSE_POOL, PARSE_LISTEN };

struct parse_position { unsigned line, column; };

/* A pool's name where it is used; resolved at the end of the file, so that order does not matter. */
struct parse_reference {
	unsigned listener;
	int route;			/* index, -1: `to` of the listener itself */
	bool sni;			/* index among the routes by SNI */
	char *name;			/* in the buffer */
	struct parse_position at;
};

struct parse {
	struct conf *conf;
	struct diag diag;
	struct lex lex;
	struct lex_line line;		/* the one being read */

	enum parse_block in;
	struct parse_position opened;	/* the block's name */
	unsigned errors_before;		/* diag.errors when the block was opened */
	bool brace_due;			/* the opening line had no "{": one alone on the next line is its */
	unsigned said_top[WORDS_MAX];	/* line on which each directive was given; 0: not */
	unsigned said[WORDS_MAX];	/* the same of the open block */

	struct names names;
	bool pool_unnamed;		/* a pool's own line was wrong: references cannot be judged */
	struct parse_reference *ref;
	size_t nrefs;
	unsigned nbinds, nservers;	/* in all listeners, all pools */
	struct parse_position *route_at;/* of each route of the open listener */
	bool no_memory;
};

/* Scopes of names: see names.h. A server's scope is PARSE_SCOPE_SERVER + index of its pool. */
enum { PARSE_SCOPE_POOL, PARSE_SCOPE_LISTENER, PARSE_SCOPE_SERVER };

/*
 * Parses buf, which is overwritten and of which buf[size] must be writable too. NULL after messages on
 * err. `file` is the name for messages and for conf->file.
 */
struct conf *parse_buffer(char *buf, size_t size, const char *file, FILE *err);

/* For the parser's other files. */

/* "word i is wrong": prints `what` with the word quoted in front, and what was expected. */
void parse_bad_word(struct parse *p, unsigned i, const char *what, const char *expected);
/* The same, of a word that might be one of `choice` mistyped: names the nearest. */
void parse_unknown_word(struct parse *p, unsigned i, const char *what, const char *const *choice);
/* 0 when the line has from min to max words (the directive counts); else -1 after a message. */
int parse_count(struct parse *p, unsigned min, unsigned max, const char *expected);
/*
 * Reads options (a word, and mostly a value) from word i on into `object`. *i is where it stopped: at
 * the end, or at the word `until` (may be NULL). given[] gets the column of each. 0, or -1 after a message.
 */
int parse_options(struct parse *p, unsigned *i, const struct words_entry *table, void *object, const char *until,
    unsigned given[static WORDS_MAX]);
/* Grows an array by one element, zeroed; *array has n. 0, or -1 (no_memory is set). */
int parse_grow(struct parse *p, void *array, size_t n, size_t element);
/* strdup() that sets no_memory. */
char *parse_copy(struct parse *p, const char *text);

#endif
