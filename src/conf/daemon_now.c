/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "conf/daemon_now.h"

#include <string.h>

#include "conf/options.h"

static enum daemon_part part_of(const struct option *o)
{
    if (o->late)
        return DAEMON_START;
    if (strcmp(o->name, "control") == 0)
        return DAEMON_CONTROL;
    if (strncmp(o->name, "control_", 8) == 0)
        return DAEMON_RIGHTS;
    if (strcmp(o->name, "http") == 0)
        return DAEMON_HTTP;
    return strncmp(o->name, "log_", 4) == 0 ? DAEMON_LOG : DAEMON_REST;
}

static void compose(struct daemon_now *now)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        const struct option *o = &table[i];
        const struct conf *from = now->from[part_of(o)];

        if (option_allowed(o, IN_DAEMON) && from)
            option_copy(o, IN_DAEMON, &now->options, &from->daemon);
        else if (option_allowed(o, IN_DAEMON))
            option_reset(o, IN_DAEMON, &now->options);
    }
    if (!now->from[DAEMON_CONTROL])
        now->options.control = "off";
}

static unsigned with_rights(unsigned failed)
{
    return failed & DAEMON_PART(DAEMON_CONTROL) ? failed | DAEMON_PART(DAEMON_RIGHTS) : failed;
}

void daemon_now_begin(struct daemon_now *now, struct conf *conf, unsigned failed)
{
    failed = with_rights(failed);
    *now = (struct daemon_now){0};
    for (unsigned part = 0; part < DAEMON_PARTS; part++)
        now->from[part] = failed & DAEMON_PART(part) ? NULL : conf_ref(conf);
    compose(now);
}

void daemon_now_change(struct daemon_now *now, struct conf *conf, unsigned failed)
{
    failed = with_rights(failed) | DAEMON_PART(DAEMON_START);
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
    for (unsigned part = 0; part < DAEMON_PARTS; part++) {
        if (to->from[part])
            conf_ref(to->from[part]);
    }
}

void daemon_now_end(struct daemon_now *now)
{
    for (unsigned part = 0; part < DAEMON_PARTS; part++)
        conf_unref(now->from[part]);
    *now = (struct daemon_now){0};
}
