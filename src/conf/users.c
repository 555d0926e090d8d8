/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "conf/errors.h"
#include "conf/users.h"
#include "os/interfaces.h"
#include "os/user.h"

/* Whose options are being looked at: a group of the top level, or a rule. */
struct owner {
    const char *kind, *quote, *name;
};

struct checking {
    struct conf_errors *errors;
    struct interfaces *interfaces; /* NULL until asked for, or when it can't be told */
    bool has_asked;
};

static bool is_one_of(const char *name, const char *one, const char *other, const char *third)
{
    return strcmp(name, one) == 0 || strcmp(name, other) == 0 || strcmp(name, third) == 0;
}

static void warn(struct checking *c, const struct owner *owner, const struct conf_node *m,
                 const char *name, const char *what)
{
    conf_errors_warn(c->errors, m->at, "%s%s%s%s: %s = \"%.60s\": this machine has no such %s",
                     owner->kind, owner->quote, owner->name, owner->quote, name, m->text, what);
}

static void check_interface(struct checking *c, const struct owner *owner,
                            const struct conf_node *m)
{
    if (m->type != NODE_TEXT)
        return;
    if (!c->has_asked)
        c->interfaces = interfaces_new();
    c->has_asked = true;
    if (c->interfaces != NULL && interfaces_index(c->interfaces, m->text) == 0)
        warn(c, owner, m, "interface", "interface now, or it is down");
}

/* One, or a list of some. */
static void check_interfaces(struct checking *c, const struct owner *owner,
                             const struct conf_node *node)
{
    if (node->type != NODE_LIST)
        check_interface(c, owner, node);
    else
        for (const struct conf_node *m = node->first; m != NULL; m = m->next)
            check_interface(c, owner, m);
}

static void check_option(struct checking *c, const struct owner *owner, const struct conf_node *m)
{
    uid_t uid;
    gid_t gid;
    const char *what = NULL;

    if (m->name == NULL || m->type != NODE_TEXT)
        return;
    if (is_one_of(m->name, "user", "socket_owner", "control_owner") &&
        user_find(m->text, &uid, &gid) != 0)
        what = "user";
    else if (is_one_of(m->name, "group", "socket_group", "control_group") &&
             group_find(m->text, &gid) != 0)
        what = "group";
    if (what != NULL)
        warn(c, owner, m, m->name, what);
}

/* The options in a group, and in those of its listen addresses. Depth is that of the text. */
static void check_group(struct checking *c, const struct owner *owner,
                        const struct conf_node *group)
{
    for (const struct conf_node *m = group->first; m != NULL; m = m->next) {
        if (m->name != NULL && strcmp(m->name, "interface") == 0)
            check_interfaces(c, owner, m);
        check_option(c, owner, m);
        check_group(c, owner, m);
    }
}

void users_check(const struct conf_tree *trees, size_t count, struct conf_errors *errors)
{
    struct checking c = {.errors = errors};

    for (size_t i = 0; i < count; i++) {
        const struct conf_node *m = trees[i].root != NULL ? trees[i].root->first : NULL;

        for (; m != NULL; m = m->next)
            check_group(&c, &(struct owner){"", "", m->name}, m);
        for (m = trees[i].rules; m != NULL; m = m->next)
            check_group(&c, &(struct owner){"rule ", "\"", m->name}, m);
    }
    interfaces_free(c.interfaces);
}
