/* The status page: one document, put together at build time by worker/status/build.sh. */
#ifndef WORKER_STATUS_PAGE_H
#define WORKER_STATUS_PAGE_H

#include <stdint.h>

extern const char status_page[];
extern const uint64_t status_page_size;
/* Value of Content-Security-Policy: with the hashes of the page's own style and script, and nothing else. */
extern const char status_page_policy[];
extern const uint64_t status_page_policy_size;

#endif
