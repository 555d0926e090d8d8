/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions as an answer, in slices. */
#ifndef PENSTOCK_OPS_SESSION_LIST_H
#define PENSTOCK_OPS_SESSION_LIST_H

#include "ops/find.h"
#include "ops/http.h"

/* {"sessions":[...],"next":...}: those that `what` means now and that are still there when their
 * turn comes. NULL without memory. */
struct answer *answer_sessions(struct worker *w, const struct find *what);

#endif
