/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With SNAPSHOT_SAMPLES=DIR in the environment it writes the samples of tests/flow/snapshots anew
 * into DIR, for a new version of the format, and tests nothing; those of versions of before can't
 * be written any more. They are good seeds for the fuzzer.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "snapshot_promises.h"
#include "snapshot_same.h"
#include "snapshot_sample.h"
#include "suite.h"

#define HEADER 24

static struct sample sample; /* each test has its own: it runs in a process of its own */
static struct arena *arena;

static void setup(void)
{
    arena = arena_new();
    ck_assert_ptr_nonnull(arena);
    sample_sessions(&sample);
}

static void teardown(void)
{
    arena_free(arena);
}

/* --- every field is carried --------------------------------------------------------------------
 */

static void check_round_trip(const struct snapshot *s)
{
    struct snapshot again;
    size_t size;
    uint8_t *bytes = written(s, &size);

    ck_assert_pstr_eq(snapshot_read(&again, bytes, size, arena), NULL);
    memset(bytes, 0xee, size); /* nothing of it is kept */
    free(bytes);
    same_snapshot(s, &again);
    ck_assert_ptr_null(promises_of_snapshot(&again));
}

START_TEST(every_field_comes_back)
{
    check_round_trip(&sample.snapshot);
}
END_TEST

START_TEST(an_empty_one_comes_back)
{
    sample_empty(&sample);
    check_round_trip(&sample.snapshot);
}
END_TEST

/* As many as there are of the smallest records there can be: none takes fewer bytes than the reader
 * counts with at the least. */
enum { MANY = 200 };

START_TEST(the_smallest_sessions_come_back)
{
    static struct snap_session sessions[MANY];

    static const int kinds[] = {0, 2, 8}; /* in SNAP_DIAL, in SNAP_RELAY, of datagrams */

    for (int kind = 0; kind < 3; kind++) {
        for (uint32_t i = 0; i < MANY; i++) {
            sessions[i] = sample.sessions[kinds[kind]];
            sessions[i].id = i;
            sessions[i].listen = "";
            sessions[i].fd[CLIENT].cookie = kind == 2 ? 0 : 10000 + i;
            sessions[i].fd[UPSTREAM].cookie = kind == 0 ? 0 : 20000 + i;
            sessions[i].upstream = (struct addr){0};
            if (kind < 2)
                sessions[i].client = (struct addr){0};
            sessions[i].udp.local = (struct addr){0};
            sessions[i].flow[CLIENT] = sessions[i].flow[UPSTREAM] = (struct snap_flow){0};
        }
        sample.snapshot.next_id = MANY;
        sample.snapshot.sessions = sessions;
        sample.snapshot.session_count = MANY;
        check_round_trip(&sample.snapshot);
    }
}
END_TEST

START_TEST(the_smallest_parts_come_back)
{
    static struct snap_dgram kept[MANY];
    static struct addr addrs[MANY];
    static struct snap_ended ended[MANY];
    static struct snap_bucket buckets[MANY];

    sample.snapshot.session_count = 1;
    sample.sessions[0].dial.addrs = addrs;
    sample.sessions[0].dial.addr_count = MANY;
    check_round_trip(&sample.snapshot);

    sample.sessions[0] = sample.sessions[7];
    sample.sessions[0].udp.kept = kept;
    sample.sessions[0].udp.kept_count = MANY;
    check_round_trip(&sample.snapshot);

    for (uint32_t i = 0; i < MANY; i++)
        ended[i].word = "";
    sample.snapshot.session_count = 0;
    sample.snapshot.listener_count = 0;
    sample.rules[2].ended = ended;
    sample.rules[2].ended_count = MANY;
    check_round_trip(&sample.snapshot);
    sample.rules[3].lasted = (struct snap_histogram){buckets, MANY, 0};
    check_round_trip(&sample.snapshot);
}
END_TEST

START_TEST(the_smallest_confs_rules_and_listeners_come_back)
{
    static struct snap_conf confs[MANY];
    static struct snap_rule rules[MANY];
    static struct snap_listener listeners[MANY];
    static char names[MANY][2];

    for (uint32_t i = 0; i < MANY; i++) {
        names[i][0] = (char)(i + 1);
        confs[i] = (struct snap_conf){"", "", 0};
        rules[i] = (struct snap_rule){.name = names[i]};
        listeners[i] = (struct snap_listener){.fd = {i + 1, 0}, .text = ""};
    }
    sample.snapshot.session_count = 0;
    sample.snapshot.listeners = listeners;
    sample.snapshot.listener_count = MANY;
    check_round_trip(&sample.snapshot);
    sample.snapshot.listener_count = 0;
    sample.snapshot.rules = rules;
    sample.snapshot.rule_count = MANY;
    check_round_trip(&sample.snapshot);
    sample.snapshot.rule_count = 0;
    sample.snapshot.confs = confs;
    sample.snapshot.conf_count = MANY;
    check_round_trip(&sample.snapshot);
}
END_TEST

START_TEST(the_same_records_give_the_same_bytes)
{
    struct sample other;
    struct snapshot read;
    size_t size, other_size, again_size;
    uint8_t *bytes = written(&sample.snapshot, &size);

    memset(&other, 0x55, sizeof(other));
    sample_sessions(&other);
    uint8_t *other_bytes = written(&other.snapshot, &other_size);
    ck_assert_uint_eq(other_size, size);
    ck_assert_mem_eq(other_bytes, bytes, size);

    ck_assert_pstr_eq(snapshot_read(&read, bytes, size, arena), NULL);
    uint8_t *again = written(&read, &again_size);
    ck_assert_uint_eq(again_size, size);
    ck_assert_mem_eq(again, bytes, size);
    free(bytes);
    free(other_bytes);
    free(again);
}
END_TEST

/* --- damage ------------------------------------------------------------------------------------
 */

START_TEST(every_truncation_is_refused)
{
    size_t size;
    uint8_t *bytes = written(&sample.snapshot, &size);

    for (size_t length = 0; length < size; length++) {
        uint8_t *part = malloc(length > 0 ? length : 1); /* exactly as long */

        memcpy(part, bytes, length);
        ck_assert_ptr_nonnull(wrong_with(part, length));
        if (length >= HEADER) {
            snapshot_mend(part, length);
            ck_assert_pstr_eq(wrong_with(part, length), "a record is malformed");
        }
        free(part);
    }
    free(bytes);
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
    size_t size;
    uint8_t *bytes = written(&sample.snapshot, &size);

    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_ptr_nonnull(wrong_with(bytes, size));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ck_assert_pstr_eq(wrong_with(bytes, size), NULL);
    free(bytes);
}
END_TEST

/* Damage that the checksum doesn't tell: refused, or all that is promised holds. */
START_TEST(damage_behind_the_checksum_breaks_no_promise)
{
    size_t size, accepted = 0, refused = 0;
    uint8_t *bytes = written(&sample.snapshot, &size);

    for (size_t at = HEADER; at < size; at++) {
        uint8_t was = bytes[at];

        for (int change = 0; change < 10; change++) {
            bytes[at] = (uint8_t)(change < 8 ? was ^ 1 << change : change == 8 ? 0 : 0xff);
            snapshot_mend(bytes, size);
            if (wrong_with(bytes, size) == NULL)
                accepted++;
            else
                refused++;
        }
        bytes[at] = was;
    }
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_gt(refused, 0);
    free(bytes);
}
END_TEST

/* Each four bytes become a huge number, so each count and length does. */
START_TEST(huge_counts_are_refused_before_anything_is_allocated)
{
    static const uint32_t huge[] = {UINT32_MAX, INT32_MAX, 1 << 24, 1 << 16};
    size_t size;
    uint8_t *bytes = written(&sample.snapshot, &size);

    for (size_t at = HEADER; at + 4 <= size; at++) {
        uint8_t was[4];

        memcpy(was, bytes + at, sizeof(was));
        for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
            struct packer p = {.bytes = bytes, .size = size, .room = size};

            pack_u32_at(&p, at, huge[i]);
            snapshot_mend(bytes, size);
            const char *wrong = wrong_with(bytes, size);
            if (wrong != NULL)
                ck_assert_ptr_null(strstr(wrong, "memory"));
        }
        memcpy(bytes + at, was, sizeof(was));
    }
    free(bytes);
}
END_TEST

START_TEST(bytes_after_the_last_record_are_refused)
{
    size_t size;
    uint8_t *bytes = written(&sample.snapshot, &size);
    uint8_t *more = calloc(1, size + 1);

    memcpy(more, bytes, size);
    ck_assert_pstr_eq(wrong_with(more, size + 1), "its length is not what it says");
    snapshot_mend(more, size + 1);
    ck_assert_pstr_eq(wrong_with(more, size + 1), "there are bytes after its last record");
    free(more);
    free(bytes);
}
END_TEST

START_TEST(other_versions_and_other_things_are_refused)
{
    size_t size;
    uint8_t *bytes = written(&sample.snapshot, &size);

    bytes[8] = SNAPSHOT_VERSION + 1;
    ck_assert_pstr_eq(wrong_with(bytes, size), "its format is newer than this program reads");
    ck_assert_pstr_eq(wrong_with(bytes, 12), "its format is newer than this program reads");
    bytes[8] = SNAPSHOT_OLDEST - 1;
    ck_assert_pstr_eq(wrong_with(bytes, size), "its format is older than this program reads");
    bytes[8] = SNAPSHOT_VERSION;
    ck_assert_pstr_eq(wrong_with(bytes, size), NULL);
    bytes[0] = 'p';
    ck_assert_pstr_eq(wrong_with(bytes, size), "it is no snapshot of penstock");
    ck_assert_pstr_eq(wrong_with(bytes, 0), "it is no snapshot of penstock");
    ck_assert_pstr_eq(wrong_with((const uint8_t *)"rules = { };", 12),
                      "it is no snapshot of penstock");
    free(bytes);
}
END_TEST

/* --- the kept samples --------------------------------------------------------------------------
 */

static uint8_t *sample_file(const char *name, size_t *size)
{
    static uint8_t bytes[65536];
    const char *top = getenv("top_srcdir");
    char path[4096];

    snprintf(path, sizeof(path), "%s/tests/flow/snapshots/%s", top != NULL ? top : ".", name);
    FILE *in = fopen(path, "rb");
    ck_assert_msg(in != NULL, "%s can't be opened", path);
    *size = fread(bytes, 1, sizeof(bytes), in);
    ck_assert(feof(in));
    fclose(in);
    return bytes;
}

/* What this program writes, and what it reads from what an earlier one wrote, are these bytes: a
 * change of the format is a new version, with samples of its own. */
static void check_read(const char *name)
{
    struct snapshot read;
    size_t size;
    const uint8_t *bytes = sample_file(name, &size);

    ck_assert_pstr_eq(snapshot_read(&read, bytes, size, arena), NULL);
    same_snapshot(&sample.snapshot, &read);
    ck_assert_ptr_null(promises_of_snapshot(&read));
}

static void check_written(const char *name)
{
    size_t size, expected_size;
    const uint8_t *bytes = sample_file(name, &size);
    uint8_t *expected = written(&sample.snapshot, &expected_size);

    ck_assert_uint_eq(size, expected_size);
    ck_assert_mem_eq(bytes, expected, size);
    free(expected);
}

START_TEST(the_kept_samples_are_read_as_ever)
{
    check_read("v3-sessions.bin");
    check_written("v3-sessions.bin");
    sample_sessions_2(&sample);
    check_read("v2-sessions.bin");
    sample_sessions_1(&sample);
    check_read("v1-sessions.bin");
    sample_empty(&sample);
    check_read("v3-empty.bin");
    check_written("v3-empty.bin");
    check_read("v2-empty.bin");
    check_read("v1-empty.bin");
}
END_TEST

/* As every_truncation_is_refused, for records that lack what later ones have. */
START_TEST(truncations_of_an_older_version_are_refused)
{
    size_t size;
    const uint8_t *bytes = sample_file(_i == 1 ? "v1-sessions.bin" : "v2-sessions.bin", &size);

    ck_assert_pstr_eq(wrong_with(bytes, size), NULL);
    for (size_t length = HEADER; length < size; length++) {
        uint8_t *part = malloc(length);

        memcpy(part, bytes, length);
        snapshot_mend(part, length);
        ck_assert_pstr_eq(wrong_with(part, length), "a record is malformed");
        free(part);
    }
}
END_TEST

START_TEST(the_kept_samples_of_others_are_refused)
{
    size_t size;
    const uint8_t *bytes = sample_file("v4-future.bin", &size);

    ck_assert_pstr_eq(wrong_with(bytes, size), "its format is newer than this program reads");
    bytes = sample_file("v0-old.bin", &size);
    ck_assert_pstr_eq(wrong_with(bytes, size), "its format is older than this program reads");
    bytes = sample_file("damaged.bin", &size);
    ck_assert_pstr_eq(wrong_with(bytes, size), "its checksum is wrong");
}
END_TEST

static void write_sample(const char *dir, const char *name, const uint8_t *bytes, size_t size)
{
    char path[4096];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    out = fopen(path, "wb");
    if (out == NULL || fwrite(bytes, 1, size, out) != size || fclose(out) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

static int write_samples(const char *dir)
{
    size_t size;
    uint8_t *bytes;

    sample_empty(&sample);
    if (snapshot_write(&sample.snapshot, &bytes, &size) != 0)
        return EXIT_FAILURE;
    write_sample(dir, "v3-empty.bin", bytes, size);
    free(bytes);

    sample_sessions(&sample);
    if (snapshot_write(&sample.snapshot, &bytes, &size) != 0)
        return EXIT_FAILURE;
    write_sample(dir, "v3-sessions.bin", bytes, size);
    bytes[size / 2] ^= 0x10;
    write_sample(dir, "damaged.bin", bytes, size);
    bytes[size / 2] ^= 0x10;
    memset(bytes + HEADER, 0x5a, 16); /* what it might mean is its own affair */
    bytes[8] = SNAPSHOT_VERSION + 1;
    snapshot_mend(bytes, size);
    write_sample(dir, "v4-future.bin", bytes, size);
    bytes[8] = SNAPSHOT_OLDEST - 1;
    write_sample(dir, "v0-old.bin", bytes, size);
    free(bytes);
    return EXIT_SUCCESS;
}

int main(void)
{
    const char *dir = getenv("SNAPSHOT_SAMPLES");
    Suite *suite;
    TCase *tcase;

    if (dir != NULL)
        return write_samples(dir);
    suite = suite_create("snapshot");
    tcase = tcase_create("snapshot");
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_field_comes_back);
    tcase_add_test(tcase, an_empty_one_comes_back);
    tcase_add_test(tcase, the_smallest_sessions_come_back);
    tcase_add_test(tcase, the_smallest_parts_come_back);
    tcase_add_test(tcase, the_smallest_confs_rules_and_listeners_come_back);
    tcase_add_test(tcase, the_same_records_give_the_same_bytes);
    tcase_add_test(tcase, every_truncation_is_refused);
    tcase_add_test(tcase, every_flipped_bit_is_refused);
    tcase_add_test(tcase, damage_behind_the_checksum_breaks_no_promise);
    tcase_add_test(tcase, huge_counts_are_refused_before_anything_is_allocated);
    tcase_add_test(tcase, bytes_after_the_last_record_are_refused);
    tcase_add_test(tcase, other_versions_and_other_things_are_refused);
    tcase_add_test(tcase, the_kept_samples_are_read_as_ever);
    tcase_add_loop_test(tcase, truncations_of_an_older_version_are_refused, 1, 3);
    tcase_add_test(tcase, the_kept_samples_of_others_are_refused);
    return suite_run(suite);
}
