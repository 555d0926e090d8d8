/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/change.h"
#include "ctl/text.h"

/* Has the rule that file, and nobody else? If not that has been said. */
static bool has_own_file(const struct change *c, const struct conf *conf)
{
    const struct conf_rule *rule = NULL;
    size_t others = 0;

    for (size_t i = 0; i < conf->rule_count; i++) {
        if (strcmp(conf->rules[i].name, c->rule) == 0)
            rule = &conf->rules[i];
        else
            others += strcmp(conf->rules[i].at.file, c->path) == 0;
    }
    if (!rule)
        text_line(stderr, "penstock: there is no rule \"%s\" in %s, or in conf.d beside it",
                  c->rule, c->config);
    else if (strcmp(rule->at.file, c->path) != 0)
        text_line(stderr,
                  "penstock: the rule \"%s\" stands at %s:%u, not in a file of its own: delete it "
                  "there, and reload",
                  c->rule, rule->at.file, rule->at.line);
    else if (others > 0)
        text_line(stderr,
                  "penstock: the rule \"%s\" stands at %s:%u together with others: delete it "
                  "there, and reload",
                  c->rule, rule->at.file, rule->at.line);
    return rule && strcmp(rule->at.file, c->path) == 0 && others == 0;
}

/* Can it go, and is the config a good one without it? If not that has been said. */
static bool may_go(struct change *c)
{
    struct conf *now = change_load_now(c, true), *then = NULL;

    if (now && has_own_file(c, now)) {
        then = change_load(c, NULL);
        if (!then)
            text_line(stderr, "penstock: nothing was deleted");
    }
    conf_unref(now);
    conf_unref(then);
    return then != NULL;
}

/* The file is put aside until penstockd goes without it. */
static int take_out(struct change *c)
{
    int error, status;

    if (!may_go(c))
        return STATUS_REFUSED;
    status = change_alone(c, false);
    if (status != STATUS_OK)
        return status;
    if (signals_wait())
        return STATUS_REFUSED;
    error = conf_dir_take(&c->dir, c->file);
    if (error != 0)
        return change_failed(c, "deleted", error);
    status = change_reload(c, false);
    if (status == STATUS_OK) {
        error = conf_dir_forget(&c->dir, c->file);
        if (error != 0)
            return change_failed(c, "deleted for good", error);
        change_report(c, "removed");
        return STATUS_OK;
    }
    error = conf_dir_untake(&c->dir, c->file);
    if (error == 0)
        change_reload_back(c);
    else
        change_failed(c, "put back", error);
    return status;
}

int cmd_remove(struct ctl *ctl)
{
    struct change c;
    int status = change_begin(&c, ctl, ctl->args.operand);

    if (status == STATUS_OK)
        status = take_out(&c);
    change_end(&c);
    return status;
}
