/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions ended by the administrator, in slices. */
#ifndef PENSTOCK_OPS_SESSION_KILL_H
#define PENSTOCK_OPS_SESSION_KILL_H

#include "ops/find.h"
#include "ops/http.h"

/*
 * End those that `what` means now; who comes later lives. The answer is {"killed":n}, with those
 * that had not ended by themselves before it was their turn. NULL without memory. It stops when the
 * client of the request goes.
 */
struct answer *kill_sessions(struct worker *w, const struct find *what, struct request *rq);

#endif
