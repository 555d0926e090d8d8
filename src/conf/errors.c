/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "conf/errors.h"

/* Room for one more; the list doubles. */
static struct conf_error *new_error(struct conf_errors *errors)
{
    if ((errors->count & (errors->count - 1)) == 0) {
        size_t room = errors->count == 0 ? 1 : errors->count * 2;
        struct conf_error *list = reallocarray(errors->list, room, sizeof(*list));

        if (list == NULL)
            return NULL;
        errors->list = list;
    }
    return &errors->list[errors->count];
}

/* An error is to be read: of a text that is longer than a paragraph the middle is left out, which
 * is what was quoted; the end says what is allowed. */
#define TEXT_HEAD 300
#define TEXT_TAIL 300

static void shorten(char *text)
{
    size_t length = strlen(text);

    if (length <= TEXT_HEAD + strlen("...") + TEXT_TAIL)
        return;
    memcpy(text + TEXT_HEAD, "...", strlen("..."));
    memmove(text + TEXT_HEAD + strlen("..."), text + length - TEXT_TAIL, TEXT_TAIL + 1);
}

static void __attribute__((format(printf, 4, 0)))
add(struct conf_errors *errors, struct conf_place at, bool warning, const char *format,
    va_list args)
{
    char *text = NULL, *kept = NULL, *file = NULL;
    struct conf_error *error = new_error(errors);

    if (errors->arena == NULL)
        errors->arena = arena_new();
    if (!warning)
        errors->fatal++;
    if (error == NULL || errors->arena == NULL || vasprintf(&text, format, args) < 0)
        return;
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    }
    shorten(text);
    kept = arena_strdup(errors->arena, text);
    file = arena_strdup(errors->arena, at.file);
    free(text);
    if (kept == NULL || file == NULL)
        return;
    *error = (struct conf_error){{file, at.line}, kept, warning};
    errors->count++;
}

void conf_errors_add(struct conf_errors *errors, struct conf_place at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(errors, at, false, format, args);
    va_end(args);
}

void conf_errors_warn(struct conf_errors *errors, struct conf_place at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(errors, at, true, format, args);
    va_end(args);
}

/* The main file comes first, then conf.d in name order, which is that of the whole paths too. */
static int compare_errors(const void *a, const void *b, void *main_path)
{
    const struct conf_error *x = a, *y = b;
    bool x_main = strcmp(x->at.file, main_path) == 0, y_main = strcmp(y->at.file, main_path) == 0;
    int files = strcmp(x->at.file, y->at.file);

    if (x_main != y_main)
        return x_main ? -1 : 1;
    if (files != 0)
        return files;
    if (x->at.line != y->at.line)
        return x->at.line < y->at.line ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* What is said twice of one place (two syntax errors in a line) says nothing the second time. */
static void drop_repeated(struct conf_errors *errors, const char *main_path)
{
    size_t kept = 0;

    for (size_t i = 0; i < errors->count; i++) {
        const struct conf_error *e = &errors->list[i];

        if (kept > 0 && errors->list[kept - 1].warning == e->warning &&
            compare_errors(&errors->list[kept - 1], e, (void *)(uintptr_t)main_path) == 0)
            errors->fatal -= !e->warning;
        else
            errors->list[kept++] = *e;
    }
    errors->count = kept;
}

void conf_errors_sort(struct conf_errors *errors, const char *main_path)
{
    if (errors->count > 1)
        qsort_r(errors->list, errors->count, sizeof(*errors->list), compare_errors,
                (void *)(uintptr_t)main_path);
    drop_repeated(errors, main_path);
}

void conf_error_print(const struct conf_error *error, FILE *out)
{
    const char *kind = error->warning ? "warning: " : "";

    if (error->at.line == 0)
        fprintf(out, "%s: %s%s\n", error->at.file, kind, error->text);
    else
        fprintf(out, "%s:%u: %s%s\n", error->at.file, error->at.line, kind, error->text);
}

void conf_errors_print(const struct conf_errors *errors, FILE *out)
{
    for (size_t i = 0; i < errors->count; i++)
        conf_error_print(&errors->list[i], out);
}

void conf_errors_free(struct conf_errors *errors)
{
    arena_free(errors->arena);
    free(errors->list);
    *errors = (struct conf_errors){0};
}

bool conf_errors_first(const struct conf_errors *errors, char *out, size_t size)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct conf_error *e = &errors->list[i];

        if (e->warning)
            continue;
        if (e->at.line == 0)
            snprintf(out, size, "%s: %s", e->at.file, e->text);
        else
            snprintf(out, size, "%s:%u: %s", e->at.file, e->at.line, e->text);
        return true;
    }
    return false;
}
