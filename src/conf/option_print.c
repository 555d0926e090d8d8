/* SPDX-License-Identifier: BSD-2-Clause */
/* One option's value in the config language, and which values it can have. */
#include "config.h"

#include <inttypes.h>

#include "base/units.h"
#include "conf/options.h"

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

static int print_changes(const struct option *o, char *out, size_t size)
{
    char words[128], min[32], max[32];

    print_choices(o->choices, words, sizeof(words));
    units_print_duration(min, sizeof(min), o->min);
    units_print_duration(max, sizeof(max), o->max);
    return snprintf(out, size, "%s, \"" OPTION_DRAIN "%s\" to \"" OPTION_DRAIN "%s\"", words, min,
                    max);
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
    case OPTION_CHANGE:
        return print_changes(o, out, size);
    case OPTION_TEXT:
        return snprintf(out, size, "1 to %" PRId64 " characters", o->max);
    case OPTION_NAMES:
        return snprintf(out, size, "1 to %" PRId64 " characters, or an array of up to %d such",
                        o->max, OPTION_NAMES_MAX);
    case OPTION_ADDRESSES:
        return snprintf(out, size, "an IP address, or an array of up to %d", OPTION_NAMES_MAX);
    case OPTION_MODE:
        return snprintf(out, size, "\"0000\" to \"%04" PRIo64 "\"", (uint64_t)o->max);
    }
    return 0;
}

/* The word of a choice; NULL for a value that has none. */
static const char *choice_word(const struct option_choice *c, int64_t value)
{
    while (c->word != NULL && c->value != value)
        c++;
    return c->word;
}

/* "keep", or "drain:30s". */
static const char *change_text(const struct option *o, int64_t value, char *room, size_t size)
{
    const char *word = choice_word(o->choices, value);
    char text[32];

    if (word != NULL)
        return word;
    units_print_duration(text, sizeof(text), value);
    snprintf(room, size, OPTION_DRAIN "%s", text);
    return room;
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

static void show_number(enum option_kind kind, int64_t number, struct option_shown *out)
{
    out->kind = kind;
    out->number = number;
}

/* NULL: unset. */
static void show_text(enum option_kind kind, const char *text, struct option_shown *out)
{
    out->kind = text != NULL ? kind : OPTION_UNSET;
    out->text = text;
}

void option_show(const struct option *o, enum option_where where, const void *base,
                 struct option_shown *out)
{
    const void *field = (const char *)base + o->offset[where];

    out->text = NULL;
    out->number = 0;
    switch (o->type) {
    case OPTION_COUNT:
        show_number(OPTION_IS_NUMBER, *(const uint32_t *)field, out);
        /* An address without a limit of its own. */
        if (where == IN_LISTEN && out->number == UINT32_MAX)
            out->kind = OPTION_UNSET;
        break;
    case OPTION_DURATION:
    case OPTION_SECONDS:
    case OPTION_DELAY:
        print_duration(o, out->room, sizeof(out->room), *(const int64_t *)field);
        show_text(OPTION_IS_TEXT, out->room, out);
        break;
    case OPTION_FLAG:
        show_number(OPTION_IS_FLAG, *(const bool *)field, out);
        break;
    case OPTION_CHANGE:
        show_text(OPTION_IS_TEXT,
                  change_text(o, *(const int64_t *)field, out->room, sizeof(out->room)), out);
        break;
    case OPTION_CHOICE:
        show_text(OPTION_IS_TEXT, choice_word(o->choices, *(const int *)field), out);
        break;
    case OPTION_MODE:
        snprintf(out->room, sizeof(out->room), "%04o", (unsigned)*(const mode_t *)field);
        show_text(OPTION_IS_TEXT, out->room, out);
        break;
    case OPTION_TEXT:
        show_text(OPTION_IS_TEXT, *(const char *const *)field, out);
        break;
    case OPTION_NAMES:
    case OPTION_ADDRESSES:
        show_text(OPTION_IS_NAMES, *(const char *const *)field, out);
        break;
    }
}

void option_print_shown(const struct option_shown *shown, FILE *out)
{
    switch (shown->kind) {
    case OPTION_UNSET:
        break;
    case OPTION_IS_NUMBER:
        fprintf(out, "%" PRId64, shown->number);
        break;
    case OPTION_IS_FLAG:
        fputs(shown->number != 0 ? "true" : "false", out);
        break;
    case OPTION_IS_TEXT:
        option_print_text(shown->text, out);
        break;
    case OPTION_IS_NAMES:
        option_print_names(shown->text, out);
        break;
    }
}

bool option_print(const struct option *o, enum option_where where, const void *base, FILE *out)
{
    struct option_shown shown;

    option_show(o, where, base, &shown);
    option_print_shown(&shown, out);
    return shown.kind != OPTION_UNSET;
}
