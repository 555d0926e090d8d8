/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "conf/daemon_now.h"

#include <string.h>

#include "conf/options.h"

static enum daemon_part part_of(const struct option *o)
{
    if (o->late)
        return DAEMON_START;
    if (strcmp(o->name, "control") == 0 || strncmp(o->name, "control_", 8) == 0)
        return DAEMON_CONTROL;
    if (strcmp(o->name, "http") == 0)
        return DAEMON_HTTP;
    return strncmp(o->name, "log_", 4) == 0 ? DAEMON_LOG : DAEMON_REST;
}

static void compose(struct daemon_now *now)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (option_allowed(&table[i], IN_DAEMON))
            option_copy(&table[i], IN_DAEMON, &now->options,
                        &now->from[part_of(&table[i])]->daemon);
    }
}

void daemon_now_begin(struct daemon_now *now, struct conf *conf)
{
    *now = (struct daemon_now){0};
    for (unsigned part = 0; part < DAEMON_PARTS; part++)
        now->from[part] = conf_ref(conf);
    compose(now);
}

void daemon_now_change(struct daemon_now *now, struct conf *conf, unsigned failed)
{
    failed |= DAEMON_PART(DAEMON_START);
    for (unsigned part = 0; part < DAEMON_PARTS; part++) {
        if (failed & DAEMON_PART(part))
            continue;
        conf_unref(now->from[part]);
        now->from[part] = conf_ref(conf);
    }
    compose(now);
}

void daemon_now_copy(struct daemon_now *to, const struct daemon_now *from)
{
    *to = *from;
    for (unsigned part = 0; part < DAEMON_PARTS; part++)
        conf_ref(to->from[part]);
}

void daemon_now_end(struct daemon_now *now)
{
    for (unsigned part = 0; part < DAEMON_PARTS; part++)
        conf_unref(now->from[part]);
    *now = (struct daemon_now){0};
}
