/* SPDX-License-Identifier: BSD-2-Clause */
/* One option's value: read from the config, stored, printed. */
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
        break;
    }
}

void option_reset(const struct option *o, enum option_where where, void *base)
{
    void *field = (char *)base + o->offset[where];

    if (o->type == OPTION_TEXT)
        *(const char **)field = o->text;
    else
        store(o, field, o->value);
}

static int print_choices(const struct option_choice *choices, char *out, size_t size)
{
    size_t used = 0;

    for (const struct option_choice *c = choices; c->word != NULL; c++) {
        const char *comma = c == choices ? "" : ", ";

        used += (size_t)snprintf(out + (used < size ? used : size), used < size ? size - used : 0,
                                 "%s\"%s\"", comma, c->word);
    }
    return (int)used;
}

static bool has_off(const struct option *o)
{
    return o->type == OPTION_DURATION && o->min == 0;
}

static void print_duration(const struct option *o, char *out, size_t size, int64_t ms)
{
    if (ms == 0 && !has_off(o))
        snprintf(out, size, "0s");
    else
        units_print_duration(out, size, ms);
}

int option_print_allowed(const struct option *o, char *out, size_t size)
{
    char min[32], max[32];

    switch (o->type) {
    case OPTION_COUNT:
        return snprintf(out, size, "%" PRId64 " to %" PRId64, o->min, o->max);
    case OPTION_DURATION:
    case OPTION_SECONDS:
    case OPTION_DELAY:
        print_duration(o, min, sizeof(min), has_off(o) ? 1 : o->min);
        print_duration(o, max, sizeof(max), o->max);
        return snprintf(out, size, "\"%s\" to \"%s\"%s", min, max,
                        o->type == OPTION_SECONDS ? ", in whole seconds"
                        : has_off(o)              ? ", or \"off\""
                                                  : "");
    case OPTION_FLAG:
        return snprintf(out, size, "true, false");
    case OPTION_CHOICE:
        return print_choices(o->choices, out, size);
    case OPTION_TEXT:
        return snprintf(out, size, "1 to %" PRId64 " characters", o->max);
    case OPTION_MODE:
        return snprintf(out, size, "\"0000\" to \"%04" PRIo64 "\"", (uint64_t)o->max);
    }
    return 0;
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
        return "a word in quotes";
    case OPTION_TEXT:
        return "a text in quotes";
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

/* Each reads one type's value into *number; returns NULL, or the error. */

static const char *read_duration(const struct option *o, const struct conf_node *v, int64_t *number,
                                 struct arena *arena)
{
    const char *error, *text;
    char allowed[256];

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
    if (error == NULL)
        return NULL;
    option_print_allowed(o, allowed, sizeof(allowed));
    text = arena_printf(arena, "%s = \"%.60s\": %s, here %s", o->name, v->text, error, allowed);
    return text != NULL ? text : "out of memory";
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
    case OPTION_TEXT:
        return set_text(o, field, v, arena);
    case OPTION_MODE:
        error = read_mode(o, v, &number, arena);
        break;
    }
    if (error != NULL)
        return error;
    if (o->type != OPTION_FLAG && o->type != OPTION_CHOICE && (number < o->min || number > o->max))
        return wrong(o, v, "is out of range", arena);
    store(o, field, number);
    return NULL;
}

/* The word of a choice that has been checked. */
static const char *choice_word(const struct option_choice *c, int value)
{
    while (c->word != NULL && c->value != value)
        c++;
    return c->word != NULL ? c->word : "?";
}

void option_print_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p < ' ' || *p == 0x7f)
            fprintf(out, "\\x%02x", *p);
        else
            fputc(*p, out);
    }
    fputc('"', out);
}

bool option_print(const struct option *o, enum option_where where, const void *base, FILE *out)
{
    const void *field = (const char *)base + o->offset[where];
    char text[32];

    switch (o->type) {
    case OPTION_COUNT:
        fprintf(out, "%" PRIu32, *(const uint32_t *)field);
        return true;
    case OPTION_DURATION:
    case OPTION_SECONDS:
    case OPTION_DELAY:
        print_duration(o, text, sizeof(text), *(const int64_t *)field);
        option_print_text(text, out);
        return true;
    case OPTION_FLAG:
        fputs(*(const bool *)field ? "true" : "false", out);
        return true;
    case OPTION_CHOICE:
        option_print_text(choice_word(o->choices, *(const int *)field), out);
        return true;
    case OPTION_MODE:
        fprintf(out, "\"%04o\"", (unsigned)*(const mode_t *)field);
        return true;
    case OPTION_TEXT:
        break;
    }
    if (*(const char *const *)field == NULL)
        return false;
    option_print_text(*(const char *const *)field, out);
    return true;
}
