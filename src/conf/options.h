/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of options.def as a table. Pure. */
#ifndef PENSTOCK_CONF_OPTIONS_H
#define PENSTOCK_CONF_OPTIONS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "conf/node.h"

enum option_type {
    OPTION_COUNT,
    OPTION_DURATION,
    OPTION_SECONDS,
    OPTION_DELAY,
    OPTION_FLAG,
    OPTION_CHOICE,
    OPTION_CHANGE,
    OPTION_TEXT,
    OPTION_MODE,
    OPTION_NAMES,
    OPTION_ADDRESSES,
};

/* Where an option can stand. */
enum option_where {
    IN_DAEMON, /* sets a struct conf_daemon */
    IN_RULE,   /* a rule, or `defaults`: sets a struct conf_options */
    IN_LISTEN, /* one listen address: sets a struct conf_listen */
    IN_TARGET, /* one upstream address: sets a struct conf_target */
    WHERE_COUNT,
};

struct option_choice {
    const char *word; /* NULL ends a list */
    int value;
};

#define OPTION_NOWHERE ((size_t)-1)

#define OPTION_NAMES_MAX 16 /* of one option, or addresses */

#define OPTION_DRAIN "drain:" /* what stands before the duration of an OPTION_CHANGE */

struct option {
    const char *name;
    enum option_type type;
    size_t offset[WHERE_COUNT]; /* of the member; OPTION_NOWHERE where the option can't stand */
    bool late;                  /* a change takes effect with the next start only */
    int64_t value;              /* the default, for all types but those of texts */
    const char *text;           /* the default of an OPTION_TEXT, OPTION_NAMES, OPTION_ADDRESSES */
    int64_t min, max;
    const struct option_choice *choices;
    const char *help;
};

/* All options, in the order of options.def. */
const struct option *option_table(size_t *count);

/* The option of that name, or NULL. */
const struct option *option_find(const char *name);

static inline bool option_allowed(const struct option *o, enum option_where where)
{
    return o->offset[where] != OPTION_NOWHERE;
}

/* Is it for connections alone, and of no use to datagrams? */
bool option_is_of_streams(const struct option *o);

/*
 * What to say of `name`, which is none of the names allowed in `where` (WHERE_COUNT: no option is),
 * nor of `more` (NULL ends it; NULL for none): that one of them is near, if it is; else which there
 * are. As snprintf(3).
 */
int option_print_hint(enum option_where where, const char *const *more, const char *name, char *out,
                      size_t size);

#define OPTION_HINT_MAX 512 /* room for any */

/* Give every option allowed in `where` its default. `base` is the struct named there. */
void option_set_defaults(enum option_where where, void *base);

/* Give the option alone its default. */
void option_reset(const struct option *o, enum option_where where, void *base);

/*
 * Set the option from a value of the config. Returns NULL, or what is wrong and what is allowed (in
 * the arena) and leaves it alone.
 */
const char *option_set(const struct option *o, enum option_where where, void *base,
                       const struct conf_node *value, struct arena *arena);

/* Give `to` the value that `from` has, both of `where`; a text stays of whom it is. */
void option_copy(const struct option *o, enum option_where where, void *to, const void *from);

/* Have the structs `a` and `b` of `where` the same value of the option? */
bool option_equal(const struct option *o, enum option_where where, const void *a, const void *b);

/* Have they the same values of all options that are allowed there? */
bool option_equal_all(enum option_where where, const void *a, const void *b);

/* A value as the config language has it. */
enum option_kind {
    OPTION_UNSET,
    OPTION_IS_NUMBER,
    OPTION_IS_FLAG,
    OPTION_IS_TEXT,
    OPTION_IS_NAMES, /* texts, joined with commas */
};

struct option_shown {
    enum option_kind kind;
    int64_t number;   /* IS_NUMBER; IS_FLAG: 0 or 1 */
    const char *text; /* IS_TEXT, IS_NAMES; borrowed of `base`, or `room` */
    char room[48];
};

/* The option's value, so that it can be written in whatever language. */
void option_show(const struct option *o, enum option_where where, const void *base,
                 struct option_shown *out);

/* Print a value as the config language writes it; nothing for OPTION_UNSET. */
void option_print_shown(const struct option_shown *shown, FILE *out);

/* Both in one. False when it is unset. */
bool option_print(const struct option *o, enum option_where where, const void *base, FILE *out);

/* Is the member a text, NULL when it is unset? */
static inline bool option_is_text(const struct option *o)
{
    return o->type == OPTION_TEXT || o->type == OPTION_NAMES || o->type == OPTION_ADDRESSES;
}

/*
 * Join the names (addresses) of a value with commas, in the arena. Returns the value, or with
 * *error set that of its elements which is wrong.
 */
const struct conf_node *option_join(const struct option *o, const struct conf_node *value,
                                    struct arena *arena, const char **joined, const char **error);

/* Print such a text as the config language writes it, one as a string, several as an array. */
void option_print_names(const char *joined, FILE *out);

/* Print `text` as a string of the config language, quoted. */
void option_print_text(const char *text, FILE *out);

/* Write which values are allowed ("1 to 127", "drop, reset, wait"); as snprintf(3). */
int option_print_allowed(const struct option *o, char *out, size_t size);

#endif
