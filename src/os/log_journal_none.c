/* SPDX-License-Identifier: BSD-2-Clause */
/* Instead of log_journal.c in a build without systemd. */
#include "config.h"

#include <errno.h>

#include "os/log_sink.h"

int log_journal_open(struct log_sink **out)
{
    (void)out;
    return -ENOTSUP;
}
