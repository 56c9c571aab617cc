/*
 * Rows of the table for pools and servers, found by identity: a pool by its name, a server by its
 * pool and its name. So figures and verdicts outlive reloads.
 */
#ifndef SUPERVISOR_ROWS_H
#define SUPERVISOR_ROWS_H

#include "supervisor/state.h"

/*
 * Gives every pool and server of `conf` its row: the one it has, or a free one, which is cleared. 0, or -1 with
 * a message in err[size]; the table is then as it was.
 */
int rows_assign(struct table *t, struct conf *conf, uint32_t generation, char *err, size_t size);
/* The same for a configuration whose rows are all there already. 0, or -1: one is not; nothing is changed in the table. */
int rows_known(const struct table *t, struct conf *conf);
/* When the generation comes to serve: rows that were there before get its values, and are marked as used by it.
 * Not earlier, so that rows_undo() knows which ones were there. */
void rows_publish(struct table *t, const struct conf *conf, uint32_t generation);
/* Health asks for a weight of 1..256, and for a backup or not, of a server that SRV records name. Others are left alone. */
void rows_rank(struct table *t, const struct conf *conf, uint32_t number, uint32_t weight, bool backup);
/* Writes addresses that need no resolving. Only while there is no health process. */
void rows_addresses(struct table *t, const struct conf *conf);
/* Frees the rows that no generation from `oldest` on uses. */
void rows_free(struct table *t, uint32_t oldest);
/* Frees the rows that only this generation used, which never came to serve. */
void rows_undo(struct table *t, uint32_t generation);

#endif
