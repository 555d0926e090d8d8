/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <string.h>

#include "conf/errors.h"
#include "conf/users.h"
#include "os/user.h"

/* Whose options are being looked at: a group of the top level, or a rule. */
struct owner {
    const char *kind, *quote, *name;
};

static bool is_one_of(const char *name, const char *one, const char *other, const char *third)
{
    return strcmp(name, one) == 0 || strcmp(name, other) == 0 || strcmp(name, third) == 0;
}

static void check_option(const struct owner *owner, const struct conf_node *m,
                         struct conf_errors *errors)
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
        conf_errors_warn(errors, m->at, "%s%s%s%s: %s = \"%.60s\": this machine has no such %s",
                         owner->kind, owner->quote, owner->name, owner->quote, m->name, m->text,
                         what);
}

/* The options in a group, and in those of its listen addresses. Depth is that of the text. */
static void check_group(const struct owner *owner, const struct conf_node *group,
                        struct conf_errors *errors)
{
    for (const struct conf_node *m = group->first; m != NULL; m = m->next) {
        check_option(owner, m, errors);
        check_group(owner, m, errors);
    }
}

void users_check(const struct conf_tree *trees, size_t count, struct conf_errors *errors)
{
    for (size_t i = 0; i < count; i++) {
        const struct conf_node *m = trees[i].root != NULL ? trees[i].root->first : NULL;

        for (; m != NULL; m = m->next)
            check_group(&(struct owner){"", "", m->name}, m, errors);
        for (m = trees[i].rules; m != NULL; m = m->next)
            check_group(&(struct owner){"rule ", "\"", m->name}, m, errors);
    }
}
