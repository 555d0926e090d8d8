/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/value.h"

#include <stdbool.h>
#include <stdio.h>

#include "ctl/must.h"

static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    return text ? text : "-";
}

const char *value_text(const json_t *object, const char *key)
{
    return text_of(json_object_get(object, key));
}

/* A list may be long: what there is already is not copied for each that comes. */
char *value_joined(const json_t *list, const char *key)
{
    char *text = NULL;
    size_t size, i;
    FILE *to = must(open_memstream(&text, &size));
    const json_t *value;
    bool failed;

    json_array_foreach(list, i, value)
    {
        if (i > 0)
            fputc(',', to);
        fputs(key ? value_text(value, key) : text_of(value), to);
    }
    failed = fclose(to) != 0;
    return must(failed ? NULL : text);
}

static int64_t within(int64_t number)
{
    return number > VALUE_MOST ? VALUE_MOST : number < -VALUE_MOST ? -VALUE_MOST : number;
}

int64_t value_number(const json_t *object, const char *key)
{
    return within(json_integer_value(json_object_get(object, key)));
}

int64_t value_add(int64_t a, int64_t b)
{
    return within(within(a) + within(b));
}

int64_t value_rate(int64_t count, int64_t ms)
{
    double rate = (double)count * 1000 / (double)ms + 0.5;

    return rate < (double)VALUE_MOST ? (int64_t)rate : VALUE_MOST;
}

int64_t value_sum(const json_t *object, const char *key)
{
    const json_t *inner = json_object_get(object, key);
    const json_t *value;
    const char *name;
    int64_t sum = 0;

    json_object_foreach((json_t *)inner, name, value)
    {
        sum = value_add(sum, json_integer_value(value));
    }
    return sum;
}

int64_t value_failed(const json_t *rule)
{
    static const char *const words[] = {"connect-refused", "connect-timeout", "connect-failed",
                                        "resolve-failed", "upstream-refused"};
    const json_t *ended = json_object_get(rule, "ended");
    int64_t sum = 0;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        sum = value_add(sum, value_number(ended, words[i]));
    return sum;
}
