/* SPDX-License-Identifier: BSD-2-Clause */
/* How every program of unit tests ends. */
#ifndef PENSTOCK_TESTS_SUITE_H
#define PENSTOCK_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Run it and free it. Returns the exit status. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
