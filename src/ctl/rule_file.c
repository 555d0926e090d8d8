/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/rule_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"
#include "ctl/must.h"

#define LETTERS         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS          "0123456789"
#define NAME_MAX_LENGTH 64

bool rule_name_is_good(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= NAME_MAX_LENGTH && strspn(name, LETTERS) > 0 &&
           strspn(name, LETTERS DIGITS "_-") == length;
}

char *rule_file_name(const char *rule)
{
    return must_print("%s.conf", rule);
}

/* --- values ---------------------------------------------------------------------------------- */

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, DIGITS) == strlen(text);
}

/* One text, or an array of those between the commas. */
static void write_texts(const char *texts, FILE *out)
{
    const char *comma = strchr(texts, ',');

    if (!comma) {
        option_print_text(texts, out);
        return;
    }
    fputs("[ ", out);
    for (; comma; comma = strchr(texts, ',')) {
        char *one = must(strndup(texts, (size_t)(comma - texts)));

        option_print_text(one, out);
        fputs(", ", out);
        free(one);
        texts = comma + 1;
    }
    option_print_text(texts, out);
    fputs(" ]", out);
}

static const char *flag_word(const char *text)
{
    if (strcmp(text, "on") == 0 || strcmp(text, "yes") == 0)
        return "true";
    if (strcmp(text, "off") == 0 || strcmp(text, "no") == 0)
        return "false";
    return text;
}

/* As a flag it is bare, else it is a text that the check will refuse. */
static void write_flag(const char *text, FILE *out)
{
    const char *word = flag_word(text);

    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        fputs(word, out);
    else
        option_print_text(text, out);
}

static void write_value(const struct option *o, const char *text, FILE *out)
{
    switch (o->type) {
    case OPTION_COUNT:
    case OPTION_DURATION:
    case OPTION_SECONDS:
    case OPTION_DELAY:
        if (is_number(text))
            fputs(text, out);
        else
            option_print_text(text, out);
        break;
    case OPTION_FLAG:
        write_flag(text, out);
        break;
    case OPTION_NAMES:
    case OPTION_ADDRESSES:
        write_texts(text, out);
        break;
    case OPTION_CHOICE:
    case OPTION_CHANGE:
    case OPTION_TEXT:
    case OPTION_MODE:
        option_print_text(text, out);
        break;
    }
}

/* --- the file -------------------------------------------------------------------------------- */

/* NULL, or what is wrong. */
static char *write_option(const char *option, FILE *out)
{
    const char *equals = strchr(option, '=');
    char *name = must(strndup(option, equals ? (size_t)(equals - option) : strlen(option)));
    const struct option *o = option_find(name);
    char *error = NULL, hint[OPTION_HINT_MAX];

    if (!equals) {
        error = must_print("-o \"%s\": allowed: OPTION=VALUE", option);
    } else if (!o) {
        option_print_hint(IN_RULE, NULL, name, hint, sizeof(hint));
        error = must_print("-o \"%s\": unknown option \"%s\", %s", option, name, hint);
    } else {
        fprintf(out, "        %s = ", name);
        write_value(o, equals + 1, out);
        fputs(";\n", out);
    }
    free(name);
    return error;
}

static void write_addresses(const char *name, const char *addresses, FILE *out)
{
    fprintf(out, "        %s = ", name);
    write_texts(addresses, out);
    fputs(";\n", out);
}

char *rule_file_text(const struct rule_text *rule, char **error)
{
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    *error = NULL;
    fprintf(out,
            "# By penstock add; penstock remove %s deletes this file.\n"
            "rules = {\n"
            "    %s = {\n",
            rule->name, rule->name);
    write_addresses("listen", rule->listen, out);
    write_addresses("upstream", rule->upstream, out);
    if (rule->max) {
        fputs("        max_connections = ", out);
        write_value(option_find("max_connections"), rule->max, out);
        fputs(";\n", out);
    }
    for (size_t i = 0; i < rule->option_count && !*error; i++)
        *error = write_option(rule->options[i], out);
    fputs("    };\n};\n", out);
    if (fclose(out))
        must(NULL);
    if (!*error)
        return must(text);
    free(text);
    return NULL;
}
