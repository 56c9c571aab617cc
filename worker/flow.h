/*
 * Bytes from one connection to another, one direction. Copied while they are few, spliced through a
 * pipe when they are many; never more held than one buffer and one pipe, so a slow reader slows the
 * writer.
 */
#ifndef WORKER_FLOW_H
#define WORKER_FLOW_H

#include "http/body.h"
#include "worker/conn.h"

enum flow_result {
	FLOW_DONE,		/* all that was asked for has been written */
	FLOW_WAIT_READ,		/* the source has nothing now */
	FLOW_WAIT_WRITE,	/* the sink takes nothing now */
	FLOW_YIELD,		/* did its share of this turn, there is more */
	FLOW_EOF,		/* the source has ended, everything it gave is written */
	FLOW_READ_ERROR,
	FLOW_WRITE_ERROR,
	FLOW_BAD,		/* chunked framing is not valid */
};

struct flow {
	struct pipe *pipe;	/* lent while it holds bytes */
	uint32_t full;		/* reads in a row that filled the buffer: a bulk transfer */
	bool splice;		/* allowed */
	bool fin;		/* when all is written, FIN follows at once */
	uint64_t moved;		/* bytes written, ever (heads and framing included) */
};

/*
 * Moves head[at..end) (may be NULL) and then up to *left bytes of `from` to `to`; UINT64_MAX: all
 * there are. *left goes down as bytes leave the source; head->at goes up as they are written.
 */
enum flow_result flow_pump(struct flow *f, struct conn *from, struct conn *to, struct buf *head, uint64_t *left);

/*
 * The same for a body in chunked framing, which is read, checked, and written anew: as chunks when
 * `chunked`, else as bare data. `out` holds what is to be written first and serves as workspace.
 * *over: the end of the body has been read and its framing is in `out`.
 * *keep (may be NULL): what has been written stays in `out`, before out->at; becomes false when it no longer fits.
 * *span: data of the current chunk at the front of from->in that is not in `out` yet.
 */
enum flow_result flow_pump_chunked(struct flow *f, struct http_body *body, struct conn *from, struct conn *to,
    struct buf *out, bool chunked, uint32_t *span, bool *over, bool *keep);

void flow_end(struct flow *f);

#endif
