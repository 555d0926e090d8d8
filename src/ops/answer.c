/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers in JSON. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "ops/api.h"

#define MESSAGE_MAX 512

struct answer *answer_guarded(struct answer *a)
{
    if (a) {
        answer_header(a, "Cache-Control", "no-store");
        answer_header(a, "X-Content-Type-Options", "nosniff");
    }
    return a;
}

struct answer *answer_json(unsigned status, json_t *body)
{
    const size_t flags = JSON_COMPACT;
    size_t size = body ? json_dumpb(body, NULL, 0, flags) : 0;
    char *text = size > 0 ? malloc(size + 1) : NULL;

    if (text) {
        json_dumpb(body, text, size, flags);
        text[size++] = '\n';
    }
    json_decref(body);
    return text ? answer_guarded(answer_bytes(status, "application/json", text, size)) : NULL;
}

struct answer *answer_error(unsigned status, const char *code, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return answer_json(
        status, json_pack("{s:{s:s,s:o}}", "error", "code", code, "message", json_plain(message)));
}

json_t *json_plain(const char *text)
{
    json_t *value;
    char *copy;

    if (utf8_is_valid(text))
        return json_string(text);
    copy = strdup(text);
    for (char *c = copy; c && *c; c++)
        *c = utf8_stand_in(*c);
    value = copy ? json_string(copy) : NULL;
    free(copy);
    return value;
}
