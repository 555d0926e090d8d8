/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule's counters in the handover, to the snapshot and back. */
#ifndef PENSTOCK_DAEMON_HANDOVER_ACCOUNT_H
#define PENSTOCK_DAEMON_HANDOVER_ACCOUNT_H

#include "daemon/snapshot.h"
#include "flow/account.h"

/* Returns 0 or -ENOMEM; in either case what `out` has got is freed by the second. */
int handover_save_account(const struct account *a, struct snap_rule *out);
void handover_free_account(struct snap_rule *out);

/* Of a rule without sessions yet. Words that this program doesn't know are left out. */
void handover_restore_account(struct account *a, const struct snap_rule *from);

#endif
