/* SPDX-License-Identifier: BSD-2-Clause */
/* penstock top, in a build without ncurses. */
#include "config.h"

#include <stdio.h>

#include "ctl/ctl.h"

const char top_summary[] = "(this build has none)";

int cmd_top(struct ctl *ctl)
{
    (void)ctl;
    fputs("penstock: this build has no top (ncurses); see penstock rules --watch\n", stderr);
    return STATUS_USAGE;
}
