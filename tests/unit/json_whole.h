/* SPDX-License-Identifier: BSD-2-Clause */
/* What the API tells in parts, whole. Each returns a new object, or NULL without memory. */
#ifndef PENSTOCK_TESTS_JSON_WHOLE_H
#define PENSTOCK_TESTS_JSON_WHOLE_H

#include <jansson.h>

#include "base/list.h"
#include "flow/listener.h"
#include "flow/rule.h"
#include "ops/json.h"
#include "ops/json_config.h"

/* `list` and `rest` are taken. */
static inline json_t *json_joined(json_t *head, const char *name, json_t *list, json_t *rest,
                                  int error)
{
    error |= json_object_set_new(head, name, list);
    error |= rest ? json_object_update(head, rest) : -1;
    json_decref(rest);
    if (!error)
        return head;
    json_decref(head);
    return NULL;
}

static inline json_t *json_rule(const struct rule *rule, const struct totals *totals)
{
    json_t *list = json_array();
    int error = 0;

    list_for_each (link, next, &rule->listeners)
        error |=
            json_array_append_new(list, json_listener(container_of(link, struct listener, link)));
    return json_joined(json_rule_head(rule), "listeners", list, json_rule_rest(rule, totals),
                       error);
}

static inline json_t *json_conf_rule(const struct conf_rule *rule)
{
    json_t *list = json_array();
    size_t range;
    int error = 0;

    for (size_t i = 0; i < rule->listen_count; i += range)
        error |= json_array_append_new(list, json_conf_listen(rule, i, &range));
    return json_joined(json_conf_rule_head(rule), "listen", list, json_conf_rule_rest(rule), error);
}

#endif
