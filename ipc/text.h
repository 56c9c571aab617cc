/* Figures as people read them. Each returns buf. */
#ifndef IPC_TEXT_H
#define IPC_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/view.h"

#define TEXT_MAX 64

/* "850ms", "12s", "3m12s", "5h04m", "12d03h". */
char *text_age(char buf[static TEXT_MAX], uint64_t ns);
/* "14:03:59" of today, "Nov 21 14:03:59" before; from CLOCK_MONOTONIC. */
char *text_clock(char buf[static TEXT_MAX], const struct view *v, uint64_t mono_ns);
/* The part of a second that text_clock() leaves out, in nanoseconds; and the whole, in milliseconds since 1970. */
uint64_t text_part_ns(const struct view *v, uint64_t mono_ns);
uint64_t text_unix_ms(const struct view *v, uint64_t mono_ns);
/* "0.8ms", "12ms", "1.2s"; "-" for 0. */
char *text_latency(char buf[static TEXT_MAX], uint64_t ns);
/* "1234", "12.3k", "4.56M": at most six characters. */
char *text_count(char buf[static TEXT_MAX], double n);
/* "0.35", "12.4", "1234", "12.3k" */
char *text_rate(char buf[static TEXT_MAX], double n);

/* What the last probe, or a worker, found: "ok", "unwanted status 503". */
char *text_outcome(char *buf, size_t room, uint32_t outcome, uint32_t status);
/* Why a server is in its state; empty where there is nothing to say. */
char *text_why(char *buf, size_t room, const struct view_server *s);
/* "ok, 0.4ms, 2s ago" */
char *text_probe(char *buf, size_t room, const struct view *v, const struct view_server *s);
/* "serving", "retiring" ... */
const char *text_slot(uint32_t slot);
/* Kind of check and algorithm of a pool; "?" where the table does not say. */
const char *text_check(const struct view_pool *p);
const char *text_balance(const struct view_pool *p);
/* Whether its servers report entries and errors. */
int text_reports_load(const struct view_pool *p);

#endif
