/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/pending.h"

#include <string.h>

#include "ctl/value.h"

size_t pending_count(const json_t *diff, const char *but)
{
    const json_t *change;
    size_t i, count = 0;

    json_array_foreach(json_object_get(diff, "rules"), i, change) count +=
        !but || strcmp(value_text(change, "name"), but) != 0;
    json_array_foreach(json_object_get(diff, "daemon"), i, change) count +=
        !json_is_true(json_object_get(change, "needs_restart"));
    return count;
}
