/* Writing JSON. */
#include "ipc/json.h"

#include <inttypes.h>
#include <math.h>

static void json_text(struct json *j, const char *text)
{
	fputc('"', j->out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(j->out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(j->out, "\\u%04x", c);
		else
			fputc(c, j->out);
	}
	fputc('"', j->out);
}

static void json_before(struct json *j, const char *key)
{
	if (j->depth) {
		fputs(j->filled[j->depth] ? ",\n" : "\n", j->out);
		j->filled[j->depth] = true;
		for (unsigned i = 0; i < j->depth; i++)
			fputc('\t', j->out);
	}
	if (key) {
		json_text(j, key);
		fputs(": ", j->out);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	json_before(j, key);
	fputc(bracket, j->out);
	if (j->depth + 1 < JSON_DEPTH)
		j->depth++;
	j->filled[j->depth] = false;
}

void json_close(struct json *j, char bracket)
{
	bool filled = j->filled[j->depth];

	j->depth--;
	if (filled) {
		fputc('\n', j->out);
		for (unsigned i = 0; i < j->depth; i++)
			fputc('\t', j->out);
	}
	fputc(bracket, j->out);
	if (j->depth == 0)
		fputc('\n', j->out);
}

void json_string(struct json *j, const char *key, const char *value)
{
	json_before(j, key);
	json_text(j, value);
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
	json_before(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void json_number(struct json *j, const char *key, double value)
{
	json_before(j, key);
	fprintf(j->out, "%.6g", isfinite(value) ? value : 0);
}

void json_bool(struct json *j, const char *key, bool value)
{
	json_before(j, key);
	fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
	json_before(j, key);
	fputs("null", j->out);
}

void json_key(struct json *j, const char *key)
{
	json_before(j, key);
}

void json_numbers(struct json *j, const char *key, const double *value, size_t n)
{
	json_before(j, key);
	fputc('[', j->out);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			fputc(',', j->out);
		if (isnan(value[i]))
			fputs("null", j->out);
		else if (value[i] == 0)
			fputc('0', j->out);
		else
			fprintf(j->out, "%.4g", value[i]);
	}
	fputc(']', j->out);
}
