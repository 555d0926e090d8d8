/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/json_diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/listen_text.h"
#include "ops/api.h"
#include "ops/json_config.h"
#include "ops/json_errors.h"

/* NULL when it, or a part of it, has got no memory. */
static json_t *whole(json_t *value, int error)
{
    if (!error)
        return value;
    json_decref(value);
    return NULL;
}

/* --- options --------------------------------------------------------------------------------- */

/* Two structs of `where`, and what is said of each option in which they differ. */
struct pair {
    enum option_where where;
    const void *old, *new;
    const char *address; /* whose they are; NULL: the rule's own */
};

static json_t *json_change(const struct option *o, const struct pair *p)
{
    json_t *change = json_object();
    int error = json_object_set_new(change, "name", json_string(o->name));

    if (p->where == IN_DAEMON)
        error |= json_object_set_new(change, "needs_restart", json_boolean(o->late));
    else
        error |= json_object_set_new(change, "address",
                                     p->address ? json_plain(p->address) : json_null());
    error |= json_object_set_new(change, "old", json_option(o, p->where, p->old));
    error |= json_object_set_new(change, "new", json_option(o, p->where, p->new));
    return whole(change, error);
}

static int add_changes(json_t *list, const struct pair *p)
{
    size_t count;
    const struct option *table = option_table(&count);
    int error = 0;

    for (size_t i = 0; i < count; i++) {
        if (option_allowed(&table[i], p->where) &&
            !option_equal(&table[i], p->where, p->old, p->new))
            error |= json_array_append_new(list, json_change(&table[i], p));
    }
    return error;
}

/* --- addresses ------------------------------------------------------------------------------- */

/* What becomes of an address. */
enum fate { STAYS, CHANGES, COMES, GOES };

struct fated {
    enum fate fate;
    const struct conf_listen *other; /* the same address as it was, or will be; NULL: it was not */
};

/* An address of the new rule, of which `old` is the former self. */
static struct fated fate_of_new(const struct conf_diff *diff, const struct diff_rule *d,
                                const struct conf_listen *l)
{
    struct fated f = {COMES, conf_diff_old(diff, l)};

    if (f.other && f.other->rule == d->old)
        f.fate = option_equal_all(IN_LISTEN, f.other, l) ? STAYS : CHANGES;
    return f;
}

static struct fated fate_of_old(const struct conf_diff *diff, const struct diff_rule *d,
                                const struct conf_listen *l)
{
    struct fated f = {GOES, conf_diff_new(diff, l)};

    if (f.other && f.other->rule == d->new)
        f.fate = STAYS;
    return f;
}

/* Can it be told with the one before it in one range? */
static bool goes_with(const struct fated *a, const struct fated *b)
{
    return a->fate == b->fate && !a->other == !b->other &&
           (a->fate != CHANGES || option_equal_all(IN_LISTEN, a->other, b->other));
}

/* The address as it is known, or a range; one that is known by more than its address is alone. */
static const char *known_as(const struct conf_listen *l, size_t count, char *out, size_t size)
{
    return count == 1 ? l->text : listen_range_text(l, count, out, size);
}

static bool is_known_by_address(const struct conf_listen *l)
{
    char text[LISTEN_TEXT_MAX];

    return strcmp(listen_range_text(l, 1, text, sizeof(text)), l->text) == 0;
}

typedef struct fated fate_fn(const struct conf_diff *diff, const struct diff_rule *d,
                             const struct conf_listen *l);

/* How many from this one on have the same fate, within a range. */
static size_t count_same(const struct conf_diff *diff, const struct diff_rule *d,
                         const struct conf_rule *rule, size_t first, fate_fn *fate_of)
{
    const struct conf_listen *l = &rule->listens[first];
    size_t most = is_known_by_address(l) ? listen_range(rule, first) : 1, count = 1;
    struct fated before = fate_of(diff, d, l), next;

    for (; count < most; count++, before = next) {
        next = fate_of(diff, d, &l[count]);
        if (!goes_with(&before, &next))
            break;
    }
    return count;
}

static int add_new_listens(json_t *listen, json_t *options, const struct conf_diff *diff,
                           const struct diff_rule *d)
{
    size_t count;
    int error = 0;

    for (size_t i = 0; i < d->new->listen_count; i += count) {
        const struct conf_listen *l = &d->new->listens[i];
        struct fated f = fate_of_new(diff, d, l);
        char room[LISTEN_TEXT_MAX];
        const char *text;

        count = count_same(diff, d, d->new, i, fate_of_new);
        text = known_as(l, count, room, sizeof(room));
        if (f.fate == COMES)
            error |= json_array_append_new(json_object_get(listen, f.other ? "moved_in" : "opened"),
                                           json_plain(text));
        else if (f.fate == CHANGES)
            error |= add_changes(options, &(struct pair){IN_LISTEN, f.other, l, text});
    }
    return error;
}

static int add_old_listens(json_t *listen, const struct conf_diff *diff, const struct diff_rule *d)
{
    size_t count;
    int error = 0;

    for (size_t i = 0; i < d->old->listen_count; i += count) {
        const struct conf_listen *l = &d->old->listens[i];
        struct fated f = fate_of_old(diff, d, l);
        char room[LISTEN_TEXT_MAX];

        count = count_same(diff, d, d->old, i, fate_of_old);
        if (f.fate == GOES)
            error |=
                json_array_append_new(json_object_get(listen, f.other ? "moved_out" : "closed"),
                                      json_plain(known_as(l, count, room, sizeof(room))));
    }
    return error;
}

/* --- rules ----------------------------------------------------------------------------------- */

/* Of upstream addresses that stay. */
static int add_target_changes(json_t *options, const struct diff_rule *d)
{
    int error = 0;

    for (size_t i = 0; i < d->old->target_count && i < d->new->target_count; i++) {
        const struct conf_target *old = &d->old->targets[i], *new = &d->new->targets[i];
        char text[LISTEN_TEXT_MAX];

        if (!addr_equal(&old->address, &new->address))
            continue;
        target_text(d->new, new, text, sizeof(text));
        error |= add_changes(options, &(struct pair){IN_TARGET, old, new, text});
    }
    return error;
}

/* All of them, where the rule's own text tells only of the first and how many more. */
static json_t *json_targets(const struct conf_rule *rule)
{
    char *all = NULL, text[LISTEN_TEXT_MAX];
    size_t size;
    FILE *out = open_memstream(&all, &size);
    json_t *value;

    if (!out)
        return NULL;
    for (size_t i = 0; i < rule->target_count; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "",
                target_text(rule, &rule->targets[i], text, sizeof(text)));
    value = fclose(out) == 0 ? json_plain(all) : NULL;
    free(all);
    return value;
}

static json_t *upstream_of(const struct conf_rule *rule)
{
    if (!rule)
        return json_null();
    return rule->target_count > 1 ? json_targets(rule) : json_plain(rule->upstream_text);
}

static json_t *json_upstream(const struct diff_rule *d)
{
    if (d->old && d->new && !d->upstream_changed)
        return json_null();
    return json_pack("{s:o,s:o}", "old", upstream_of(d->old), "new", upstream_of(d->new));
}

static json_t *json_rule_change(const struct conf_diff *diff, const struct diff_rule *d)
{
    const char *change = !d->old ? "added" : d->new ? "changed" : "removed";
    json_t *options = json_array();
    json_t *listen =
        json_pack("{s:[],s:[],s:[],s:[]}", "opened", "closed", "moved_in", "moved_out");
    int error = !options || !listen;

    if (!error && d->old && d->new) {
        error |=
            add_changes(options, &(struct pair){IN_RULE, &d->old->options, &d->new->options, NULL});
        error |= add_target_changes(options, d);
    }
    if (!error && d->new)
        error |= add_new_listens(listen, options, diff, d);
    if (!error && d->old)
        error |= add_old_listens(listen, diff, d);
    if (error) {
        json_decref(options);
        json_decref(listen);
        return NULL;
    }
    return json_pack("{s:o,s:s,s:o,s:o,s:o}", "name",
                     json_plain(d->new ? d->new->name : d->old->name), "change", change, "options",
                     options, "listen", listen, "upstream", json_upstream(d));
}

/* --- the whole ------------------------------------------------------------------------------- */

static json_t *json_rule_changes(const struct conf_diff *diff)
{
    json_t *list = json_array();
    int error = 0;

    for (size_t i = 0; i < diff->rule_count && !error; i++) {
        if (!diff_rule_is_unchanged(&diff->rules[i]))
            error |= json_array_append_new(list, json_rule_change(diff, &diff->rules[i]));
    }
    return whole(list, error);
}

json_t *json_diff(const struct conf_daemon *before, const struct conf_daemon *now,
                  const struct conf_diff *diff, const struct conf_errors *warnings)
{
    json_t *rules = json_rule_changes(diff), *daemon = json_array();

    if (!rules || !daemon || add_changes(daemon, &(struct pair){IN_DAEMON, before, now, NULL})) {
        json_decref(rules);
        json_decref(daemon);
        return NULL;
    }
    return json_pack("{s:b,s:o,s:o,s:o}", "changes",
                     json_array_size(rules) > 0 || json_array_size(daemon) > 0, "rules", rules,
                     "daemon", daemon, "errors", json_config_errors(warnings));
}
