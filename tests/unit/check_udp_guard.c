/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/udp_guard.h"
#include "suite.h"

static const uint64_t key[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static struct addr v4(const char *text, uint16_t port)
{
    struct addr a = {.family = AF_INET, .port = port};

    ck_assert_int_eq(inet_pton(AF_INET, text, &a.v4), 1);
    return a;
}

static struct udp_guard *new_guard(void)
{
    struct udp_guard *g = udp_guard_new(key);

    ck_assert_ptr_nonnull(g);
    return g;
}

static struct udp_segment segment(const char *group, uint16_t port, uint32_t interface)
{
    return (struct udp_segment){.to = v4(group, port), .interface = interface};
}

static bool heard(struct udp_guard *g, const struct udp_segment *at, const char *source,
                  const char *text, int64_t now)
{
    struct addr from = v4(source, 5353);

    return udp_guard_heard(g, at, &from, text, strlen(text), now);
}

static void sent(struct udp_guard *g, const struct udp_segment *at, const char *text, int64_t now)
{
    udp_guard_sent(g, at, text, strlen(text), now);
}

START_TEST(the_same_from_somebody_else_is_a_copy)
{
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("239.1.2.3", 5000, 2);
    struct addr other_port = v4("10.0.0.1", 5354);

    ck_assert(heard(g, &at, "10.0.0.1", "x", 0));
    ck_assert(!heard(g, &at, "10.0.0.2", "x", 0));
    ck_assert(!heard(g, &at, "10.0.0.3", "x", 1));
    ck_assert(!udp_guard_heard(g, &at, &other_port, "x", 1, 1));
    ck_assert(heard(g, &at, "10.0.0.2", "y", 1));
    ck_assert(heard(g, &at, "10.0.0.2", "xx", 1));
    ck_assert(heard(g, &at, "10.0.0.1", "", 1));
    ck_assert(!heard(g, &at, "10.0.0.2", "", 1));
    udp_guard_free(g);
}
END_TEST

START_TEST(who_says_it_twice_is_heard_twice)
{
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("239.1.2.3", 5000, 2);

    for (int64_t now = 0; now < 10 * GUARD_MS; now += 100) {
        ck_assert(heard(g, &at, "10.0.0.1", "x", now));
        ck_assert(!heard(g, &at, "10.0.0.2", "x", now + 50));
    }
    udp_guard_free(g);
}
END_TEST

START_TEST(what_we_have_sent_is_a_copy_from_anybody)
{
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("239.1.2.3", 5000, 2);

    sent(g, &at, "x", 0);
    ck_assert(!heard(g, &at, "10.0.0.1", "x", 0));
    ck_assert(!heard(g, &at, "10.0.0.1", "x", GUARD_MS));
    ck_assert(heard(g, &at, "10.0.0.1", "x", GUARD_MS + 1));
    /* also from one who was the first to say it */
    sent(g, &at, "x", GUARD_MS + 2);
    ck_assert(!heard(g, &at, "10.0.0.1", "x", GUARD_MS + 3));
    udp_guard_free(g);
}
END_TEST

START_TEST(it_forgets)
{
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("255.255.255.255", 67, 2);

    ck_assert(heard(g, &at, "10.0.0.1", "x", 1000));
    ck_assert(!heard(g, &at, "10.0.0.2", "x", 1000 + GUARD_MS));
    ck_assert(heard(g, &at, "10.0.0.2", "x", 1001 + GUARD_MS));
    /* now that one is known for it */
    ck_assert(!heard(g, &at, "10.0.0.1", "x", 1002 + GUARD_MS));
    udp_guard_free(g);
}
END_TEST

/* Two that say the same at their own times: the second waits until the first is forgotten, and no
 * longer, however often it tries. */
START_TEST(copies_do_not_count_as_heard)
{
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("239.1.2.3", 5000, 2);
    int64_t now;

    ck_assert(heard(g, &at, "10.0.0.1", "x", 0));
    for (now = 10; now <= GUARD_MS; now += 10)
        ck_assert(!heard(g, &at, "10.0.0.2", "x", now));
    ck_assert(heard(g, &at, "10.0.0.2", "x", now));
    udp_guard_free(g);
}
END_TEST

START_TEST(segments_are_kept_apart)
{
    struct udp_guard *g = new_guard();
    const struct udp_segment at[] = {
        segment("239.1.2.3", 5000, 2),
        segment("239.1.2.3", 5000, 3),
        segment("239.1.2.3", 5001, 2),
        segment("239.1.2.4", 5000, 2),
        {.to = {.family = AF_INET6, .port = 5000}, .interface = 2},
        {.to = {.family = AF_INET6, .port = 5000, .v6 = IN6ADDR_LOOPBACK_INIT}, .interface = 2},
    };

    for (size_t i = 0; i < COUNT_OF(at); i++) {
        char other[16];

        snprintf(other, sizeof(other), "10.0.0.%zu", i + 1);
        ck_assert(heard(g, &at[i], other, "x", 0));
    }
    for (size_t i = 0; i < COUNT_OF(at); i++)
        ck_assert(!heard(g, &at[i], "10.0.1.1", "x", 0));
    sent(g, &at[0], "z", 0);
    for (size_t i = 0; i < COUNT_OF(at); i++)
        ck_assert_int_eq(heard(g, &at[i], "10.0.0.1", "z", 0), i != 0);
    udp_guard_free(g);
}
END_TEST

static bool heard_number(struct udp_guard *g, const struct udp_segment *at, uint32_t number,
                         const char *source, int64_t now)
{
    struct addr from = v4(source, 5353);

    return udp_guard_heard(g, at, &from, &number, sizeof(number), now);
}

/* Full, it has forgotten the oldest and nothing else; what was said again is new. */
START_TEST(the_oldest_goes_first)
{
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("239.1.2.3", 5000, 2);

    for (uint32_t i = 0; i < GUARD_ENTRIES; i++)
        ck_assert(heard_number(g, &at, i, "10.0.0.1", 0));
    ck_assert(heard_number(g, &at, 0, "10.0.0.1", 1)); /* the oldest is now number 1 ... */
    ck_assert(heard_number(g, &at, GUARD_ENTRIES, "10.0.0.1", 1)); /* ... which goes */
    ck_assert(!heard_number(g, &at, 0, "10.0.0.2", 1));
    for (uint32_t i = 2; i <= GUARD_ENTRIES; i++) {
        if (heard_number(g, &at, i, "10.0.0.2", 1))
            ck_abort_msg("%u is forgotten", i);
    }
    ck_assert(heard_number(g, &at, 1, "10.0.0.2", 1));
    udp_guard_free(g);
}
END_TEST

/* One who repeats himself does not push out others. */
START_TEST(one_payload_takes_one_place)
{
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("239.1.2.3", 5000, 2);

    ck_assert(heard(g, &at, "10.0.0.1", "x", 0));
    for (uint32_t i = 0; i < 2 * GUARD_ENTRIES; i++) {
        if (!heard(g, &at, "10.0.0.3", "y", 0))
            ck_abort_msg("time %u", i);
    }
    ck_assert(!heard(g, &at, "10.0.0.2", "x", 0));
    udp_guard_free(g);
}
END_TEST

/* --- against a naive model: a list of all there is, newest last --------------------------------
 */

#define SOURCES 4

struct said {
    uint32_t payload;
    uint32_t source; /* SOURCES: us */
    int64_t at;
};

struct model {
    struct said said[GUARD_ENTRIES];
    size_t count;
};

static struct said *recall(struct model *m, uint32_t payload)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->said[i].payload == payload)
            return &m->said[i];
    }
    return NULL;
}

static void note(struct model *m, struct said *known, uint32_t payload, uint32_t source,
                 int64_t now)
{
    if (known == NULL && m->count == GUARD_ENTRIES)
        known = &m->said[0];
    if (known != NULL) {
        m->count--;
        memmove(known, known + 1, (size_t)(&m->said[m->count] - known) * sizeof(*known));
    }
    m->said[m->count++] = (struct said){.payload = payload, .source = source, .at = now};
}

START_TEST(it_is_what_a_plain_list_is)
{
    enum { STEPS = 60000, PAYLOADS = GUARD_ENTRIES + GUARD_ENTRIES / 2 };
    struct udp_guard *g = new_guard();
    struct udp_segment at = segment("239.1.2.3", 5000, 2);
    struct model *m = calloc(1, sizeof(*m));
    uint64_t random = 88172645463325252u;
    int64_t now = 0;

    ck_assert_ptr_nonnull(m);
    for (int i = 0; i < STEPS; i++) {
        uint32_t payload, source;
        struct said *known;
        char text[16];

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        payload = (uint32_t)(random >> 32) % (i % 3 == 0 ? 64 : PAYLOADS);
        source = random % (SOURCES + 1);
        now += (random >> 8) % 32 == 0;
        known = recall(m, payload);
        if (source == SOURCES) {
            udp_guard_sent(g, &at, &payload, sizeof(payload), now);
            note(m, known, payload, source, now);
            continue;
        }
        snprintf(text, sizeof(text), "10.0.0.%u", source);
        if (known != NULL && known->source != source && now - known->at <= GUARD_MS) {
            if (heard_number(g, &at, payload, text, now))
                ck_abort_msg("step %d: a copy of %u was taken", i, payload);
        } else {
            if (!heard_number(g, &at, payload, text, now))
                ck_abort_msg("step %d: %u was taken for a copy", i, payload);
            note(m, known, payload, source, now);
        }
    }
    ck_assert_uint_eq(m->count, GUARD_ENTRIES);
    ck_assert_int_gt(now, 2 * GUARD_MS);
    udp_guard_free(g);
    udp_guard_free(NULL);
    free(m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("udp_guard");
    TCase *tcase = tcase_create("udp_guard");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_same_from_somebody_else_is_a_copy);
    tcase_add_test(tcase, who_says_it_twice_is_heard_twice);
    tcase_add_test(tcase, what_we_have_sent_is_a_copy_from_anybody);
    tcase_add_test(tcase, it_forgets);
    tcase_add_test(tcase, copies_do_not_count_as_heard);
    tcase_add_test(tcase, segments_are_kept_apart);
    tcase_add_test(tcase, the_oldest_goes_first);
    tcase_add_test(tcase, one_payload_takes_one_place);
    tcase_add_test(tcase, it_is_what_a_plain_list_is);
    return suite_run(suite);
}
