/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *must(void *p)
{
    if (p)
        return p;
    fputs("penstock: no memory\n", stderr);
    exit(EXIT_FAILURE);
}

void *must_resize(void *p, size_t count, size_t size)
{
    return must(reallocarray(p, count, size));
}

char *must_print(const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    return must(length < 0 ? NULL : text);
}
