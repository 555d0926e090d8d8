/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/text.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/utf8.h"
#include "ctl/must.h"

#define ESCAPE_MAX                                                                                 \
    10 /* \UNNNNNNNN, of four bytes; no other is longer than four times its source                 \
        */

/* The character that `p` begins with, as RFC 3629 has it; returns its length, or 0 for a byte that
 * begins none. */
static size_t decode(const unsigned char *p, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (length == 1)
        *c = p[0];
    if (length < 2 || p[0] > 0xf4)
        return length == 1;
    *c = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (p[i] & 0x3fu);
    }
    return *c >= least[length] && *c <= 0x10ffff && (*c & 0xfffff800) != 0xd800 ? length : 0;
}

/* Invisible, but others look different for it: marks of direction, joiners, separators, tags. */
static bool is_deceptive(uint32_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0xad || c == 0x61c ||
           (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0000 && c <= 0xe0fff);
}

static size_t escape(char *out, uint32_t c)
{
    if (c == '\\' || c == '\n' || c == '\r' || c == '\t') {
        out[0] = '\\';
        out[1] = c == '\\' ? '\\' : c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        return 2;
    }
    return (size_t)snprintf(out, ESCAPE_MAX + 1,
                            c < 0x80      ? "\\x%02x"
                            : c < 0x10000 ? "\\u%04x"
                                          : "\\U%08x",
                            (unsigned)c);
}

bool text_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool can_be_shown(uint32_t c, bool utf8)
{
    return c != '\\' && (c < 0x80 || utf8) && !is_deceptive(c) && wcwidth((wchar_t)c) >= 0;
}

char *text_safe_for(const char *text, bool utf8)
{
    const unsigned char *p = (const unsigned char *)text;
    char *safe = must_resize(NULL, strlen(text) * 4 + 1, 1), *out = safe;

    while (*p != '\0') {
        uint32_t c;
        size_t length = decode(p, &c);

        if (length == 0) {
            out += snprintf(out, ESCAPE_MAX + 1, "\\x%02x", *p++);
            continue;
        }
        if (can_be_shown(c, utf8)) {
            memcpy(out, p, length);
            out += length;
        } else {
            out += escape(out, c);
        }
        p += length;
    }
    *out = '\0';
    return safe;
}

char *text_safe(const char *text)
{
    return text_safe_for(text, text_is_utf8());
}

char *text_plain(const char *text)
{
    char *plain = must(strdup(text));

    if (utf8_is_valid(plain))
        return plain;
    for (char *c = plain; *c != '\0'; c++)
        *c = utf8_stand_in(*c);
    return plain;
}

size_t text_fit(const char *safe, size_t columns, size_t *used)
{
    const unsigned char *p = (const unsigned char *)safe;
    size_t bytes = 0;

    *used = 0;
    while (p[bytes] != '\0') {
        uint32_t c = 0;
        size_t length = decode(p + bytes, &c);
        int width = length > 0 ? wcwidth((wchar_t)c) : 1;

        if (width > 0 && *used + (size_t)width > columns)
            break;
        *used += width > 0 ? (size_t)width : 0;
        bytes += length > 0 ? length : 1;
    }
    return bytes;
}

size_t text_width(const char *safe)
{
    size_t used;

    text_fit(safe, SIZE_MAX, &used);
    return used;
}

void text_line(FILE *to, const char *format, ...)
{
    char *text, *safe;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    must(length < 0 ? NULL : text);
    safe = text_safe(text);
    fprintf(to, "%s\n", safe);
    free(safe);
    free(text);
}
