/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/value.h"

const char *value_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "-";
}

int64_t value_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

int64_t value_sum(const json_t *object, const char *key)
{
    const json_t *inner = json_object_get(object, key);
    const json_t *value;
    const char *name;
    uint64_t sum = 0;

    json_object_foreach((json_t *)inner, name, value) sum += (uint64_t)json_integer_value(value);
    return (int64_t)sum;
}
