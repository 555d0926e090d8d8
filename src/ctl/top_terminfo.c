/* SPDX-License-Identifier: BSD-2-Clause */
/* What the type of terminal can do. Alone, as <term.h> takes many names. */
#include "config.h"

#include <stdbool.h>

#include <curses.h>
#include <term.h>

#include "ctl/top_terminfo.h"

bool terminfo_moves_cursor(void)
{
    return cursor_address;
}

bool terminfo_has_other_screen(void)
{
    return exit_ca_mode;
}
