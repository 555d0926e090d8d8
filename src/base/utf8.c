/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "base/utf8.h"

#include <stddef.h>
#include <stdint.h>

/* Its bytes behind the first one, and what the first one has of it; -1: it is no first byte. */
static int more_bytes(unsigned char first, uint32_t *out)
{
    if (first < 0x80) {
        *out = first;
        return 0;
    }
    if ((first & 0xe0) == 0xc0) {
        *out = first & 0x1f;
        return 1;
    }
    if ((first & 0xf0) == 0xe0) {
        *out = first & 0x0f;
        return 2;
    }
    *out = first & 0x07;
    return (first & 0xf8) == 0xf0 ? 3 : -1;
}

/* Neither written longer than it is, nor half of a pair, nor behind the last one. */
static bool is_character(uint32_t c, int more)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

    return c >= least[more] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

bool utf8_is_valid(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
        uint32_t c;
        int more = more_bytes(*p++, &c);

        for (int i = 0; i < more; i++, p++) {
            if ((*p & 0xc0) != 0x80) /* also at the text's end */
                return false;
            c = c << 6 | (*p & 0x3f);
        }
        if (more < 0 || !is_character(c, more))
            return false;
    }
    return true;
}

char utf8_stand_in(char byte)
{
    return (char)((unsigned char)byte < 0x80 ? byte : '?');
}
