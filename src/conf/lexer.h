/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of libconfig's language, as far as penstock must know them before libconfig sees a
 * text: where strings and comments end, where brackets and names are, and whether a number fits.
 * Pure.
 */
#ifndef PENSTOCK_CONF_LEXER_H
#define PENSTOCK_CONF_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum token_type {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_OPEN,      /* { ( [ */
    TOKEN_CLOSE,     /* } ) ] */
    TOKEN_EQUALS,    /* = : */
    TOKEN_SEPARATOR, /* ; , */
    TOKEN_INCLUDE,   /* an @include directive, to the end of its line */
    TOKEN_OTHER,     /* what libconfig will call a syntax error */
    TOKEN_BROKEN,    /* lexer.error says why nothing can follow */
};

struct token {
    enum token_type type;
    size_t start, end; /* in the text */
    unsigned line;     /* where it begins */
    bool too_large;    /* TOKEN_NUMBER: does not fit 32 bits, which is all that any option takes */
};

struct lexer {
    const char *text;
    size_t len;
    size_t at;
    unsigned line;
    const char *error; /* static text */
};

/* Begin at line 1 of `text`. */
void lexer_init(struct lexer *lx, const char *text, size_t len);

/* The next token. After TOKEN_END or TOKEN_BROKEN comes the same again. */
struct token lexer_next(struct lexer *lx);

#endif
