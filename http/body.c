/*
 * Framing of bodies. The chunked coding is read a byte at a time by a state machine, which costs
 * little (a few bytes a chunk) and makes every cut the same; data are skipped over in one step.
 *
 * Chunk extensions are checked against their whole grammar, though nobody wants them: a reader who lets
 * a quoted string run over a line end sees another message than one who does not. RFC 9112 7.1.1
 */
#include "http/body.h"

#include "http/chars.h"

#define SIZE_LINE_MAX	1024	/* bytes of a chunk's size and extensions */
#define TRAILERS_MAX	16384	/* bytes of all trailers */
/* Extensions of all chunks: this, and a share of the data, so that nobody sends a body of nothing but extensions. */
#define EXTENSIONS_MIN	16384
#define EXTENSIONS_SHARE 8

enum state {
	SIZE_FIRST = 0,		/* first digit of a chunk's size */
	SIZE,
	SIZE_BLANK,		/* after a blank: only an extension may follow */
	EXT_NAME_FIRST,		/* after ';', blanks allowed */
	EXT_NAME,
	EXT_NAME_BLANK,		/* after the name: '=', ';' */
	EXT_VALUE_FIRST,	/* after '=', blanks allowed */
	EXT_VALUE,
	EXT_QUOTED,
	EXT_ESCAPED,		/* after '\' within quotes */
	EXT_END,		/* after the closing quote: ';' or the end */
	EXT_END_BLANK,		/* after a blank behind a value: ';' */
	SIZE_LF,
	DATA,			/* left > 0 */
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST,		/* first byte of a trailer, or CR */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
	OVER,
	BAD,
};

void http_body_start(struct http_body *b, enum http_framing framing, uint64_t length)
{
	*b = (struct http_body){
		.framing = (uint8_t)framing,
		.state = SIZE_FIRST,
		.left = framing == HTTP_LENGTH ? length : 0,
	};
	if (framing == HTTP_NO_BODY || (framing == HTTP_LENGTH && !length))
		b->state = OVER;
}

static int bad(struct http_body *b, const char *why)
{
	b->why = why;
	b->state = BAD;
	return -1;
}

/* One more digit of a size; RFC 9112 7.1: "MUST anticipate potentially large hexadecimal numerals". */
static int size_digit(struct http_body *b, char c)
{
	unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;

	if (b->left > (uint64_t)INT64_MAX >> 4)
		return bad(b, "chunk size overflows");
	b->left = b->left << 4 | digit;
	return 0;
}

/* What may follow a complete size, name or value: the next extension, or the end of the line. */
static int after_element(struct http_body *b, char c, enum state blank)
{
	if (c == '\r')
		b->state = SIZE_LF;
	else if (c == ';')
		b->state = EXT_NAME_FIRST;
	else if (http_char_is_blank(c))
		b->state = (uint8_t)blank;
	else
		return bad(b, "invalid chunk size or extension");
	return 0;
}

/* A byte of the line that holds a chunk's size. 0 or -1. */
static int size_line(struct http_body *b, char c)
{
	if (++b->line > SIZE_LINE_MAX)
		return bad(b, "chunk size line too long");
	if (b->state >= EXT_NAME_FIRST && b->state <= EXT_END_BLANK &&
	    ++b->extensions > EXTENSIONS_MIN + b->total / EXTENSIONS_SHARE)
		return bad(b, "too many chunk extensions");

	switch ((enum state)b->state) {
	case SIZE_FIRST:
		if (!http_char_is(c, HTTP_C_HEX))
			return bad(b, "invalid chunk size");
		b->state = SIZE;
		return size_digit(b, c);
	case SIZE:
		if (http_char_is(c, HTTP_C_HEX))
			return size_digit(b, c);
		return after_element(b, c, SIZE_BLANK);
	case EXT_NAME_FIRST:
		if (http_char_is_blank(c))
			return 0;
		if (!http_char_is(c, HTTP_C_TOKEN))
			return bad(b, "invalid chunk extension");
		b->state = EXT_NAME;
		return 0;
	case EXT_NAME:
		if (http_char_is(c, HTTP_C_TOKEN))
			return 0;
		if (c == '=') {
			b->state = EXT_VALUE_FIRST;
			return 0;
		}
		return after_element(b, c, EXT_NAME_BLANK);
	case EXT_NAME_BLANK:
		if (c == '=') {
			b->state = EXT_VALUE_FIRST;
			return 0;
		}
		break;
	case EXT_VALUE_FIRST:
		if (http_char_is_blank(c))
			return 0;
		if (c != '"' && !http_char_is(c, HTTP_C_TOKEN))
			return bad(b, "invalid chunk extension");
		b->state = c == '"' ? EXT_QUOTED : EXT_VALUE;
		return 0;
	case EXT_VALUE:
		if (http_char_is(c, HTTP_C_TOKEN))
			return 0;
		return after_element(b, c, EXT_END_BLANK);
	case EXT_QUOTED:
	case EXT_ESCAPED:
		if (http_char_is(c, HTTP_C_CTL))
			return bad(b, "control character in chunk extension");
		if (b->state == EXT_ESCAPED)
			b->state = EXT_QUOTED;
		else if (c == '\\')
			b->state = EXT_ESCAPED;
		else if (c == '"')
			b->state = EXT_END;
		return 0;
	case EXT_END:
		return after_element(b, c, EXT_END_BLANK);
	default:
		break;
	}
	/* SIZE_BLANK, EXT_NAME_BLANK, EXT_END_BLANK: blanks may only stand before a further extension. */
	if (http_char_is_blank(c))
		return 0;
	if (c != ';')
		return bad(b, "blank after chunk size or extension");
	b->state = EXT_NAME_FIRST;
	return 0;
}

/* A byte of the trailers. They are held to the rules of fields, and go nowhere. RFC 9112 7.1.2 */
static int trailer(struct http_body *b, char c)
{
	if (++b->trailer_size > TRAILERS_MAX)
		return bad(b, "trailers too large");

	switch ((enum state)b->state) {
	case TRAILER_FIRST:
		if (c == '\r')
			b->state = END_LF;
		else if (http_char_is(c, HTTP_C_TOKEN))
			b->state = TRAILER_NAME;
		else
			return bad(b, "invalid trailer name");
		return 0;
	case TRAILER_NAME:
		if (c == ':')
			b->state = TRAILER_VALUE;
		else if (!http_char_is(c, HTTP_C_TOKEN))
			return bad(b, "invalid trailer name");
		return 0;
	default:	/* TRAILER_VALUE */
		if (c == '\r')
			b->state = TRAILER_LF;
		else if (http_char_is(c, HTTP_C_CTL))
			return bad(b, "control character in trailer");
		return 0;
	}
}

/* A byte of framing; 0 or -1. The state becomes DATA or OVER behind the last one. */
static int framing_byte(struct http_body *b, char c)
{
	switch ((enum state)b->state) {
	case SIZE_LF:
	case DATA_LF:
	case TRAILER_LF:
	case END_LF:
		if (c != '\n')
			return bad(b, "bare CR in chunk framing");
		if (b->state == SIZE_LF)
			b->state = b->left ? DATA : TRAILER_FIRST;
		else if (b->state == DATA_LF)
			b->state = SIZE_FIRST;
		else
			b->state = b->state == TRAILER_LF ? TRAILER_FIRST : OVER;
		b->line = 0;
		return 0;
	case DATA_CR:
		if (c != '\r')
			return bad(b, "chunk does not end where its size says");
		b->state = DATA_LF;
		return 0;
	case TRAILER_FIRST:
	case TRAILER_NAME:
	case TRAILER_VALUE:
		return trailer(b, c);
	default:
		return size_line(b, c);
	}
}

enum http_result http_body_next(struct http_body *b, const char *buf, size_t size, size_t *skip, size_t *data)
{
	size_t i = 0;

	*skip = *data = 0;
	if (b->state == BAD)
		return HTTP_BAD;
	if (b->state == OVER)
		return HTTP_DONE;
	if (b->framing == HTTP_UNTIL_CLOSE) {
		*data = size;
		b->total += size;
		return HTTP_PARTIAL;
	}
	if (b->framing == HTTP_CHUNKED) {
		while (i < size && b->state != DATA && b->state != OVER)
			if (framing_byte(b, buf[i++]) < 0)
				return HTTP_BAD;
		*skip = i;
		if (b->state == OVER)
			return HTTP_DONE;
		if (b->state != DATA)
			return HTTP_PARTIAL;
	}
	*data = size - i < b->left ? size - i : (size_t)b->left;
	return http_body_moved(b, *data);
}

enum http_result http_body_moved(struct http_body *b, uint64_t n)
{
	if (b->state == BAD)
		return HTTP_BAD;
	if (b->framing != HTTP_UNTIL_CLOSE) {
		if (n > b->left) {
			bad(b, "more data than the framing allows");
			return HTTP_BAD;
		}
		b->left -= n;
	}
	b->total += n;
	if (b->framing == HTTP_CHUNKED && b->state == DATA && !b->left)
		b->state = DATA_CR;
	if (b->framing == HTTP_LENGTH && !b->left)
		b->state = OVER;
	return b->state == OVER ? HTTP_DONE : HTTP_PARTIAL;
}

bool http_body_sound(const struct http_body *b, enum http_framing framing)
{
	if (b->framing != framing || b->state >= BAD || b->left > INT64_MAX || b->line > SIZE_LINE_MAX || b->trailer_size > TRAILERS_MAX)
		return false;
	return b->state != DATA || b->left > 0;
}

bool http_body_eof(const struct http_body *b)
{
	return b->state == OVER || (b->framing == HTTP_UNTIL_CLOSE && b->state != BAD);
}

size_t http_chunk_head(char *out, uint64_t size)
{
	unsigned digits = 1;

	while (digits < 16 && size >> (4 * digits))
		digits++;
	for (unsigned i = 0; i < digits; i++)
		out[i] = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 15];
	out[digits] = '\r';
	out[digits + 1] = '\n';
	return digits + 2;
}
