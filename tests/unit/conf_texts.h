/* SPDX-License-Identifier: BSD-2-Clause */
/* Configs as texts: loaded, and dumped. */
#ifndef PENSTOCK_TESTS_CONF_TEXTS_H
#define PENSTOCK_TESTS_CONF_TEXTS_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conf_words.h"

/* conf_dump_rules(), or conf_dump() without `rules`. */
static inline char *dumped_rules(const struct conf *conf, const struct conf_rule *const *rules,
                                 size_t count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(out);
    if (rules != NULL)
        conf_dump_rules(conf, rules, count, out);
    else
        conf_dump(conf, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static inline char *dumped(const struct conf *conf)
{
    return dumped_rules(conf, NULL, 0);
}

/* Load a text that has nothing wrong with it. */
static inline struct conf *load(const char *text)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_text("c", text, strlen(text), &errors);
    char *words = said(&errors);

    ck_assert_msg(conf != NULL && errors.count == 0, "%s", words);
    conf_errors_free(&errors);
    free(words);
    return conf;
}

/* Load a text that is accepted, with these warnings. */
static inline struct conf *load_warned(const char *text, const char *expected)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_text("c", text, strlen(text), &errors);
    char *words = said(&errors);

    ck_assert_str_eq(words, expected);
    ck_assert_ptr_nonnull(conf);
    ck_assert_uint_eq(errors.fatal, 0);
    conf_errors_free(&errors);
    free(words);
    return conf;
}

#endif
