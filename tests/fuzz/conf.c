/*
 * Fuzz target: the configuration's parser, from memory. What is accepted must also print, read back as
 * accepted, and print the same; what is refused must say why, in whole lines.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses a copy; *said gets the messages. */
static struct conf *parse(const void *data, size_t size, char **said, size_t *said_size)
{
	FILE *err = open_memstream(said, said_size);
	char *buf = malloc(size + 1);
	struct conf *c;

	if (!err || !buf)
		abort();
	memcpy(buf, data, size);
	c = parse_buffer(buf, size, "F", err);
	fclose(err);
	free(buf);
	return c;
}

static char *print(const struct conf *c, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	if (!out)
		abort();
	conf_print(c, out);
	fclose(out);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t nothing[1];
	char *said = NULL, *text[2];
	size_t said_size, text_size[2];
	struct conf *c = parse(size ? data : nothing, size, &said, &said_size);

	if (!c) {
		if (said_size == 0 || said[said_size - 1] != '\n')
			abort();
		free(said);
		return 0;
	}
	if (said_size != 0)
		abort();
	free(said);
	text[0] = print(c, &text_size[0]);
	conf_free(c);

	c = parse(text[0], text_size[0], &said, &said_size);
	if (!c) {
		fputs(text[0], stderr);
		fputs(said, stderr);
		abort();
	}
	free(said);
	text[1] = print(c, &text_size[1]);
	conf_free(c);
	if (text_size[0] != text_size[1] || memcmp(text[0], text[1], text_size[0]) != 0)
		abort();
	free(text[0]);
	free(text[1]);
	return 0;
}
