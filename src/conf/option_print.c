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
static void print_change(const struct option *o, int64_t value, FILE *out)
{
    const char *word = choice_word(o->choices, value);
    char text[32];

    if (word == NULL) {
        units_print_duration(text, sizeof(text), value);
        fprintf(out, "\"" OPTION_DRAIN "%s\"", text);
    } else {
        option_print_text(word, out);
    }
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
    case OPTION_CHANGE:
        print_change(o, *(const int64_t *)field, out);
        return true;
    case OPTION_CHOICE:
        option_print_text(choice_word(o->choices, *(const int *)field), out);
        return true;
    case OPTION_MODE:
        fprintf(out, "\"%04o\"", (unsigned)*(const mode_t *)field);
        return true;
    case OPTION_TEXT:
    case OPTION_NAMES:
    case OPTION_ADDRESSES:
        break;
    }
    const char *value = *(const char *const *)field;
    if (value != NULL && o->type == OPTION_TEXT)
        option_print_text(value, out);
    else if (value != NULL)
        option_print_names(value, out);
    return value != NULL;
}
