/* SPDX-License-Identifier: BSD-2-Clause */
/* What --help prints. */
#ifndef PENSTOCK_CTL_HELP_H
#define PENSTOCK_CTL_HELP_H

#include "ctl/args.h"

void help_all(const struct command *commands);
void help_command(const struct command *command);

#endif
