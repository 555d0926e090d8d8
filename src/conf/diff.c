/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "base/table.h"
#include "conf/diff.h"
#include "conf/options.h"

/* Tables hand out pointers to what they hold; here it is never written to. */
static void *unqualified(const void *p)
{
    return (void *)(uintptr_t)p;
}

static int add_listens(struct table *listens, const struct conf_rule *rule)
{
    int error = 0;

    for (size_t i = 0; i < rule->listen_count && error == 0; i++)
        error = table_insert(listens, rule->listens[i].text, unqualified(&rule->listens[i]));
    return error;
}

static int index_listens(struct table *listens, const struct conf_rule *const *rules, size_t count)
{
    int error = 0;

    for (size_t i = 0; i < count && error == 0; i++)
        error = add_listens(listens, rules[i]);
    return error;
}

static int index_names(struct table *names, const struct conf_rule *const *rules, size_t count)
{
    int error = 0;

    for (size_t i = 0; i < count && error == 0; i++)
        error = table_insert(names, rules[i]->name, unqualified(rules[i]));
    return error;
}

static bool have_same_targets(const struct conf_rule *a, const struct conf_rule *b)
{
    if (a->target_count != b->target_count)
        return false;
    for (size_t i = 0; i < a->target_count; i++) {
        if (!addr_equal(&a->targets[i].address, &b->targets[i].address) ||
            !option_equal_all(IN_TARGET, &a->targets[i], &b->targets[i]))
            return false;
    }
    return true;
}

/* The same host or path, whatever the port. Host names have no case (RFC 4343). */
static bool have_same_host(const struct conf_rule *a, const struct conf_rule *b)
{
    struct addr x = a->upstream, y = b->upstream;

    if (a->upstream_kind != b->upstream_kind || !have_same_targets(a, b))
        return false;
    if (a->upstream_kind == ADDR_NAME)
        return strcasecmp(a->upstream_name, b->upstream_name) == 0;
    x.port = 0;
    y.port = 0;
    return addr_equal(&x, &y);
}

/* The same host and the same ports there: each address of a rule leads to all of them in turn. */
static bool have_same_upstream(const struct conf_rule *a, const struct conf_rule *b)
{
    return have_same_host(a, b) && a->listens[0].upstream_port == b->listens[0].upstream_port &&
           a->listens[a->listen_count - 1].upstream_port ==
               b->listens[b->listen_count - 1].upstream_port;
}

bool diff_upstream_changed(const struct conf_listen *old, const struct conf_listen *new)
{
    return old->upstream_port != new->upstream_port || !have_same_host(old->rule, new->rule);
}

/* What becomes of the addresses that the rule has now. */
static void compare_new_listens(const struct conf_diff *diff, struct diff_rule *d)
{
    for (size_t i = 0; i < d->new->listen_count; i++) {
        const struct conf_listen *new = &d->new->listens[i];
        const struct conf_listen *old = conf_diff_old(diff, new);

        if (old == NULL) {
            d->opened++;
        } else if (old->rule != d->old) {
            d->moved_in++;
        } else {
            d->kept++;
            d->options_changed = d->options_changed || !option_equal_all(IN_LISTEN, old, new);
            d->upstream_changed = d->upstream_changed || diff_upstream_changed(old, new);
        }
    }
}

/* ... and of those that it had. */
static void compare_old_listens(const struct conf_diff *diff, struct diff_rule *d)
{
    for (size_t i = 0; i < d->old->listen_count; i++) {
        const struct conf_listen *new = conf_diff_new(diff, &d->old->listens[i]);

        if (new == NULL)
            d->closed++;
        else if (new->rule != d->new)
            d->moved_out++;
    }
}

static void compare(struct conf_diff *diff, const struct conf_rule *old,
                    const struct conf_rule *new)
{
    struct diff_rule *d = &diff->rules[diff->rule_count++];

    *d = (struct diff_rule){.old = old, .new = new};
    if (old != NULL && new != NULL) {
        d->options_changed = !option_equal_all(IN_RULE, &old->options, &new->options);
        d->upstream_changed = !have_same_upstream(old, new);
    }
    if (new != NULL)
        compare_new_listens(diff, d);
    if (old != NULL)
        compare_old_listens(diff, d);
}

/* `names` holds the old rules, and in the end those that are no longer there. */
static void compare_all(struct conf_diff *diff, struct table *names,
                        const struct conf_rule *const *old, size_t old_count,
                        const struct conf_rule *const *new, size_t new_count)
{
    for (size_t i = 0; i < new_count; i++)
        compare(diff, table_remove(names, new[i]->name), new[i]);
    for (size_t i = 0; i < old_count; i++) {
        if (table_find(names, old[i]->name) != NULL)
            compare(diff, old[i], NULL);
    }
}

int conf_diff(struct conf_diff *diff, const struct conf_rule *const *old, size_t old_count,
              const struct conf_rule *const *new, size_t new_count)
{
    struct table *names = table_new();
    int error = -ENOMEM;

    *diff = (struct conf_diff){
        .rules = calloc(old_count + new_count + 1, sizeof(*diff->rules)), /* never of 0 bytes */
        .old_listens = table_new(),
        .new_listens = table_new()};
    if (names != NULL && diff->rules != NULL && diff->old_listens != NULL &&
        diff->new_listens != NULL)
        error = index_names(names, old, old_count);
    if (error == 0)
        error = index_listens(diff->old_listens, old, old_count);
    if (error == 0)
        error = index_listens(diff->new_listens, new, new_count);
    if (error == 0)
        compare_all(diff, names, old, old_count, new, new_count);
    else
        conf_diff_free(diff);
    table_free(names);
    return error;
}

void conf_diff_free(struct conf_diff *diff)
{
    free(diff->rules);
    table_free(diff->old_listens);
    table_free(diff->new_listens);
    *diff = (struct conf_diff){0};
}

bool diff_rule_is_unchanged(const struct diff_rule *rule)
{
    return rule->old != NULL && rule->new != NULL && !rule->options_changed &&
           !rule->upstream_changed && rule->opened == 0 && rule->closed == 0 &&
           rule->moved_in == 0 && rule->moved_out == 0;
}

const struct conf_listen *conf_diff_old(const struct conf_diff *diff, const struct conf_listen *l)
{
    return table_find(diff->old_listens, l->text);
}

const struct conf_listen *conf_diff_new(const struct conf_diff *diff, const struct conf_listen *l)
{
    return table_find(diff->new_listens, l->text);
}
