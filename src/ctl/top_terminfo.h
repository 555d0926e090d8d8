/* SPDX-License-Identifier: BSD-2-Clause */
/* What the type of terminal can do. */
#ifndef PENSTOCK_CTL_TOP_TERMINFO_H
#define PENSTOCK_CTL_TOP_TERMINFO_H

#include <stdbool.h>

enum terminfo_verdict {
    TERMINFO_UNKNOWN, /* nobody knows that type (TERM) */
    TERMINFO_POOR,    /* its cursor can't be moved */
    TERMINFO_GOOD,
};

/* Before ncurses has it: is it any good? */
enum terminfo_verdict terminfo_look(void);

/* Once ncurses has it: is there another screen, to come back from to what was there? */
bool terminfo_has_other_screen(void);

#endif
