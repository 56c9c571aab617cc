/* Writing JSON, one line a value, so that it can be read by people and cut by line tools too. */
#ifndef IPC_JSON_H
#define IPC_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

struct json {
	FILE *out;
	unsigned depth;
	bool filled[JSON_DEPTH];	/* something stands at this depth already */
};

/* `key` is NULL in an array and at the top. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value);
void json_uint(struct json *j, const char *key, uint64_t value);
void json_number(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* An array on one line; what is no number is null. */
void json_numbers(struct json *j, const char *key, const double *value, size_t n);
/* For a value that the caller writes to j->out. */
void json_key(struct json *j, const char *key);

#endif
