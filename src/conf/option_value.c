/* SPDX-License-Identifier: BSD-2-Clause */
/* One option's value: read from the config, stored, compared. */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/units.h"
#include "conf/options.h"

/* Store a number in the option's member, whose type follows from the option's. */
static void store(const struct option *o, void *field, int64_t value)
{
    switch (o->type) {
    case OPTION_COUNT:
        *(uint32_t *)field = (uint32_t)value;
        break;
    case OPTION_DURATION:
    case OPTION_SECONDS:
    case OPTION_DELAY:
    case OPTION_CHANGE:
        *(int64_t *)field = value;
        break;
    case OPTION_FLAG:
        *(bool *)field = value != 0;
        break;
    case OPTION_CHOICE:
        *(int *)field = (int)value;
        break;
    case OPTION_MODE:
        *(mode_t *)field = (mode_t)value;
        break;
    case OPTION_TEXT:
    case OPTION_NAMES:
    case OPTION_ADDRESSES:
        break;
    }
}

void option_reset(const struct option *o, enum option_where where, void *base)
{
    void *field = (char *)base + o->offset[where];

    if (option_is_text(o))
        *(const char **)field = o->text;
    else
        store(o, field, o->value);
}

/* The type's name for a person, as "must be ..." goes on. */
static const char *type_words(enum option_type type)
{
    switch (type) {
    case OPTION_COUNT:
        return "a whole number";
    case OPTION_DURATION:
    case OPTION_SECONDS:
    case OPTION_DELAY:
        return "a duration such as \"10s\", or a whole number of seconds";
    case OPTION_FLAG:
        return "true or false";
    case OPTION_CHOICE:
    case OPTION_CHANGE:
        return "a word in quotes";
    case OPTION_TEXT:
        return "a text in quotes";
    case OPTION_NAMES:
    case OPTION_ADDRESSES:
        return "a text in quotes, or an array of some";
    case OPTION_MODE:
        break;
    }
    return "an octal number in quotes such as \"0660\"";
}

/* How the value was written, for messages. Long texts are cut. */
static void print_value(const struct conf_node *v, char *out, size_t size)
{
    switch (v->type) {
    case NODE_NUMBER:
        snprintf(out, size, "%" PRId64, v->number);
        break;
    case NODE_TEXT:
        snprintf(out, size, "\"%.60s\"", v->text);
        break;
    case NODE_FLAG:
        snprintf(out, size, "%s", v->number != 0 ? "true" : "false");
        break;
    case NODE_FLOAT:
        snprintf(out, size, "a fraction");
        break;
    case NODE_LIST:
        snprintf(out, size, "a list");
        break;
    case NODE_GROUP:
        snprintf(out, size, "a group");
        break;
    }
}

/* "max_connections = 0 is out of range, allowed: 1 to 1000000", in the arena. */
static const char *wrong(const struct option *o, const struct conf_node *v, const char *what,
                         struct arena *arena)
{
    char value[80], allowed[256];

    print_value(v, value, sizeof(value));
    option_print_allowed(o, allowed, sizeof(allowed));
    const char *text =
        arena_printf(arena, "%s = %s %s, allowed: %s", o->name, value, what, allowed);
    return text != NULL ? text : "out of memory";
}

static const char *wrong_type(const struct option *o, const struct conf_node *v,
                              struct arena *arena)
{
    char value[80], allowed[256];

    print_value(v, value, sizeof(value));
    option_print_allowed(o, allowed, sizeof(allowed));
    const char *text = o->type == OPTION_FLAG
                           ? arena_printf(arena, "%s = %s: must be true or false", o->name, value)
                           : arena_printf(arena, "%s = %s: must be %s, allowed: %s", o->name, value,
                                          type_words(o->type), allowed);
    return text != NULL ? text : "out of memory";
}

/* units_parse_duration() has said what is wrong with a text. */
static const char *no_duration(const struct option *o, const struct conf_node *v, const char *error,
                               struct arena *arena)
{
    char allowed[256];

    option_print_allowed(o, allowed, sizeof(allowed));
    const char *text =
        arena_printf(arena, "%s = \"%.60s\": %s, here %s", o->name, v->text, error, allowed);
    return text != NULL ? text : "out of memory";
}

/* Each reads one type's value into *number; returns NULL, or the error. */

static const char *read_duration(const struct option *o, const struct conf_node *v, int64_t *number,
                                 struct arena *arena)
{
    const char *error;

    if (v->type == NODE_NUMBER) {
        if (!__builtin_mul_overflow(v->number, 1000, number))
            return NULL;
        return wrong(o, v, "is out of range", arena);
    }
    if (v->type != NODE_TEXT)
        return wrong_type(o, v, arena);
    if (o->type == OPTION_DELAY && strcmp(v->text, "off") == 0)
        return wrong(o, v, "is not available here", arena);
    error = units_parse_duration(v->text, number);
    if (error == NULL && o->type == OPTION_SECONDS && *number % 1000 != 0)
        return wrong(o, v, "is no whole number of seconds", arena);
    return error == NULL ? NULL : no_duration(o, v, error, arena);
}

static const char *read_choice(const struct option *o, const struct conf_node *v, int64_t *number,
                               struct arena *arena)
{
    if (v->type != NODE_TEXT)
        return wrong_type(o, v, arena);
    for (const struct option_choice *c = o->choices; c->word != NULL; c++) {
        if (strcmp(c->word, v->text) == 0) {
            *number = c->value;
            return NULL;
        }
    }
    return wrong(o, v, "is unknown", arena);
}

/* One of the words, or the one that takes a duration, with it. */
static const char *read_change(const struct option *o, const struct conf_node *v, int64_t *number,
                               struct arena *arena)
{
    const char *error;

    if (v->type != NODE_TEXT || strncmp(v->text, OPTION_DRAIN, strlen(OPTION_DRAIN)) != 0)
        return read_choice(o, v, number, arena);
    error = units_parse_duration(v->text + strlen(OPTION_DRAIN), number);
    if (error != NULL)
        return no_duration(o, v, error, arena);
    return *number < o->min || *number > o->max ? wrong(o, v, "is out of range", arena) : NULL;
}

static const char *read_mode(const struct option *o, const struct conf_node *v, int64_t *number,
                             struct arena *arena)
{
    if (v->type != NODE_TEXT)
        return wrong_type(o, v, arena);
    *number = 0;
    for (const char *p = v->text; *p != '\0'; p++) {
        if (*p < '0' || *p > '7')
            return wrong(o, v, "is no octal number", arena);
        if (*number <= o->max)
            *number = *number * 8 + (*p - '0');
    }
    return v->text[0] == '\0' ? wrong(o, v, "is empty", arena) : NULL;
}

static const char *set_text(const struct option *o, const char **field, const struct conf_node *v,
                            struct arena *arena)
{
    if (v->type != NODE_TEXT)
        return wrong_type(o, v, arena);
    if (v->text[0] == '\0')
        return wrong(o, v, "is empty", arena);
    if (strlen(v->text) > (size_t)o->max)
        return wrong(o, v, "is too long", arena);
    *field = v->text; /* nodes live in the snapshot's arena */
    return NULL;
}

static const char *set_names(const struct option *o, const char **field, const struct conf_node *v,
                             struct arena *arena)
{
    const char *joined, *error;
    const struct conf_node *at = option_join(o, v, arena, &joined, &error);

    if (error == NULL)
        *field = joined;
    else if (at->type == NODE_TEXT || (at->type == NODE_LIST && at->first == NULL))
        return wrong(o, at, error, arena);
    else
        return wrong_type(o, at, arena);
    return NULL;
}

/* Is any number from min to max a value? Words have been looked up. */
static bool has_range(const struct option *o)
{
    return o->type != OPTION_FLAG && o->type != OPTION_CHOICE && o->type != OPTION_CHANGE;
}

const char *option_set(const struct option *o, enum option_where where, void *base,
                       const struct conf_node *v, struct arena *arena)
{
    void *field = (char *)base + o->offset[where];
    const char *error = NULL;
    int64_t number = v->number;

    switch (o->type) {
    case OPTION_COUNT:
        error = v->type == NODE_NUMBER ? NULL : wrong_type(o, v, arena);
        break;
    case OPTION_DURATION:
    case OPTION_SECONDS:
    case OPTION_DELAY:
        error = read_duration(o, v, &number, arena);
        break;
    case OPTION_FLAG:
        error = v->type == NODE_FLAG ? NULL : wrong_type(o, v, arena);
        break;
    case OPTION_CHOICE:
        error = read_choice(o, v, &number, arena);
        break;
    case OPTION_CHANGE:
        error = read_change(o, v, &number, arena);
        break;
    case OPTION_TEXT:
        return set_text(o, field, v, arena);
    case OPTION_NAMES:
    case OPTION_ADDRESSES:
        return set_names(o, field, v, arena);
    case OPTION_MODE:
        error = read_mode(o, v, &number, arena);
        break;
    }
    if (error != NULL)
        return error;
    if (has_range(o) && (number < o->min || number > o->max))
        return wrong(o, v, "is out of range", arena);
    store(o, field, number);
    return NULL;
}

static bool texts_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int64_t load(const struct option *o, const void *field)
{
    switch (o->type) {
    case OPTION_COUNT:
        return *(const uint32_t *)field;
    case OPTION_FLAG:
        return *(const bool *)field;
    case OPTION_CHOICE:
        return *(const int *)field;
    case OPTION_MODE:
        return *(const mode_t *)field;
    default:
        return *(const int64_t *)field;
    }
}

void option_copy(const struct option *o, enum option_where where, void *to, const void *from)
{
    void *field = (char *)to + o->offset[where];
    const void *value = (const char *)from + o->offset[where];

    if (option_is_text(o))
        *(const char **)field = *(const char *const *)value;
    else
        store(o, field, load(o, value));
}

bool option_equal(const struct option *o, enum option_where where, const void *a, const void *b)
{
    const void *x = (const char *)a + o->offset[where];
    const void *y = (const char *)b + o->offset[where];

    if (option_is_text(o))
        return texts_equal(*(const char *const *)x, *(const char *const *)y);
    return load(o, x) == load(o, y);
}

bool option_equal_all(enum option_where where, const void *a, const void *b)
{
    size_t count;
    const struct option *table = option_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (option_allowed(&table[i], where) && !option_equal(&table[i], where, a, b))
            return false;
    }
    return true;
}
