/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_list.h"

void list_fit(struct top_list *l, size_t count, size_t rows)
{
    l->count = count;
    l->rows = rows > 0 ? rows : 1;
    if (l->at >= count)
        l->at = count > 0 ? count - 1 : 0;
    if (l->first > l->at)
        l->first = l->at;
    if (l->at - l->first >= l->rows)
        l->first = l->at - l->rows + 1;
    /* No room is left empty below the last. */
    if (l->first + l->rows > count)
        l->first = count > l->rows ? count - l->rows : 0;
}

bool list_press(struct top_list *l, enum press_kind kind)
{
    size_t page = l->rows > 1 ? l->rows - 1 : 1;

    switch (kind) {
    case PRESS_UP:
        l->at -= l->at > 0;
        break;
    case PRESS_DOWN:
        l->at++;
        break;
    case PRESS_PAGE_UP:
        l->at -= l->at < page ? l->at : page;
        break;
    case PRESS_PAGE_DOWN:
        l->at += page;
        break;
    case PRESS_HOME:
        l->at = 0;
        break;
    case PRESS_END:
        l->at = l->count;
        break;
    default:
        return false;
    }
    list_fit(l, l->count, l->rows);
    return true;
}
