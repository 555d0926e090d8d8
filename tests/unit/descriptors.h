/* SPDX-License-Identifier: BSD-2-Clause */
/* How many descriptors are open: to see that as many are closed. */
#ifndef PENSTOCK_TESTS_DESCRIPTORS_H
#define PENSTOCK_TESTS_DESCRIPTORS_H

#include <check.h>
#include <dirent.h>

static inline int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

#endif
