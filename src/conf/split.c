/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "conf/errors.h"
#include "conf/lexer.h"
#include "conf/split.h"

#define DEPTH_MAX 16 /* of brackets; the language needs four */
/* In UTF-8 it says nothing, but some editors begin a file with it (RFC 3629 section 6). */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

#define NAMES_MAX 256 /* remembered of the groups that are open; libconfig sees to the rest */

struct name {
    const char *text;
    size_t len;
    unsigned line;
    unsigned depth;
};

/* A setting that is left out of the text: one that has been set before. */
struct omission {
    bool active;
    bool has_value; /* its value has begun */
    size_t start;   /* in the text, its name */
    unsigned depth;
    size_t first_piece, first_element; /* of the split, that came after its name */
};

struct splitter {
    struct split *split;
    struct conf_errors *errors;
    const char *path;
    char *text;
    struct token open[DEPTH_MAX]; /* the brackets that are open */
    unsigned depth;
    struct name names[NAMES_MAX];
    size_t name_count;
    struct token before[2];    /* the last token, and the one before it */
    bool in_rules;             /* within `rules = {` of the top level */
    struct split_piece *piece; /* being read; NULL between two */
    bool complete;             /* the piece's value has ended, only a separator may follow */
    struct omission omission;
};

static struct conf_place place(const struct splitter *s, unsigned line)
{
    return (struct conf_place){s->path, line};
}

/* Room for one more thing of `size` in a list of `count`, which doubles. NULL without memory. */
static void *grow(void *list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return list;
    return reallocarray(list, count == 0 ? 1 : count * 2, size);
}

static void begin_piece(struct splitter *s, const struct token *t)
{
    struct split_piece *pieces =
        grow(s->split->pieces, s->split->piece_count, sizeof(*s->split->pieces));

    if (pieces == NULL) {
        s->split->no_memory = true;
        return;
    }
    s->split->pieces = pieces;
    s->piece = &pieces[s->split->piece_count++];
    *s->piece = (struct split_piece){.start = t->start,
                                     .end = t->end,
                                     .line = t->line,
                                     .first_element = s->split->element_count};
    s->complete = false;
}

/* What has been reported is not given to libconfig, which would report it again, and worse. */
static void spoil(struct splitter *s)
{
    if (s->piece != NULL)
        s->piece->spoilt = true;
    else
        s->split->spoilt = true;
}

static bool in_list(const struct splitter *s)
{
    return s->depth > 0 && s->text[s->open[s->depth - 1].start] != '{';
}

/* A text is a value, or goes on with the text before it. libconfig forgets to free one that
 * stands where none can. */
static bool check_text(struct splitter *s, const struct token *t)
{
    enum token_type before = s->before[0].type;

    if (before == TOKEN_EQUALS || before == TOKEN_STRING ||
        (in_list(s) && (before == TOKEN_OPEN || before == TOKEN_SEPARATOR)))
        return true;
    conf_errors_add(s->errors, place(s, t->line),
                    "syntax error, a text in quotes stands where none can, allowed: NAME = "
                    "\"TEXT\";");
    spoil(s);
    return false;
}

/* Adjacent strings are one text. */
static void note_text(struct splitter *s, const struct token *t)
{
    if (!check_text(s, t) || s->piece == NULL || !in_list(s) || s->before[0].type == TOKEN_STRING)
        return;
    unsigned *elements =
        grow(s->split->elements, s->split->element_count, sizeof(*s->split->elements));
    if (elements == NULL) {
        s->split->no_memory = true;
        return;
    }
    s->split->elements = elements;
    elements[s->split->element_count++] = t->line;
}

static void blank(char *text, size_t start, size_t end)
{
    for (char *p = text + start; p < text + end; p++) {
        if (*p != '\n')
            *p = ' ';
    }
}

/* The setting of this name has been reported. Within one that is left out it goes with that, but
 * for the rules of a second `rules`. */
static void begin_omission(struct splitter *s, const struct token *name)
{
    if (s->omission.active) {
        if (s->omission.depth == 0 && s->piece != NULL)
            spoil(s);
        return;
    }
    s->omission = (struct omission){.active = true,
                                    .start = name->start,
                                    .depth = s->depth,
                                    .first_piece = s->split->piece_count,
                                    .first_element = s->split->element_count};
}

/* The setting ends before `end`. The rules in a second `rules` stay: they are judged, too. */
static void end_omission(struct splitter *s, size_t end)
{
    struct omission *o = &s->omission;
    size_t from = o->start;

    for (size_t i = o->first_piece; i < s->split->piece_count; i++) {
        blank(s->text, from, s->split->pieces[i].start);
        from = s->split->pieces[i].end;
    }
    blank(s->text, from, end);
    if (o->first_element < s->split->element_count && o->depth > 0)
        s->split->element_count = o->first_element;
    o->active = false;
}

/* Does the token go on with the setting that is left out? A separator is its last. */
static void omit(struct splitter *s, const struct token *t)
{
    struct omission *o = &s->omission;

    if (!o->active || s->depth != o->depth)
        return;
    if (t->type == TOKEN_EQUALS)
        o->has_value = false; /* a text behind it must not be left alone */
    else if (t->type == TOKEN_SEPARATOR)
        end_omission(s, t->end);
    else if (t->type == TOKEN_CLOSE || t->type == TOKEN_END ||
             (o->has_value && !(t->type == TOKEN_STRING && s->before[0].type == TOKEN_STRING)))
        end_omission(s, t->start);
    else
        o->has_value = true;
}

/* The name before an equals sign: is it the first of its kind in the group? Names of rules are left
 * to the checks, which know all files. */
static void note_name(struct splitter *s)
{
    const struct token *t = &s->before[0];
    struct name new = {s->text + t->start, t->end - t->start, t->line, s->depth};

    if (t->type != TOKEN_NAME || (s->in_rules && s->depth == 1) || in_list(s))
        return;
    for (size_t i = s->name_count; i > 0 && s->names[i - 1].depth == s->depth; i--) {
        const struct name *old = &s->names[i - 1];

        if (old->len != new.len || memcmp(old->text, new.text, new.len) != 0)
            continue;
        conf_errors_add(s->errors, place(s, t->line), "\"%.*s\" is set twice, first on line %u",
                        (int)new.len, new.text, old->line);
        begin_omission(s, t);
        return;
    }
    if (s->name_count < NAMES_MAX)
        s->names[s->name_count++] = new;
}

/* libconfig would take its low 32 bits. It has been reported, and 1 suits every option. */
static void replace_number(struct splitter *s, const struct token *t)
{
    const struct token *name = &s->before[1];
    size_t len = t->end - t->start;

    if (s->before[0].type != TOKEN_EQUALS || name->type != TOKEN_NAME)
        name = NULL;
    conf_errors_add(s->errors, place(s, t->line),
                    "%.*s%s%.*s is too large a number, allowed: at most 2147483647",
                    name != NULL ? (int)(name->end - name->start) : 0,
                    name != NULL ? s->text + name->start : "", name != NULL ? " = " : "",
                    len > 40 ? 40 : (int)len, s->text + t->start);
    memset(s->text + t->start, ' ', len);
    s->text[t->start] = '1';
}

static void replace_include(struct splitter *s, const struct token *t)
{
    conf_errors_add(s->errors, place(s, t->line),
                    "@include is not supported; the files conf.d/*.conf beside the main file are "
                    "read without it");
    memset(s->text + t->start, ' ', t->end - t->start);
}

/* Is this the bracket of `rules = {` at the top level? */
static bool opens_rules(const struct splitter *s, const struct token *t)
{
    const struct token *name = &s->before[1];

    return s->depth == 0 && s->text[t->start] == '{' && s->before[0].type == TOKEN_EQUALS &&
           name->type == TOKEN_NAME && name->end - name->start == strlen("rules") &&
           memcmp(s->text + name->start, "rules", strlen("rules")) == 0;
}

static bool open_bracket(struct splitter *s, const struct token *t)
{
    if (s->depth == DEPTH_MAX) {
        conf_errors_add(s->errors, place(s, t->line),
                        "brackets are nested too deeply, allowed: %d levels", DEPTH_MAX);
        return false;
    }
    if (s->depth == 0)
        s->in_rules = opens_rules(s, t);
    s->open[s->depth++] = *t;
    return true;
}

static char closing(char open)
{
    return open == '{' ? '}' : open == '(' ? ')' : ']';
}

static bool close_bracket(struct splitter *s, const struct token *t)
{
    char bracket = s->text[t->start];

    if (s->depth == 0) {
        conf_errors_add(s->errors, place(s, t->line), "\"%c\" closes nothing", bracket);
        return false;
    }
    const struct token *open = &s->open[s->depth - 1];
    char expected = closing(s->text[open->start]);
    if (bracket != expected) {
        conf_errors_add(s->errors, place(s, t->line),
                        "\"%c\" does not close the \"%c\" of line %u, \"%c\" would", bracket,
                        s->text[open->start], open->line, expected);
        return false;
    }
    while (s->name_count > 0 && s->names[s->name_count - 1].depth == s->depth)
        s->name_count--;
    s->depth--;
    return true;
}

/* Keep the piece's extent, before the token takes effect (at depth 1 of rules or deeper). */
static void before_token(struct splitter *s, const struct token *t)
{
    if (!s->in_rules || s->depth != 1)
        return;
    if (t->type == TOKEN_CLOSE) {
        s->piece = NULL;
    } else if (t->type == TOKEN_SEPARATOR) {
        if (s->piece != NULL)
            s->piece->end = t->end;
        s->piece = NULL; /* a separator without a piece is left for libconfig to complain of */
    } else if (s->piece == NULL || s->complete) {
        begin_piece(s, t);
    }
}

static void after_token(struct splitter *s, const struct token *t)
{
    if (s->piece != NULL) {
        s->piece->end = t->end;
        if (t->type == TOKEN_CLOSE && s->depth == 1)
            s->complete = true;
    }
    s->before[1] = s->before[0];
    s->before[0] = *t;
}

/* False when nothing after this token can be understood. */
static bool take(struct splitter *s, const struct token *t)
{
    switch (t->type) {
    case TOKEN_OPEN:
        return open_bracket(s, t);
    case TOKEN_CLOSE:
        return close_bracket(s, t);
    case TOKEN_EQUALS:
        note_name(s);
        return true;
    case TOKEN_STRING:
        note_text(s, t);
        return true;
    case TOKEN_NUMBER:
        if (t->too_large)
            replace_number(s, t);
        return true;
    case TOKEN_INCLUDE:
        replace_include(s, t);
        return true;
    default:
        return true;
    }
}

static bool end_of_text(struct splitter *s)
{
    if (s->depth == 0)
        return true;
    const struct token *open = &s->open[s->depth - 1];
    conf_errors_add(s->errors, place(s, open->line), "\"%c\" is never closed, \"%c\" is missing",
                    s->text[open->start], closing(s->text[open->start]));
    return false;
}

static bool split_tokens(struct splitter *s, size_t len)
{
    struct lexer lx;

    lexer_init(&lx, s->text, len);
    while (!s->split->no_memory) {
        struct token t = lexer_next(&lx);

        if (t.type == TOKEN_BROKEN) {
            conf_errors_add(s->errors, place(s, t.line), "%s", lx.error);
            return false;
        }
        if (t.type != TOKEN_INCLUDE)
            omit(s, &t);
        if (t.type == TOKEN_END)
            return end_of_text(s);
        if (t.type != TOKEN_INCLUDE)
            before_token(s, &t);
        if (!take(s, &t))
            return false;
        if (t.type != TOKEN_INCLUDE)
            after_token(s, &t);
    }
    return false;
}

/* libconfig reads text up to the first NUL; a config has none. */
static bool has_nul(const struct splitter *s, size_t len)
{
    const char *nul = memchr(s->text, '\0', len);
    unsigned line = 1;

    if (nul == NULL)
        return false;
    for (const char *p = s->text; p < nul; p++)
        line += *p == '\n';
    conf_errors_add(s->errors, place(s, line), "a NUL byte, which no text has; is this the file?");
    return true;
}

void split_text(struct split *split, const char *path, char *text, size_t len,
                struct conf_errors *errors)
{
    struct splitter s = {.split = split, .errors = errors, .path = path, .text = text};

    *split = (struct split){0};
    if (len >= strlen(BYTE_ORDER_MARK) &&
        memcmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
        blank(text, 0, strlen(BYTE_ORDER_MARK));
    if (has_nul(&s, len)) {
        split->broken = true;
    } else if (!split_tokens(&s, len)) {
        split->broken = true;
        if (s.piece != NULL && !s.complete)
            split->piece_count--; /* it has no end */
    }
}

void split_free(struct split *split)
{
    free(split->pieces);
    free(split->elements);
    *split = (struct split){0};
}
