/* The configuration's lexer. */
#include "conf/lex.h"

#include <string.h>

void lex_start(struct lex *l, char *buf, size_t size)
{
	buf[size] = '\0';
	l->at = buf;
	l->end = buf + size;
	l->line = 0;
	/* A byte order mark is what some editors leave in front; it is nobody's word. */
	if (size >= 3 && memcmp(buf, "\xef\xbb\xbf", 3) == 0)
		l->at += 3;
}

static bool lex_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool lex_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* Columns are characters, as editors count them: the later bytes of a UTF-8 sequence have none. */
static unsigned lex_width(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80 ? 0 : 1;
}

static int lex_bad(struct lex_line *line, unsigned column, const char *bad, const char *expected)
{
	line->bad_column = column;
	line->bad = bad;
	line->expected = expected;
	return -1;
}

/* Reads a quoted word at *at, which is the opening mark; leaves *at behind the closing one. */
static int lex_quoted(struct lex_line *line, struct lex_word *w, char **at, char *stop, unsigned *column)
{
	char *in = *at + 1, *out = in;

	w->text = out;
	++*column;
	for (;; in++) {
		if (in == stop)
			return lex_bad(line, w->column, "quotation mark without its end",
			    "a second \" on the same line");
		if (*in == '"')
			break;
		if (lex_control(*in) || *in == '\t')
			return lex_bad(line, *column, "control character in a quoted word", "printable text");
		if (*in == '\\') {
			if (in + 1 == stop || (in[1] != '"' && in[1] != '\\'))
				return lex_bad(line, *column, "unknown escape", "\\\" or \\\\");
			in++;
			++*column;
		}
		*column += lex_width(*in);
		*out++ = *in;
	}
	w->size = (size_t)(out - w->text);
	*out = '\0';
	++*column;
	*at = in + 1;
	if (*at < stop && !lex_blank(**at))
		return lex_bad(line, *column, "text directly behind a quotation mark", "a blank between words");
	return 0;
}

static int lex_plain(struct lex_line *line, struct lex_word *w, char **at, char *stop, unsigned *column)
{
	char *in;

	w->text = *at;
	for (in = *at; in < stop && !lex_blank(*in); in++) {
		if (*in == '"')
			return lex_bad(line, *column, "quotation mark inside a word",
			    "the whole word in quotation marks");
		if (lex_control(*in))
			return lex_bad(line, *column, "control character", "printable text");
		*column += lex_width(*in);
	}
	w->size = (size_t)(in - w->text);
	*at = in;
	return 0;
}

static int lex_words(struct lex_line *line, char *at, char *stop)
{
	unsigned column = 1;
	struct lex_word w;

	while (at < stop && *at != '#') {
		bool quoted = *at == '"';

		if (lex_blank(*at)) {
			at++;
			column++;
			continue;
		}
		w.column = column;
		w.quoted = quoted;
		if (line->opens)
			return lex_bad(line, column, "text behind \"{\"", "the end of the line");
		if (line->closes)
			return lex_bad(line, column, "text behind \"}\"", "the end of the line");
		if (quoted ? lex_quoted(line, &w, &at, stop, &column) : lex_plain(line, &w, &at, stop, &column))
			return -1;
		/* What ended the word (a blank, the line's end) makes room for its NUL. */
		if (at < stop) {
			*at++ = '\0';
			column++;
		} else {
			*stop = '\0';
		}
		if (!quoted && w.size == 1 && (w.text[0] == '{' || w.text[0] == '}')) {
			if (line->nwords > 0 && w.text[0] == '}')
				return lex_bad(line, w.column, "\"}\" at the end of a line", "it alone on a line of its own");
			*(w.text[0] == '{' ? &line->opens : &line->closes) = true;
			line->brace_column = w.column;
			continue;
		}
		if (line->nwords == LEX_WORDS_MAX)
			return lex_bad(line, w.column, "too many words", "fewer on one line");
		line->word[line->nwords++] = w;
	}
	line->end_column = column;
	return 0;
}

int lex_next(struct lex *l, struct lex_line *line)
{
	while (l->at < l->end) {
		char *start = l->at;
		char *stop = memchr(start, '\n', (size_t)(l->end - start));
		char last;

		l->line++;
		l->at = stop ? stop + 1 : l->end;
		if (!stop)
			stop = l->end;
		while (stop > start && (stop[-1] == '\r' || lex_blank(stop[-1])))
			stop--;
		last = stop > start ? stop[-1] : '\0';

		line->line = l->line;
		line->nwords = 0;
		line->opens = line->closes = false;
		line->brace_column = line->end_column = 1;
		if (lex_words(line, start, stop) < 0) {
			/* For recovery only: what the line probably did to the blocks around it. */
			line->opens = last != '}' && (last == '{' || line->opens);
			return -1;
		}
		if (line->nwords > 0 || line->opens || line->closes)
			return 1;
	}
	return 0;
}
