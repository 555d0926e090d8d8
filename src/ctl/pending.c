/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/pending.h"

#include <string.h>

#include "ctl/value.h"

static bool has_name(const json_t *names, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(names, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

size_t pending_count(const json_t *diff, const char *but, const json_t *last)
{
    const json_t *rules = json_object_get(last, "failed_rules");
    const json_t *options = json_object_get(last, "failed_options"), *change;
    size_t i, count = 0;

    json_array_foreach(json_object_get(diff, "rules"), i, change)
    {
        const char *name = value_text(change, "name");

        count += !(but && strcmp(name, but) == 0) && !has_name(rules, name);
    }
    json_array_foreach(json_object_get(diff, "daemon"), i, change) count +=
        !json_is_true(json_object_get(change, "needs_restart")) &&
        !has_name(options, value_text(change, "name"));
    return count;
}
