/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving the bytes of one direction, by copying through the worker's scratch buffer or by
 * splice(2). It knows nothing of half-close: it says how far it came, and what stopped it.
 */
#ifndef PENSTOCK_FLOW_MOVE_H
#define PENSTOCK_FLOW_MOVE_H

#include "flow/session.h"

enum move {
    MOVE_DRY,     /* the source has no more just now; nothing is held */
    MOVE_BLOCKED, /* the destination takes no more just now; something is held */
    MOVE_MORE,    /* the source may have more, but it was enough for one turn; nothing is held */
    MOVE_EOF,     /* the source has ended; nothing is held */
    MOVE_SRC_RST, /* the source failed, *error says how; nothing is held */
    MOVE_DST_RST, /* the destination failed */
    MOVE_FAILED   /* we failed: no memory */
};

/* Move what there is from `from` to the other side: first what is held, then, if `may_read`, what
 * the source has. At most about MOVE_TURN bytes, so that one busy session can't starve the others.
 */
enum move move_bytes(struct session *s, enum side from, bool may_read, int *error);

#define MOVE_TURN (1u << 20)

/* Bytes read from `from` and not sent on yet. */
size_t move_held(const struct session *s, enum side from);

/* Have them all in memory and none in a pipe. Returns 0, or a negative errno: then those of a pipe
 * are lost, unless move_held() is as it was. */
int move_keep(struct session *s, enum side from);

/* Forget them. */
void move_drop(struct session *s, enum side from);

#endif
