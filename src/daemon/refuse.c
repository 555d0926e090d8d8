/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/refuse.h"

bool refuse(struct log *log, const struct conf *conf, const char *option, const char *value,
            const char *why)
{
    struct conf_place at = conf_daemon_place(conf, option);

    if (at.line == 0)
        log_message(log, LEVEL_ERROR, "%s: %s", option, why);
    else
        log_message(log, LEVEL_ERROR, "%s:%u: %s%s%s%s: %s", at.file, at.line, option,
                    value ? " \"" : "", value ? value : "", value ? "\"" : "", why);
    return false;
}
