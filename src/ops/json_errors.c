/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/json_errors.h"

#include "ops/api.h"

static json_t *error_json(const struct conf_error *e)
{
    return json_pack("{s:o,s:I,s:o,s:b}", "file", json_plain(e->at.file), "line",
                     (json_int_t)e->at.line, "text", json_plain(e->text), "warning",
                     (int)e->warning);
}

json_t *json_config_errors(const struct conf_errors *errors)
{
    json_t *list = json_array();

    for (size_t i = 0; errors && i < errors->count; i++) {
        if (json_array_append_new(list, error_json(&errors->list[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *json_failure(const char *code, const char *message, const struct conf_errors *errors)
{
    json_t *error = json_pack("{s:s,s:o}", "code", code, "message", json_plain(message));

    return json_pack("{s:o,s:o}", "error", error, "errors", json_config_errors(errors));
}
