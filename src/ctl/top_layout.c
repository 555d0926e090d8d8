/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_layout.h"

/* With the gaps between them. */
static unsigned total(const struct slot *slots, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += slots[i].width > 0 ? slots[i].width + 1 : 0;
    return sum > 0 ? sum - 1 : 0;
}

/* The next that must go; NULL when the others stay. */
static struct slot *to_leave_out(struct slot *slots, size_t count)
{
    struct slot *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (slots[i].width > 0 && slots[i].rank > 0 && (!found || slots[i].rank > found->rank))
            found = &slots[i];
    }
    return found;
}

/* The next that gets one more: of the lowest rank, and there the narrowest. */
static struct slot *to_widen(struct slot *slots, size_t count)
{
    struct slot *found = NULL;

    for (size_t i = 0; i < count; i++) {
        struct slot *s = &slots[i];

        if (s->width > 0 && s->width < s->want &&
            (!found || s->rank < found->rank ||
             (s->rank == found->rank && s->width < found->width)))
            found = s;
    }
    return found;
}

void layout_fit(struct slot *slots, size_t count, unsigned columns)
{
    struct slot *s;

    for (size_t i = 0; i < count; i++)
        slots[i].width = slots[i].least;
    while (total(slots, count) > columns && (s = to_leave_out(slots, count)))
        s->width = 0;
    for (unsigned left = total(slots, count); left < columns && (s = to_widen(slots, count));
         left++)
        s->width++;
}
