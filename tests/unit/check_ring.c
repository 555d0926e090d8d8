/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/ring.h"
#include "suite.h"

static void put(struct ring *r, const char *lines)
{
    ring_put(r, lines, strlen(lines));
}

/* What comes next is that; NULL: it is lost. */
static void check_take(const struct ring *r, uint64_t *at, size_t size, const char *expected)
{
    char bytes[64];
    uint64_t before = *at;
    ssize_t taken = ring_take(r, at, bytes, size);

    if (!expected) {
        ck_assert_int_eq(taken, -1);
        ck_assert_uint_eq(*at, before);
        return;
    }
    ck_assert_int_eq(taken, strlen(expected));
    ck_assert_int_eq(memcmp(bytes, expected, (size_t)taken), 0);
    ck_assert_uint_eq(*at, before + (uint64_t)taken);
}

START_TEST(whole_lines_are_taken)
{
    struct ring r;
    uint64_t at = 0;

    ck_assert_int_eq(ring_init(&r, 16), 0);
    check_take(&r, &at, 64, "");
    put(&r, "one\n");
    put(&r, "two\nthree\n");
    check_take(&r, &at, 7, "one\n");
    check_take(&r, &at, 8, "two\n");
    check_take(&r, &at, 6, "three\n");
    check_take(&r, &at, 64, "");
    ring_free(&r);
}
END_TEST

/* One that does not fit comes in pieces. */
START_TEST(a_long_line)
{
    struct ring r;
    uint64_t at = 0;

    ck_assert_int_eq(ring_init(&r, 16), 0);
    put(&r, "long enough\nx\n");
    check_take(&r, &at, 4, "long");
    check_take(&r, &at, 7, " enough");
    check_take(&r, &at, 2, "\n");
    check_take(&r, &at, 1, "x");
    check_take(&r, &at, 1, "\n");
    check_take(&r, &at, 1, "");
    ring_free(&r);
}
END_TEST

START_TEST(it_goes_round)
{
    struct ring r;
    uint64_t at = 0, slow = 0;

    ck_assert_int_eq(ring_init(&r, 8), 0);
    put(&r, "abcd\n");
    check_take(&r, &at, 64, "abcd\n");
    put(&r, "fgh\n");
    check_take(&r, &at, 64, "fgh\n");
    check_take(&r, &slow, 64, NULL);
    slow = 1; /* the oldest byte that is there */
    check_take(&r, &slow, 64, "bcd\nfgh\n");
    put(&r, "1234567\n");
    check_take(&r, &at, 64, "1234567\n");
    ring_free(&r);
}
END_TEST

START_TEST(what_is_lost_is_lost_for_all)
{
    struct ring r;
    uint64_t at = 0, now;

    ck_assert_int_eq(ring_init(&r, 8), 0);
    put(&r, "a\n");
    ring_lose(&r);
    now = r.head;
    check_take(&r, &at, 64, NULL);
    check_take(&r, &now, 64, "");
    put(&r, "b\n");
    check_take(&r, &now, 64, "b\n");
    check_take(&r, &at, 64, NULL);
    ring_free(&r);
}
END_TEST

/* --- against a text that is kept whole
 * ------------------------------------------------------------ */

#define ROUNDS  20000
#define READERS 5

struct whole {
    char *text;
    size_t size;
    struct ring ring;
    uint64_t at[READERS];
};

static unsigned draw(unsigned *seed, unsigned below)
{
    return (unsigned)rand_r(seed) % below;
}

static void put_line(struct whole *w, unsigned *seed)
{
    char line[40];
    size_t size = draw(seed, sizeof(line) - 1);

    for (size_t i = 0; i < size; i++)
        line[i] = (char)('a' + draw(seed, 26));
    line[size++] = '\n';
    ring_put(&w->ring, line, size);
    memcpy(w->text + w->size, line, size);
    w->size += size;
}

/* What must come: as much as is asked for, cut to whole lines where any is whole. */
static size_t to_come(const struct whole *w, uint64_t at, size_t size)
{
    size_t left = w->size - at;

    if (size >= left)
        return left;
    for (size_t n = size; n > 0; n--)
        if (w->text[at + n - 1] == '\n')
            return n;
    return size;
}

/* One that has lost something goes on with what is new. Returns whether it had. */
static bool take_some(struct whole *w, uint64_t *at, size_t size)
{
    char bytes[512];
    uint64_t before = *at;
    ssize_t taken = ring_take(&w->ring, at, bytes, size);

    if (w->size - before > w->ring.room) {
        ck_assert_int_eq(taken, -1);
        *at = w->ring.head;
        return true;
    }
    ck_assert_int_eq(taken, to_come(w, before, size));
    ck_assert_int_eq(memcmp(bytes, w->text + before, (size_t)taken), 0);
    ck_assert_uint_eq(*at, before + (uint64_t)taken);
    return false;
}

START_TEST(as_if_all_were_kept)
{
    struct whole w = {.text = malloc(ROUNDS * 40)};
    unsigned seed = (unsigned)_i + 1, lost = 0;

    ck_assert_ptr_nonnull(w.text);
    ck_assert_int_eq(ring_init(&w.ring, 40 + draw(&seed, 500)), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned reader = draw(&seed, READERS);

        if (draw(&seed, 4) == 0)
            put_line(&w, &seed);
        else if (reader == 0 || draw(&seed, reader * 10) == 0) /* some are slower than others */
            lost += take_some(&w, &w.at[reader], 1 + draw(&seed, 512));
    }
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_eq(w.ring.head, w.size);
    ring_free(&w.ring);
    free(w.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tcase = tcase_create("ring");

    tcase_add_test(tcase, whole_lines_are_taken);
    tcase_add_test(tcase, a_long_line);
    tcase_add_test(tcase, it_goes_round);
    tcase_add_test(tcase, what_is_lost_is_lost_for_all);
    tcase_add_loop_test(tcase, as_if_all_were_kept, 0, 20);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
