/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that send to many what others, or they themselves, hear and send back. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "conf/checking.h"
#include "conf/listen_text.h"

enum {
    ROUND_MAX = 8,       /* listeners; nobody writes a longer round by mistake */
    STEPS_MAX = 1000000, /* from one listener to another, in all: a bound on time */
    KEY_MAX = LISTEN_TEXT_MAX,
};

/* Listeners of one group and port, or of broadcasts to one port. */
struct hearer {
    const struct conf_listen *listen;
    struct hearer *next;
};

struct feeding {
    struct checking *c;
    struct table *hearers;  /* by address, see key_of(): the first struct hearer */
    struct table *reported; /* "0 1": pairs of rules, by their numbers */
    unsigned steps;
};

/* What hears a listener's datagrams, one after the other. */
struct walk {
    const struct conf_listen *from;
    size_t target; /* the next of its rule's */
    struct addr to;
    const struct conf_target *over;
    const struct hearer *hearer; /* the next that may hear it */
};

/* Groups by their address; broadcasts by their port alone. */
static const char *key_of(const struct addr *a, char *key)
{
    char text[ADDR_TEXT_MAX];

    if (addr_is_group(a))
        snprintf(key, KEY_MAX, "%s", addr_print(a, text, sizeof(text)));
    else
        snprintf(key, KEY_MAX, "%u", (unsigned)a->port);
    return key;
}

static void add_hearer(struct feeding *f, const struct conf_listen *l)
{
    struct hearer *new = arena_alloc(f->c->arena, sizeof(*new));
    char key[KEY_MAX];
    const char *kept = arena_strdup(f->c->arena, key_of(&l->address, key));
    struct hearer *first;

    if (new == NULL || kept == NULL) {
        f->c->no_memory = true;
        return;
    }
    *new = (struct hearer){.listen = l};
    first = table_find(f->hearers, kept);
    if (first != NULL) {
        new->next = first->next;
        first->next = new;
    } else if (table_insert(f->hearers, kept, new) != 0) {
        f->c->no_memory = true;
    }
}

static bool has_common_interface(const struct conf_names *a, const struct conf_names *b)
{
    if (a->count == 0 || b->count == 0) /* any */
        return true;
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = 0; j < b->count; j++) {
            if (strcmp(a->list[i], b->list[j]) == 0)
                return true;
        }
    }
    return false;
}

/* Does it hear what is sent there? Who is bound to an address hears broadcasts to that alone. */
static bool hears(const struct conf_listen *l, const struct walk *w)
{
    bool is_bound = !addr_is_group(&w->to) && l->kind != ADDR_ANY && !addr_is_wildcard(&l->address);

    return has_common_interface(&l->interfaces, &w->over->interfaces) &&
           (!is_bound || addr_equal(&l->address, &w->to));
}

/* The listener that one of the targets leads to, if that is one host. */
static const struct conf_listen *begin_target(struct feeding *f, struct walk *w)
{
    const struct conf_target *t = &w->from->rule->targets[w->target++];
    char key[KEY_MAX];

    w->over = t;
    w->to = t->address;
    if (w->to.port == 0)
        w->to.port = w->from->upstream_port;
    if (!addr_is_group(&w->to) && !t->broadcast)
        return checking_listener_at(f->c, PROTOCOL_DATAGRAM, &w->to);
    w->hearer = table_find(f->hearers, key_of(&w->to, key));
    return NULL;
}

/* The next listener that what comes in by w->from is sent to; NULL when there is no other. */
static const struct conf_listen *next_of(struct feeding *f, struct walk *w)
{
    const struct conf_rule *rule = w->from->rule;

    if (rule->target_count == 0)
        return w->target++ == 0 ? checking_next(f->c, w->from) : NULL;
    while (f->steps++ < STEPS_MAX) {
        const struct hearer *h = w->hearer;
        const struct conf_listen *l;

        if (h != NULL) {
            w->hearer = h->next;
            if (hears(h->listen, w))
                return h->listen;
        } else if (w->target == rule->target_count) {
            return NULL;
        } else {
            l = begin_target(f, w);
            if (l != NULL)
                return l;
        }
    }
    return NULL;
}

/* Does what comes in by `l` come to `goal`? Sets *guarded when a group or broadcasts are on the
 * way: only there copies are recognised. */
static bool leads_to(struct feeding *f, const struct conf_listen *l, const struct conf_listen *goal,
                     unsigned depth, bool *guarded)
{
    struct walk w = {.from = l};
    const struct conf_listen *next = l;
    bool found = l == goal;

    while (!found && depth > 0 && next != NULL) {
        next = next_of(f, &w);
        found = next != NULL && leads_to(f, next, goal, depth - 1, guarded);
    }
    if (found && listen_is_shared(l))
        *guarded = true;
    return found;
}

static bool is_reported(struct feeding *f, const struct conf_rule *a, const struct conf_rule *b)
{
    size_t one = (size_t)(a - f->c->conf->rules), other = (size_t)(b - f->c->conf->rules);
    char key[64];
    const char *kept;

    snprintf(key, sizeof(key), "%zu %zu", one < other ? one : other, one < other ? other : one);
    if (table_find(f->reported, key) != NULL)
        return true;
    kept = arena_strdup(f->c->arena, key);
    if (kept == NULL || table_insert(f->reported, kept, f) != 0)
        f->c->no_memory = true;
    return false;
}

#define DROPPED                                                                                    \
    "copies that come round are recognised and dropped, as a relay in both directions needs"
#define FILLS "each client would fill the rule up to max_connections"

static void warn(struct feeding *f, const struct walk *w, const struct conf_listen *next,
                 bool guarded)
{
    const struct conf_rule *rule = w->from->rule;
    char to[ADDR_TEXT_MAX];

    addr_print(&w->to, to, sizeof(to));
    if (next->rule == rule)
        conf_errors_warn(f->c->errors, w->over->at,
                         "rule \"%s\": what it sends to %s it hears itself: %s", rule->name, to,
                         guarded ? DROPPED : FILLS);
    else
        conf_errors_warn(f->c->errors, w->over->at,
                         "rule \"%s\": what it sends to %s is heard by rule \"%s\" at %s:%u, which "
                         "leads back here: %s",
                         rule->name, to, next->rule->name, next->at.file, next->at.line,
                         guarded ? DROPPED : FILLS);
}

static void check_listener(struct feeding *f, const struct conf_listen *l)
{
    struct walk w = {.from = l};
    const struct conf_listen *next;

    while ((next = next_of(f, &w)) != NULL) {
        bool guarded = false;

        if (leads_to(f, next, l, ROUND_MAX - 1, &guarded) && !is_reported(f, l->rule, next->rule))
            warn(f, &w, next, guarded);
    }
}

static void check_all(struct feeding *f)
{
    const struct conf *conf = f->c->conf;

    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *rule = &conf->rules[i];

        for (size_t j = 0; j < rule->listen_count; j++) {
            if (listen_is_shared(&rule->listens[j]))
                add_hearer(f, &rule->listens[j]);
        }
    }
    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *rule = &conf->rules[i];

        for (size_t j = 0; j < rule->listen_count && rule->target_count > 0; j++)
            check_listener(f, &rule->listens[j]);
    }
}

void checking_feeds(struct checking *c)
{
    struct feeding f = {.c = c, .hearers = table_new(), .reported = table_new()};

    if (f.hearers != NULL && f.reported != NULL)
        check_all(&f);
    else
        c->no_memory = true;
    table_free(f.hearers);
    table_free(f.reported);
}
