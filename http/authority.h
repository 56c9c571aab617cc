/* HOST[:PORT] as in Host and in absolute targets. RFC 3986 3.2, RFC 9110 4.2, 7.2. */
#ifndef HTTP_AUTHORITY_H
#define HTTP_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

/* The host must not be empty; user information is refused; the port may be empty, and is at most 65535. */
bool http_authority_valid(const char *text, size_t size);

#endif
