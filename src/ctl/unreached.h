/* SPDX-License-Identifier: BSD-2-Clause */
/* Why the daemon can't be reached, and what helps. */
#ifndef PENSTOCK_CTL_UNREACHED_H
#define PENSTOCK_CTL_UNREACHED_H

/* connect(2) to the socket at `path` has failed with `cause` (errno). One line; the caller frees
 * it. */
char *unreached_reason(const char *path, int cause);

#endif
