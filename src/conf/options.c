/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "conf/options.h"

/* A choice list for each CHOICE and CHANGE of options.def, under its name. */
static const struct option_choice engine_choices[] = {
    {"auto", ENGINE_AUTO}, {"select", ENGINE_SELECT}, {"epoll", ENGINE_EPOLL}, {NULL, 0}};
static const struct option_choice log_level_choices[] = {{"error", LEVEL_ERROR},
                                                         {"warning", LEVEL_WARNING},
                                                         {"info", LEVEL_INFO},
                                                         {"debug", LEVEL_DEBUG},
                                                         {NULL, 0}};
static const struct option_choice log_format_choices[] = {
    {"logfmt", FORMAT_LOGFMT}, {"json", FORMAT_JSON}, {NULL, 0}};
static const struct option_choice log_target_choices[] = {{"auto", TARGET_AUTO},
                                                          {"stderr", TARGET_STDERR},
                                                          {"journal", TARGET_JOURNAL},
                                                          {"syslog", TARGET_SYSLOG},
                                                          {NULL, 0}};
static const struct option_choice on_limit_choices[] = {{"drop", ON_LIMIT_DROP},
                                                        {"reset", ON_LIMIT_RESET},
                                                        {"wait", ON_LIMIT_WAIT},
                                                        {"evict", ON_LIMIT_EVICT},
                                                        {NULL, 0}};
static const struct option_choice on_change_choices[] = {
    {"keep", ON_CHANGE_KEEP}, {"drain", ON_CHANGE_DRAIN}, {"kill", ON_CHANGE_KILL}, {NULL, 0}};
static const struct option_choice persist_choices[] = {
    {"restart", PERSIST_RESTART}, {"crash", PERSIST_CRASH}, {NULL, 0}};
static const struct option_choice relay_choices[] = {
    {"auto", RELAY_AUTO}, {"copy", RELAY_COPY}, {"splice", RELAY_SPLICE}, {NULL, 0}};

#define OFFSETS_DAEMON(name)                                                                       \
    offsetof(struct conf_daemon, name), OPTION_NOWHERE, OPTION_NOWHERE, OPTION_NOWHERE
#define OFFSETS_START(name) OFFSETS_DAEMON(name)
#define OFFSETS_RULE(name)                                                                         \
    OPTION_NOWHERE, offsetof(struct conf_options, name), OPTION_NOWHERE, OPTION_NOWHERE
#define OFFSETS_BOTH(name)                                                                         \
    OPTION_NOWHERE, offsetof(struct conf_options, name), offsetof(struct conf_listen, name),       \
        OPTION_NOWHERE
#define OFFSETS_SENT(name)                                                                         \
    OPTION_NOWHERE, offsetof(struct conf_options, name), OPTION_NOWHERE,                           \
        offsetof(struct conf_target, name)
#define OFFSETS_EACH(name)                                                                         \
    OPTION_NOWHERE, offsetof(struct conf_options, name), offsetof(struct conf_listen, name),       \
        offsetof(struct conf_target, name)

/* At which it is read. */
#define LATE_DAEMON false
#define LATE_START  true
#define LATE_RULE   false
#define LATE_BOTH   false
#define LATE_SENT   false
#define LATE_EACH   false

/* clang-format off */
static const struct option table[] = {
#define COUNT(scope, name, def, min, max, help) \
    {#name, OPTION_COUNT, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, NULL, help},
#define DURATION(scope, name, def, min, max, help) \
    {#name, OPTION_DURATION, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, NULL, help},
#define SECONDS(scope, name, def, min, max, help) \
    {#name, OPTION_SECONDS, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, NULL, help},
#define DELAY(scope, name, def, min, max, help) \
    {#name, OPTION_DELAY, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, NULL, help},
#define FLAG(scope, name, def, min, max, help) \
    {#name, OPTION_FLAG, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, NULL, help},
#define CHOICE(scope, name, def, min, max, help) \
    {#name, OPTION_CHOICE, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, name##_choices, help},
#define CHANGE(scope, name, def, min, max, help) \
    {#name, OPTION_CHANGE, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, name##_choices, help},
#define TEXT(scope, name, def, min, max, help) \
    {#name, OPTION_TEXT, {OFFSETS_##scope(name)}, LATE_##scope, 0, def, min, max, NULL, help},
#define MODE(scope, name, def, min, max, help) \
    {#name, OPTION_MODE, {OFFSETS_##scope(name)}, LATE_##scope, def, NULL, min, max, NULL, help},
#define NAMES(scope, name, def, min, max, help) \
    {#name, OPTION_NAMES, {OFFSETS_##scope(name)}, LATE_##scope, 0, def, min, max, NULL, help},
#define ADDRESSES(scope, name, def, min, max, help) \
    {#name, OPTION_ADDRESSES, {OFFSETS_##scope(name)}, LATE_##scope, 0, def, min, max, NULL, help},
#include "conf/options.def"
};
/* clang-format on */

#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

const struct option *option_table(size_t *count)
{
    *count = TABLE_COUNT;
    return table;
}

const struct option *option_find(const char *name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

bool option_is_of_streams(const struct option *o)
{
    static const char *const names[] = {
        "idle_timeout",       "half_close_timeout", "keepalive", "keepalive_idle",
        "keepalive_interval", "keepalive_count",    "relay",     "backlog"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(o->name, names[i]) == 0)
            return true;
    }
    return false;
}

void option_set_defaults(enum option_where where, void *base)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (option_allowed(&table[i], where))
            option_reset(&table[i], where, base);
    }
}

/* The edit distance (Levenshtein) between two names; one beyond NAME_MAX_LEN is cut to it. */
#define NAME_MAX_LEN 63

static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[NAME_MAX_LEN + 1];
    size_t la = strnlen(a, NAME_MAX_LEN), lb = strnlen(b, NAME_MAX_LEN);

    for (size_t j = 0; j <= lb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

/* Of those names the one that is the fewest edits away. */
static const char *nearest(enum option_where where, const char *const *more, const char *name)
{
    const char *nearest = NULL;
    unsigned least = UINT_MAX;

    for (size_t i = 0; i < TABLE_COUNT; i++) {
        unsigned distance = edit_distance(name, table[i].name);

        if (where != WHERE_COUNT && option_allowed(&table[i], where) && distance < least) {
            least = distance;
            nearest = table[i].name;
        }
    }
    for (; more != NULL && *more != NULL; more++) {
        unsigned distance = edit_distance(name, *more);

        if (distance < least) {
            least = distance;
            nearest = *more;
        }
    }
    return nearest;
}

/* --- what to say of a wrong name -------------------------------------------------------------- */

#define PREFIX_MIN 3 /* fewer letters say nothing */

static bool begins_alike(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b), len = la < lb ? la : lb;

    return len >= PREFIX_MIN && strncmp(a, b, len) == 0;
}

/* Is it misspelt, and not another word? */
static bool is_near(const char *name, const char *known)
{
    size_t la = strnlen(name, NAME_MAX_LEN), lb = strlen(known);

    return 3 * (size_t)edit_distance(name, known) <= (la > lb ? la : lb);
}

/* The name of that number, from 0 on; NULL when there are no more. */
static const char *name_at(enum option_where where, const char *const *more, size_t number)
{
    for (; more != NULL && *more != NULL; more++) {
        if (number-- == 0)
            return *more;
    }
    for (size_t i = 0; i < TABLE_COUNT && where != WHERE_COUNT; i++) {
        if (option_allowed(&table[i], where) && number-- == 0)
            return table[i].name;
    }
    return NULL;
}

int option_print_hint(enum option_where where, const char *const *more, const char *name, char *out,
                      size_t size)
{
    const char *near = nearest(where, more, name), *known;
    int used;

    if (!is_near(name, near)) {
        for (size_t i = 0; (near = name_at(where, more, i)) != NULL && !begins_alike(name, near);)
            i++;
    }
    if (near != NULL)
        return snprintf(out, size, "the nearest known one is \"%s\"", near);
    used = snprintf(out, size, "allowed:");
    for (size_t i = 0; (known = name_at(where, more, i)) != NULL; i++) {
        size_t at = (size_t)used < size ? (size_t)used : size;

        used += snprintf(out + at, size - at, "%s %s", i > 0 ? "," : "", known);
    }
    return used;
}
