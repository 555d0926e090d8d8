/* SPDX-License-Identifier: BSD-2-Clause */
/* What the type of terminal can do, once ncurses knows it. */
#ifndef PENSTOCK_CTL_TOP_TERMINFO_H
#define PENSTOCK_CTL_TOP_TERMINFO_H

#include <stdbool.h>

bool terminfo_moves_cursor(void);

/* To go to, and to come back from to what was there. */
bool terminfo_has_other_screen(void);

#endif
