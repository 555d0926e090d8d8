/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "conf/lexer.h"

void lexer_init(struct lexer *lx, const char *text, size_t len)
{
    *lx = (struct lexer){.text = text, .len = len, .line = 1};
}

/* The byte `ahead` of the next; NUL behind the end, and a NUL within the text is an error. */
static char peek(const struct lexer *lx, size_t ahead)
{
    return ahead < lx->len - lx->at ? lx->text[lx->at + ahead] : '\0';
}

static void skip(struct lexer *lx, size_t count)
{
    for (; count > 0 && lx->at < lx->len; count--) {
        if (lx->text[lx->at++] == '\n')
            lx->line++;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool broken(struct lexer *lx, struct token *t, const char *error)
{
    t->type = TOKEN_BROKEN;
    t->end = lx->at;
    lx->error = error;
    return false;
}

/* A comment from its slash-star to its star-slash. */
static bool skip_comment(struct lexer *lx, struct token *t)
{
    t->line = lx->line;
    skip(lx, 2);
    while (lx->at < lx->len) {
        if (peek(lx, 0) == '*' && peek(lx, 1) == '/') {
            skip(lx, 2);
            return true;
        }
        skip(lx, 1);
    }
    return broken(lx, t, "the comment that begins here is never closed, */ is missing");
}

static bool skip_blanks(struct lexer *lx, struct token *t)
{
    for (;;) {
        if (is_blank(peek(lx, 0))) {
            skip(lx, 1);
        } else if (peek(lx, 0) == '#' || (peek(lx, 0) == '/' && peek(lx, 1) == '/')) {
            while (lx->at < lx->len && peek(lx, 0) != '\n')
                skip(lx, 1);
        } else if (peek(lx, 0) == '/' && peek(lx, 1) == '*') {
            if (!skip_comment(lx, t))
                return false;
        } else {
            return true;
        }
    }
}

static void read_string(struct lexer *lx, struct token *t)
{
    skip(lx, 1);
    while (lx->at < lx->len) {
        char c = peek(lx, 0);

        if (c == '"') {
            skip(lx, 1);
            t->type = TOKEN_STRING;
            return;
        }
        skip(lx, c == '\\' ? 2 : 1);
    }
    broken(lx, t, "the string that begins here is never closed, \" is missing");
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* The rest of a number that has a fraction or an exponent. */
static void skip_fraction(struct lexer *lx)
{
    bool exponent = false;

    for (;; skip(lx, 1)) {
        char c = peek(lx, 0);

        if (!is_digit(c) && c != '.' && (c | 0x20) != 'e' && !(exponent && (c == '-' || c == '+')))
            return;
        exponent = (c | 0x20) == 'e';
    }
}

/* A number. Whether it is too large matters only for a whole one: no option takes another. */
static void read_number(struct lexer *lx, struct token *t)
{
    int base = 10;
    bool negative = peek(lx, 0) == '-';
    uint64_t number = 0;

    t->type = TOKEN_NUMBER;
    if (peek(lx, 0) == '-' || peek(lx, 0) == '+')
        skip(lx, 1);
    if (peek(lx, 0) == '0' && (peek(lx, 1) | 0x20) == 'x' && digit_value(peek(lx, 2)) < 16) {
        base = 16;
        skip(lx, 2);
    }
    for (; digit_value(peek(lx, 0)) < base; skip(lx, 1)) {
        if (number <= INT32_MAX)
            number = number * (uint64_t)base + (uint64_t)digit_value(peek(lx, 0));
    }
    if (base == 10 && (peek(lx, 0) == '.' || (peek(lx, 0) | 0x20) == 'e')) {
        skip_fraction(lx);
        return;
    }
    while (peek(lx, 0) == 'L')
        skip(lx, 1);
    t->too_large = number > (uint64_t)INT32_MAX + negative;
}

/* Does a number begin here? */
static bool at_number(const struct lexer *lx)
{
    size_t sign = peek(lx, 0) == '-' || peek(lx, 0) == '+' ? 1 : 0;
    size_t point = peek(lx, sign) == '.' ? 1 : 0;

    return is_digit(peek(lx, sign + point));
}

static enum token_type punctuation(char c)
{
    switch (c) {
    case '{':
    case '(':
    case '[':
        return TOKEN_OPEN;
    case '}':
    case ')':
    case ']':
        return TOKEN_CLOSE;
    case '=':
    case ':':
        return TOKEN_EQUALS;
    case ';':
    case ',':
        return TOKEN_SEPARATOR;
    default:
        return TOKEN_OTHER;
    }
}

static void read_name(struct lexer *lx, struct token *t)
{
    t->type = TOKEN_NAME;
    while (is_letter(peek(lx, 0)) || is_digit(peek(lx, 0)) || peek(lx, 0) == '_' ||
           peek(lx, 0) == '-' || peek(lx, 0) == '*')
        skip(lx, 1);
}

struct token lexer_next(struct lexer *lx)
{
    struct token t = {.type = TOKEN_BROKEN, .start = lx->at, .end = lx->at, .line = lx->line};

    if (lx->error != NULL || !skip_blanks(lx, &t))
        return t;
    t.start = lx->at;
    t.line = lx->line;

    char c = peek(lx, 0);
    if (lx->at == lx->len) {
        t.type = TOKEN_END;
    } else if (c == '"') {
        read_string(lx, &t);
    } else if (is_letter(c) || c == '*') {
        read_name(lx, &t);
    } else if (at_number(lx)) {
        read_number(lx, &t);
    } else if (lx->len - lx->at >= 8 && memcmp(lx->text + lx->at, "@include", 8) == 0) {
        t.type = TOKEN_INCLUDE;
        while (lx->at < lx->len && peek(lx, 0) != '\n')
            skip(lx, 1);
    } else {
        t.type = punctuation(c);
        skip(lx, 1);
    }
    t.end = lx->at;
    return t;
}
