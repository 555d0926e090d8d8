/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/check.h"
#include "conf/checking.h"

#define RULE_NAME_MAX 64

const struct conf_node *checking_member(const struct conf_node *group, const char *name)
{
    for (const struct conf_node *m = group->first; m != NULL; m = m->next) {
        if (strcmp(m->name, name) == 0)
            return m;
    }
    return NULL;
}

static bool is_one_of(const char *const *names, const char *name)
{
    for (; names != NULL && *names != NULL; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

/* Where a setting of that name can stand; NULL when there is none. */
static const char *place_of(const char *name)
{
    const struct option *o = option_find(name);

    if (o != NULL && option_allowed(o, IN_DAEMON))
        return "in the group \"daemon\"";
    if (o != NULL)
        return "in a rule or in \"defaults\"";
    if (strcmp(name, "listen") == 0 || strcmp(name, "upstream") == 0)
        return "in a rule";
    return NULL;
}

/* A name that is no option here: one of another place, or a misspelt one. */
static void unknown_member(struct checking *c, const struct conf_node *m, const char *owner,
                           enum option_where where, const char *const *more)
{
    const char *belongs = place_of(m->name);
    char hint[OPTION_HINT_MAX];

    option_print_hint(where, more, m->name, hint, sizeof(hint));
    if (belongs != NULL)
        conf_errors_add(c->errors, m->at, "%s: \"%s\" belongs %s", owner, m->name, belongs);
    else
        conf_errors_add(c->errors, m->at, "%s: unknown option \"%s\", %s", owner, m->name, hint);
}

void checking_options(struct checking *c, const struct conf_node *group, const char *owner,
                      enum option_where where, void *base, const char *const *more)
{
    for (const struct conf_node *m = group->first; m != NULL; m = m->next) {
        const struct option *o = option_find(m->name);

        if (is_one_of(more, m->name))
            continue;
        if (o == NULL || !option_allowed(o, where)) {
            unknown_member(c, m, owner, where, more);
            continue;
        }
        const char *error = option_set(o, where, base, m, c->arena);
        if (error != NULL)
            conf_errors_add(c->errors, m->at, "%s: %s", owner, error);
    }
}

/* --- rules --------------------------------------------------------------------------------- */

/* The rule is judged further with a wrong name too: all that is wrong is to be said. */
static void check_rule_name(struct checking *c, const struct conf_node *node)
{
    const struct conf_node *first = table_find(c->names, node->name);

    if (strchr(node->name, '*') != NULL)
        conf_errors_add(c->errors, node->at,
                        "the rule's name \"%s\" has a *, allowed: letters, digits, \"_\" and \"-\"",
                        node->name);
    if (strlen(node->name) > RULE_NAME_MAX)
        conf_errors_add(c->errors, node->at, "the rule's name is too long, allowed: %d characters",
                        RULE_NAME_MAX);
    if (first != NULL)
        conf_errors_add(c->errors, node->at, "rule \"%s\" is defined twice, first at %s:%u",
                        node->name, first->at.file, first->at.line);
    else if (table_insert(c->names, node->name, (void *)(uintptr_t)node) != 0)
        c->no_memory = true;
}

static void check_rule(struct checking *c, const struct conf_node *node)
{
    static const char *const more[] = {"listen", "upstream", NULL};
    struct conf_rule *rule = &c->conf->rules[c->conf->rule_count];
    const char *owner;

    check_rule_name(c, node);
    if (node->type != NODE_GROUP) {
        conf_errors_add(c->errors, node->at,
                        "rule \"%s\" must be a group: { listen = \"...\"; upstream = \"...\"; }",
                        node->name);
        return;
    }
    owner = arena_printf(c->arena, "rule \"%s\"", node->name);
    if (owner == NULL) {
        c->no_memory = true;
        return;
    }
    *rule = (struct conf_rule){
        .conf = c->conf, .at = node->at, .name = node->name, .options = c->defaults};
    c->conf->rule_count++;
    checking_options(c, node, owner, IN_RULE, &rule->options, more);
    checking_addresses(c, rule, node);
    checking_effects(c, rule, node);
    checking_conflicts(c, rule);
}

/* --- files --------------------------------------------------------------------------------- */

static void check_group(struct checking *c, const struct conf_node *node, enum option_where where,
                        void *base)
{
    if (node->type == NODE_GROUP)
        checking_options(c, node, node->name, where, base, NULL);
    else
        conf_errors_add(c->errors, node->at, "\"%s\" must be a group: %s = { ... };", node->name,
                        node->name);
}

static void unknown_group(struct checking *c, const struct conf_node *m, const char *const *known)
{
    const char *belongs = place_of(m->name);
    char hint[OPTION_HINT_MAX];

    option_print_hint(WHERE_COUNT, known, m->name, hint, sizeof(hint));
    if (belongs != NULL)
        conf_errors_add(c->errors, m->at, "\"%s\" stands outside any group, it belongs %s", m->name,
                        belongs);
    else
        conf_errors_add(c->errors, m->at, "unknown group \"%s\", %s", m->name, hint);
}

static void check_daemon(struct checking *c, const struct conf_node *node)
{
    size_t count;
    const struct option *table = option_table(&count);

    check_group(c, node, IN_DAEMON, &c->conf->daemon);
    for (const struct conf_node *m = node->first; m != NULL; m = m->next) {
        const struct option *o = m->name != NULL ? option_find(m->name) : NULL;

        if (o != NULL)
            c->conf->daemon_at[o - table] = m->at;
    }
}

/* What stands at the top of a file. Of the groups only `rules` may be in another file than the main
 * one: what holds for all rules has one place. */
static void check_top(struct checking *c, const struct conf_tree *tree, bool is_main)
{
    static const char *const known[] = {"daemon", "defaults", "rules", NULL};

    for (const struct conf_node *m = tree->root->first; m != NULL; m = m->next) {
        bool is_rules = strcmp(m->name, "rules") == 0;

        if (!is_one_of(known, m->name))
            unknown_group(c, m, known);
        else if (is_rules && m->type != NODE_GROUP)
            conf_errors_add(c->errors, m->at, "\"rules\" must be a group: rules = { ... };");
        else if (!is_rules && !is_main)
            conf_errors_add(
                c->errors, m->at,
                "\"%s\" is allowed only in the main file %s; files in conf.d hold rules", m->name,
                c->conf->path);
        else if (strcmp(m->name, "daemon") == 0)
            check_daemon(c, m);
        else if (strcmp(m->name, "defaults") == 0)
            check_group(c, m, IN_RULE, &c->defaults);
    }
}

/* Nobody would listen on the other addresses once penstockd has ended. */
static void check_exit_idle_time(struct checking *c)
{
    const struct conf_listen *l = conf_not_passed(c->conf);

    if (c->conf->daemon.exit_idle_time > 0 && l != NULL)
        conf_errors_add(c->errors, conf_daemon_place(c->conf, "exit_idle_time"),
                        "daemon: exit_idle_time needs systemd to listen on every address, but rule "
                        "\"%s\" listens on %s, allowed: listen = \"systemd:NAME\"",
                        l->rule->name, l->text);
}

static void check_trees(struct checking *c, const struct conf_tree *trees, size_t count)
{
    size_t rules = 0;

    for (size_t i = 0; i < count; i++) {
        for (const struct conf_node *m = trees[i].rules; m != NULL; m = m->next)
            rules++;
    }
    c->conf->rules = arena_array(c->arena, rules, sizeof(*c->conf->rules));
    if (c->conf->rules == NULL) {
        c->no_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (trees[i].root != NULL)
            check_top(c, &trees[i], i == 0);
        for (const struct conf_node *m = trees[i].rules; m != NULL && !c->no_memory; m = m->next)
            check_rule(c, m);
    }
    checking_loops(c);
    checking_feeds(c);
    check_exit_idle_time(c);
    checking_control(c);
    if (rules == 0 && c->errors->fatal == 0)
        conf_errors_add(c->errors, (struct conf_place){c->conf->path, 0},
                        "there is no rule, needed is one at least: rules = { NAME = { listen = "
                        "\"...\"; upstream = \"...\"; }; };");
}

struct conf *check_config(const struct conf_tree *trees, size_t count, struct arena *arena,
                          struct conf_errors *errors)
{
    struct checking c = {.arena = arena,
                         .errors = errors,
                         .conf = arena_alloc(arena, sizeof(struct conf)),
                         .names = table_new(),
                         .listens = table_new(),
                         .ports = table_new()};
    size_t options;

    option_table(&options);
    if (c.conf != NULL)
        c.conf->daemon_at = arena_array(arena, options, sizeof(*c.conf->daemon_at));
    if (c.conf != NULL && c.conf->daemon_at != NULL && c.names != NULL && c.listens != NULL &&
        c.ports != NULL) {
        c.conf->refs = 1;
        c.conf->arena = arena;
        c.conf->path = trees[0].path;
        option_set_defaults(IN_DAEMON, &c.conf->daemon);
        option_set_defaults(IN_RULE, &c.defaults);
        check_trees(&c, trees, count);
    } else {
        c.no_memory = true;
    }
    table_free(c.names);
    table_free(c.listens);
    table_free(c.ports);
    free(c.pending);
    return c.no_memory ? NULL : c.conf;
}
