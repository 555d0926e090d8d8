/* SPDX-License-Identifier: BSD-2-Clause */
/* What somebody has pressed, whatever the terminal sends for it. */
#ifndef PENSTOCK_CTL_TOP_PRESS_H
#define PENSTOCK_CTL_TOP_PRESS_H

#include <wchar.h>

enum press_kind {
    PRESS_NONE, /* nothing */
    PRESS_OTHER,
    PRESS_CHARACTER,
    PRESS_ENTER,
    PRESS_ESCAPE,
    PRESS_BACKSPACE,
    PRESS_UP,
    PRESS_DOWN,
    PRESS_PAGE_UP,
    PRESS_PAGE_DOWN,
    PRESS_HOME,
    PRESS_END,
};

struct press {
    enum press_kind kind;
    wchar_t character; /* of PRESS_CHARACTER; else 0 */
};

#endif
