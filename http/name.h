/* Names that mean something here: of fields, and of methods. */
#ifndef HTTP_NAME_H
#define HTTP_NAME_H

#include "http/head.h"

/* `name` is a token. */
enum http_field_id http_name_field(const char *name, size_t size);
enum http_method http_name_method(const char *name, size_t size);

#endif
