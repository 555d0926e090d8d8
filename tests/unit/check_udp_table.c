/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow/udp_table.h"
#include "memory.h"
#include "suite.h"

#define MANY 10000

static struct addr v4(uint32_t address, uint16_t port)
{
    struct addr a = {.family = AF_INET, .port = port};

    a.v4.s_addr = htonl(address);
    return a;
}

static struct addr v6(const char *text, uint16_t port, uint32_t scope)
{
    struct addr a = {.family = AF_INET6, .port = port, .scope = scope};

    ck_assert_int_eq(inet_pton(AF_INET6, text, &a.v6), 1);
    return a;
}

static const struct addr nowhere = {.family = AF_UNSPEC};

START_TEST(an_empty_one_has_nothing_and_needs_no_memory)
{
    struct udp_table t = {.key = {1, 2}};
    struct addr client = v4(0x0a000001, 5000);

    ck_assert_ptr_null(udp_table_find(&t, &client, &nowhere));
    ck_assert_ptr_null(t.buckets);
    udp_table_free(&t);
}
END_TEST

START_TEST(each_part_of_the_pair_counts)
{
    struct udp_table t = {.key = {1, 2}};
    struct udp_entry entries[] = {
        {.client = v4(0x0a000001, 5000), .local = nowhere},
        {.client = v4(0x0a000001, 5001), .local = nowhere},
        {.client = v4(0x0a000002, 5000), .local = nowhere},
        {.client = v4(0x0a000001, 5000), .local = v4(0x0a000009, 0)},
        {.client = v4(0x0a000001, 5000), .local = v4(0x0a00000a, 0)},
        {.client = v6("fe80::1", 5000, 2), .local = v6("fe80::9", 0, 2)},
        {.client = v6("fe80::1", 5000, 3), .local = v6("fe80::9", 0, 3)},
        {.client = v6("fe80::1", 5000, 2), .local = v6("fe80::a", 0, 2)},
        {.client = v6("fe80::1", 5000, 2), .local = nowhere},
        {.client = v6("::ffff:10.0.0.1", 5000, 0), .local = nowhere},
    };
    struct addr other = v4(0x0a000003, 5000);

    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        ck_assert_ptr_null(udp_table_find(&t, &entries[i].client, &entries[i].local));
        ck_assert_int_eq(udp_table_insert(&t, &entries[i]), 0);
    }
    ck_assert_uint_eq(t.count, COUNT_OF(entries));
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        struct addr client = entries[i].client;
        struct addr local = entries[i].local;

        ck_assert_ptr_eq(udp_table_find(&t, &client, &local), &entries[i]);
    }
    ck_assert_ptr_null(udp_table_find(&t, &other, &nowhere));
    udp_table_free(&t);
}
END_TEST

/* An address is the same whatever lies in the bytes of it that mean nothing. */
START_TEST(padding_means_nothing)
{
    struct udp_table t = {.key = {3, 4}};
    struct udp_entry e = {.client = v4(0x0a000001, 5000), .local = nowhere};
    struct addr client, local;

    memset(&client, 0xaa, sizeof(client));
    memset(&local, 0x55, sizeof(local));
    client.family = AF_INET;
    client.port = 5000;
    client.v4.s_addr = htonl(0x0a000001);
    local.family = AF_UNSPEC;
    local.port = 0;
    ck_assert_int_eq(udp_table_insert(&t, &e), 0);
    ck_assert_ptr_eq(udp_table_find(&t, &client, &local), &e);
    udp_table_free(&t);
}
END_TEST

START_TEST(what_expires_is_gone_and_can_come_back)
{
    struct udp_table t = {.key = {1, 2}};
    struct udp_entry e = {.client = v4(1, 1), .local = nowhere};

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(udp_table_insert(&t, &e), 0);
        ck_assert_ptr_eq(udp_table_find(&t, &e.client, &e.local), &e);
        udp_table_remove(&t, &e);
        ck_assert_ptr_null(udp_table_find(&t, &e.client, &e.local));
        ck_assert_uint_eq(t.count, 0);
    }
    udp_table_free(&t);
}
END_TEST

/* With a place for so many, the oldest makes way for each newcomer: the table does not grow. */
START_TEST(who_is_evicted_makes_room)
{
    enum { PLACES = 16 };
    struct udp_table t = {.key = {1, 2}};
    struct udp_entry entries[PLACES];
    size_t size = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        struct udp_entry *e = &entries[i % PLACES];

        if (i >= PLACES) {
            struct addr old = e->client;

            udp_table_remove(&t, e);
            ck_assert_ptr_null(udp_table_find(&t, &old, &nowhere));
        }
        *e = (struct udp_entry){.client = v4(i, 53), .local = nowhere};
        ck_assert_int_eq(udp_table_insert(&t, e), 0);
        ck_assert_ptr_eq(udp_table_find(&t, &e->client, &nowhere), e);
        if (i == PLACES)
            size = t.size;
        if (i > PLACES)
            ck_assert_uint_eq(t.size, size);
    }
    ck_assert_uint_eq(t.count, PLACES);
    udp_table_free(&t);
}
END_TEST

static size_t longest_chain(const struct udp_table *t)
{
    size_t longest = 0;

    for (size_t i = 0; i < t->size; i++) {
        size_t length = 0;

        for (const struct udp_entry *e = t->buckets[i]; e != NULL; e = e->next)
            length++;
        if (length > longest)
            longest = length;
    }
    return longest;
}

/* Without memory to grow it stays at its first size, and all share buckets. */
START_TEST(those_in_one_bucket_are_told_apart)
{
    enum { ALL = 300 };
    struct udp_table t = {.key = {5, 6}};
    struct udp_entry *entries = calloc(ALL, sizeof(*entries));
    size_t size;

    ck_assert_ptr_nonnull(entries);
    for (uint32_t i = 0; i < ALL; i++) {
        int error;

        entries[i] = (struct udp_entry){.client = v4(i, 53), .local = nowhere};
        memory_runs_out(i == 0 ? -1 : 0, false);
        error = udp_table_insert(&t, &entries[i]);
        ck_assert_int_eq(memory_is_back(), i > 0 && i >= t.size);
        ck_assert_int_eq(error, 0);
        if (i == 0)
            size = t.size;
    }
    ck_assert_uint_eq(t.size, size);
    ck_assert_uint_ge(longest_chain(&t), ALL / size);
    for (uint32_t i = 0; i < ALL; i += 2)
        udp_table_remove(&t, &entries[i]);
    for (uint32_t i = 0; i < ALL; i++) {
        struct addr client = v4(i, 53);

        ck_assert_ptr_eq(udp_table_find(&t, &client, &nowhere), i % 2 == 0 ? NULL : &entries[i]);
    }
    udp_table_free(&t);
    free(entries);
}
END_TEST

START_TEST(without_any_memory_the_first_is_turned_away)
{
    struct udp_table t = {.key = {1, 2}};
    struct udp_entry e = {.client = v4(1, 1), .local = nowhere};
    int error;

    memory_runs_out(0, false);
    error = udp_table_insert(&t, &e);
    memory_is_back();
    ck_assert_int_eq(error, -ENOMEM);
    ck_assert_uint_eq(t.count, 0);
    ck_assert_int_eq(udp_table_insert(&t, &e), 0);
    ck_assert_ptr_eq(udp_table_find(&t, &e.client, &e.local), &e);
    udp_table_free(&t);
}
END_TEST

/* Addresses next to each other spread: no chain is long. */
START_TEST(chains_stay_short_at_ten_thousand)
{
    struct udp_table t = {.key = {7, 8}};
    struct udp_entry *entries = calloc(MANY, sizeof(*entries));

    ck_assert_ptr_nonnull(entries);
    for (uint32_t i = 0; i < MANY; i++) {
        entries[i] = (struct udp_entry){.client = v4(0x0a000000 + i / 100, (uint16_t)(i % 100)),
                                        .local = v4(0x7f000001, 0)};
        ck_assert_int_eq(udp_table_insert(&t, &entries[i]), 0);
    }
    ck_assert_uint_ge(t.size, MANY);
    ck_assert_uint_lt(longest_chain(&t), 12);
    udp_table_free(&t);
    free(entries);
}
END_TEST

/* --- against a naive model ---------------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The n-th of all pairs that there are, of every form. */
static void make_pair(uint32_t n, struct addr *client, struct addr *local)
{
    *client = v4(0xc0000200 + n / 16, (uint16_t)(1000 + n % 8));
    *local = n % 16 < 8 ? nowhere : v4(0x0a000001, 0);
    if (n % 3 == 0) {
        *client = v6("2001:db8::", (uint16_t)(n % 8), n % 16 < 8 ? 0 : 4);
        memcpy(&client->v6.s6_addr[12], &n, sizeof(n));
    }
}

/* The model is an array: is the n-th pair in the table? Most of the time it grows. */
START_TEST(it_is_what_a_plain_array_is)
{
    enum { PAIRS = MANY + MANY / 2, STEPS = 150000 };
    struct udp_table t = {.key = {0x0123456789abcdef, (uint64_t)_i}};
    struct udp_entry *entries = calloc(PAIRS, sizeof(*entries));
    bool *is_in = calloc(PAIRS, sizeof(*is_in));
    uint64_t state = (uint64_t)_i + 88172645463325252u;
    size_t count = 0, most = 0;

    ck_assert_ptr_nonnull(entries);
    ck_assert_ptr_nonnull(is_in);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t random = next_random(&state);
        uint32_t n = (uint32_t)((random >> 16) % PAIRS);
        struct addr client, local;

        make_pair(n, &client, &local);
        if (udp_table_find(&t, &client, &local) != (is_in[n] ? &entries[n] : NULL))
            ck_abort_msg("step %u: pair %u", step, n);
        if (!is_in[n] && random % 8 < (step < STEPS / 2 ? 7 : 2)) {
            entries[n] = (struct udp_entry){.client = client, .local = local};
            ck_assert_int_eq(udp_table_insert(&t, &entries[n]), 0);
            is_in[n] = true;
            count++;
        } else if (is_in[n] && random % 8 == 7) {
            udp_table_remove(&t, &entries[n]);
            is_in[n] = false;
            count--;
        }
        if (t.count != count)
            ck_abort_msg("step %u: %zu entries, not %zu", step, t.count, count);
        if (count > most)
            most = count;
    }
    ck_assert_uint_gt(most, MANY);
    for (uint32_t n = 0; n < PAIRS; n++) {
        struct addr client, local;

        make_pair(n, &client, &local);
        ck_assert_ptr_eq(udp_table_find(&t, &client, &local), is_in[n] ? &entries[n] : NULL);
        if (is_in[n])
            udp_table_remove(&t, &entries[n]);
    }
    ck_assert_uint_eq(t.count, 0);
    udp_table_free(&t);
    free(entries);
    free(is_in);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("udp_table");
    TCase *tcase = tcase_create("udp_table");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_empty_one_has_nothing_and_needs_no_memory);
    tcase_add_test(tcase, each_part_of_the_pair_counts);
    tcase_add_test(tcase, padding_means_nothing);
    tcase_add_test(tcase, what_expires_is_gone_and_can_come_back);
    tcase_add_test(tcase, who_is_evicted_makes_room);
    tcase_add_test(tcase, those_in_one_bucket_are_told_apart);
    tcase_add_test(tcase, without_any_memory_the_first_is_turned_away);
    tcase_add_test(tcase, chains_stay_short_at_ten_thousand);
    tcase_add_loop_test(tcase, it_is_what_a_plain_array_is, 0, 2);
    return suite_run(suite);
}
