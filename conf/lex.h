/*
 * The configuration's lexer: a buffer into lines, a line into words. It writes into the buffer (words
 * are unquoted and ended in place), so it allocates nothing, and words live as long as the buffer.
 */
#ifndef CONF_LEX_H
#define CONF_LEX_H

#include <stdbool.h>
#include <stddef.h>

#define LEX_WORDS_MAX 32	/* no directive takes as many */

struct lex {
	char *at, *end;
	unsigned line;		/* of the line read last; the first is 1 */
};

struct lex_word {
	char *text;		/* ends with NUL; never contains one, nor another control character */
	size_t size;
	bool quoted;
	unsigned column;	/* of its first character (a quoted word's: the quotation mark), from 1 */
};

struct lex_line {
	unsigned line;
	struct lex_word word[LEX_WORDS_MAX];	/* without the braces */
	unsigned nwords;
	bool opens;		/* ends with an unquoted "{" */
	bool closes;		/* is an unquoted "}" */
	unsigned brace_column;
	unsigned end_column;	/* where a further word could have stood */

	/* after -1 */
	unsigned bad_column;
	const char *bad;	/* what is wrong */
	const char *expected;
};

/* buf[size] must be writable too. */
void lex_start(struct lex *l, char *buf, size_t size);
/*
 * The next line that is not empty: 1; 0 at the end; -1: the line cannot be read (line->bad says why;
 * line->opens and line->closes say what it looked like) and has been passed over.
 */
int lex_next(struct lex *l, struct lex_line *line);

#endif
