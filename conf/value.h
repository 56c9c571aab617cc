/* Values of the configuration and the command line: from text, and back. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each: 0, or -1 with errno EINVAL (not of this form) or ERANGE (does not fit 64 bits). Digits only: no
 * sign, no blank, no fraction. */
int value_number(const char *text, uint64_t *v);
/* A number and its unit: ms, s, m, h. To nanoseconds. */
int value_time(const char *text, uint64_t *ns);
/* A number of bytes, or of k, m, g: 2^10, 2^20, 2^30 bytes. */
int value_size(const char *text, uint64_t *bytes);
/* A number and "%". */
int value_percent(const char *text, uint64_t *v);

#define VALUE_TEXT_MAX 32	/* room for the text of a time or a size */
/* In the largest unit that loses nothing. Return buf. */
const char *value_time_text(char buf[static VALUE_TEXT_MAX], uint64_t ns);
const char *value_size_text(char buf[static VALUE_TEXT_MAX], uint64_t bytes);

/* A name of a pool or a listener: 1 to 63 of letters, digits, ".", "_", "-". */
bool value_is_name(const char *text);
/* A server's name may also have what addresses are written with: ":", "[", "]", "/", "#". */
bool value_is_server_name(const char *text);
/* A name of a field or a cookie: a token of RFC 9110 5.6.2, at most 255 bytes. */
bool value_is_token(const char *text);
/* A path of a URL, or its beginning: "/" and printable ASCII without blanks, "?", "#". At most 1000 bytes. */
bool value_is_url_path(const char *text, bool query_too);

#endif
