/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>

#include "base/histogram.h"
#include "suite.h"

static struct histogram h;

static uint64_t count(size_t bucket)
{
    return atomic_load(&h.counts[bucket]);
}

START_TEST(bounds_grow)
{
    for (size_t i = 1; i < HISTOGRAM_BUCKETS - 1; i++)
        ck_assert_uint_gt(histogram_bound(i), histogram_bound(i - 1));
}
END_TEST

START_TEST(a_bound_belongs_to_its_bucket)
{
    ck_assert_uint_eq(histogram_bucket(0), 0);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        ck_assert_uint_eq(histogram_bucket(histogram_bound(i)), i);
        ck_assert_uint_eq(histogram_bucket(histogram_bound(i) + 1), i + 1);
    }
    ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

/* Each value is in exactly one bucket, and in the sum. */
START_TEST(every_value_counts_once)
{
    uint64_t values = 0, sum = 0, counted = 0;

    for (uint64_t ms = 0; ms < UINT64_C(1) << 40; ms = ms * 5 / 4 + 1) {
        uint64_t before = count(histogram_bucket(ms));

        histogram_add(&h, ms);
        ck_assert_uint_eq(count(histogram_bucket(ms)), before + 1);
        values++;
        sum += ms;
    }
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        ck_assert_uint_gt(count(i), 0);
        counted += count(i);
    }
    ck_assert_uint_eq(counted, values);
    ck_assert_uint_eq(atomic_load(&h.sum_ms), sum);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tcase = tcase_create("histogram");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, bounds_grow);
    tcase_add_test(tcase, a_bound_belongs_to_its_bucket);
    tcase_add_test(tcase, every_value_counts_once);
    return suite_run(suite);
}
