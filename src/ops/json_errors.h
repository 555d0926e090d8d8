/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a config, in JSON. Each returns a new value, or NULL without memory. */
#ifndef PENSTOCK_OPS_JSON_ERRORS_H
#define PENSTOCK_OPS_JSON_ERRORS_H

#include <jansson.h>

#include "conf/conf.h"

/* [{"file","line","text","warning"}...]; NULL is allowed: none. */
json_t *json_config_errors(const struct conf_errors *errors);

/* {"error":{"code","message"},"errors":[...]}. */
json_t *json_failure(const char *code, const char *message, const struct conf_errors *errors);

#endif
