/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the config language share. */
#ifndef PENSTOCK_TESTS_CONF_WORDS_H
#define PENSTOCK_TESTS_CONF_WORDS_H

#include <check.h>
#include <stdio.h>

#include "conf/conf.h"

#define RULE_A "a = { listen = \"1.2.3.4:1\"; upstream = \"h:1\"; };"

/* What conf_errors_print() says; the caller frees it. */
static inline char *said(const struct conf_errors *errors)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(out);
    conf_errors_print(errors, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

#endif
