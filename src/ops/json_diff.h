/* SPDX-License-Identifier: BSD-2-Clause */
/* What a new config changes, in JSON. */
#ifndef PENSTOCK_OPS_JSON_DIFF_H
#define PENSTOCK_OPS_JSON_DIFF_H

#include <jansson.h>

#include "conf/diff.h"

/* {"changes","rules","daemon","errors"} (penstock-api(7)); what stays as it is is left out. NULL
 * without memory. */
json_t *json_diff(const struct conf_daemon *before, const struct conf_daemon *now,
                  const struct conf_diff *diff, const struct conf_errors *warnings);

#endif
