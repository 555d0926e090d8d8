/* SPDX-License-Identifier: BSD-2-Clause */
/* A network of a test's own: Check forks for each test, and each process makes a namespace. */
#ifndef PENSTOCK_TESTS_NAMESPACE_H
#define PENSTOCK_TESTS_NAMESPACE_H

#include <check.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A fixture. */
static inline void make_namespace(void)
{
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
}

/* Run ip(8) with these words. */
__attribute__((format(printf, 1, 2))) static inline void ip(const char *words, ...)
{
    char line[256];
    int len = snprintf(line, sizeof(line), "ip ");
    va_list args;

    va_start(args, words);
    vsnprintf(line + len, sizeof(line) - (size_t)len, words, args);
    va_end(args);
    ck_assert_msg(system(line) == 0, "%s", line);
}

/* False: there is nothing to be tested here, which is said. */
static inline bool may_make_namespaces(void)
{
    if (geteuid() == 0 &&
        system("unshare -n ip link add d0 type veth peer name d1 2> /dev/null") == 0)
        return true;
    puts("it takes root, ip(8) and network namespaces");
    return false;
}

#endif
