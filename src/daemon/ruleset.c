/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/ruleset.h"

#include <stdlib.h>

void ruleset_init(struct ruleset *set, struct worker *worker)
{
    *set = (struct ruleset){.worker = worker};
}

void ruleset_close(struct ruleset *set)
{
    for (size_t i = 0; i < set->count; i++)
        rule_close(set->rules[i]);
}

void ruleset_free(struct ruleset *set)
{
    ruleset_close(set);
    for (size_t i = 0; i < set->count; i++)
        rule_unref(set->rules[i]);
    free(set->rules);
    conf_unref(set->conf);
    *set = (struct ruleset){0};
}
