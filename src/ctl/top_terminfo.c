/* SPDX-License-Identifier: BSD-2-Clause */
/* What the type of terminal can do. Alone, as <term.h> takes many names. */
#include "config.h"

#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "ctl/top_terminfo.h"

enum terminfo_verdict terminfo_look(void)
{
    enum terminfo_verdict verdict;
    int error;

    if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
        return TERMINFO_UNKNOWN;
    verdict = cursor_address ? TERMINFO_GOOD : TERMINFO_POOR;
    del_curterm(cur_term);
    return verdict;
}

bool terminfo_has_other_screen(void)
{
    return exit_ca_mode;
}
