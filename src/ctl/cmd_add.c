/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/change.h"
#include "ctl/must.h"
#include "ctl/rule_file.h"
#include "ctl/text.h"

static const struct conf_rule *find_rule(const struct conf *conf, const char *name)
{
    for (size_t i = 0; conf && i < conf->rule_count; i++) {
        if (strcmp(conf->rules[i].name, name) == 0)
            return &conf->rules[i];
    }
    return NULL;
}

/* Is there such a rule, or its file? Then that has been said. */
static bool is_taken(struct change *c)
{
    struct conf *now = change_load_now(c, false);
    const struct conf_rule *rule = find_rule(now, c->rule);
    bool has_file = conf_dir_has(&c->dir, c->file);

    if (rule)
        text_line(stderr, "penstock: there is a rule \"%s\" already: %s:%u", c->rule, rule->at.file,
                  rule->at.line);
    else if (has_file)
        text_line(stderr, "penstock: %s: there is such a file already", c->path);
    conf_unref(now);
    return rule || has_file;
}

/* Nothing is written before the whole config has been found good with it. */
static int add(struct change *c, const char *text)
{
    struct conf *conf;
    int error, status;

    if (is_taken(c))
        return STATUS_REFUSED;
    conf = change_load(c, text);
    if (!conf) {
        text_line(stderr, "penstock: nothing was written");
        return STATUS_REFUSED;
    }
    conf_unref(conf);
    status = change_alone(c, true);
    if (status != STATUS_OK)
        return status;
    if (signals_wait())
        return STATUS_REFUSED;
    error = conf_dir_put(&c->dir, c->file, text);
    if (error != 0)
        return change_failed(c, "written", error);
    status = change_reload(c, true);
    if (status == STATUS_OK) {
        change_report(c, "added");
        return STATUS_OK;
    }
    error = conf_dir_unput(&c->dir, c->file);
    if (error == 0)
        change_reload_back(c);
    else
        change_failed(c, "deleted again", error);
    return status;
}

int cmd_add(struct ctl *ctl)
{
    struct rule_text rule = {.name = ctl->args.operands[0],
                             .listen = ctl->args.operands[1],
                             .upstream = ctl->args.operands[2],
                             .max = ctl->args.max,
                             .options = ctl->args.options,
                             .option_count = ctl->args.option_count};
    char *wrong, *text = rule_file_text(&rule, &wrong);
    struct change c;
    int status;

    if (!text) {
        text_line(stderr, "penstock: %s", wrong);
        free(wrong);
        return STATUS_USAGE;
    }
    status = change_begin(&c, ctl, rule.name);
    if (status == STATUS_OK)
        status = add(&c, text);
    change_end(&c);
    free(text);
    return status;
}
