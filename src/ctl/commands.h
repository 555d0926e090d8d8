/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PENSTOCK_CTL_COMMANDS_H
#define PENSTOCK_CTL_COMMANDS_H

#include "ctl/args.h"

/* All that penstock can do; ends with a NULL name. */
extern const struct command commands[];

#endif
