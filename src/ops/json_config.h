/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The config in JSON (penstock-api(7)): every option of options.def, with the value that the config
 * language would give it; null when it is unset. Each returns a new value, or NULL without memory.
 */
#ifndef PENSTOCK_OPS_JSON_CONFIG_H
#define PENSTOCK_OPS_JSON_CONFIG_H

#include <jansson.h>

#include "conf/options.h"

/* "5s", 256, true, ["eth1","eth2"]. */
json_t *json_option(const struct option *o, enum option_where where, const void *base);

/* {OPTION:VALUE...}, all that are allowed in `where`, to which `base` belongs (options.h). */
json_t *json_options(enum option_where where, const void *base);

/* A rule in parts, for it can have ten thousands of addresses: what comes before "listen", one of
 * these, and what comes behind. */
json_t *json_conf_rule_head(const struct conf_rule *rule);
json_t *json_conf_rule_rest(const struct conf_rule *rule);

/* The `i`-th address, and the *range - 1 behind it that form a range of ports with it. */
json_t *json_conf_listen(const struct conf_rule *rule, size_t i, size_t *range);

#endif
