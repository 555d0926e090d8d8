/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * With SNAPSHOT_SAMPLES=DIR in the environment it writes the samples of tests/flow/snapshots anew
 * into DIR, for a new version of the format, and tests nothing.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "snapshot_promises.h"
#include "snapshot_sample.h"

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

static void same_addr(const struct addr *a, const struct addr *b)
{
    ck_assert_int_eq(a->family, b->family);
    ck_assert_uint_eq(a->port, b->port);
    ck_assert_uint_eq(a->scope, b->scope);
    if (a->family != AF_UNIX) {
        ck_assert(addr_equal(a, b));
        return;
    }
    ck_assert_pstr_eq(a->un.path, b->un.path);
    ck_assert_uint_eq(a->un.peer_pid, b->un.peer_pid);
    ck_assert_uint_eq(a->un.peer_uid, b->un.peer_uid);
}

static void same_fd(const struct snap_fd *a, const struct snap_fd *b)
{
    ck_assert_uint_eq(a->ino, b->ino);
    ck_assert_int_eq(a->number, b->number);
}

static void same_conf(const struct snap_conf *a, const struct snap_conf *b)
{
    ck_assert_str_eq(a->path, b->path);
    ck_assert_str_eq(a->text, b->text);
    ck_assert_uint_eq(a->length, b->length);
}

static void same_rule(const struct snap_rule *a, const struct snap_rule *b)
{
    ck_assert_str_eq(a->name, b->name);
    ck_assert_uint_eq(a->conf, b->conf);
    ck_assert_int_eq(a->running, b->running);
    ck_assert_uint_eq(a->bytes_in, b->bytes_in);
    ck_assert_uint_eq(a->bytes_out, b->bytes_out);
    ck_assert_uint_eq(a->ended_count, b->ended_count);
    for (uint32_t i = 0; i < a->ended_count; i++) {
        ck_assert_str_eq(a->ended[i].word, b->ended[i].word);
        ck_assert_uint_eq(a->ended[i].count, b->ended[i].count);
    }
}

static void same_listener(const struct snap_listener *a, const struct snap_listener *b)
{
    same_fd(&a->fd, &b->fd);
    ck_assert_uint_eq(a->rule, b->rule);
    ck_assert_str_eq(a->text, b->text);
    ck_assert_int_eq(a->owns_file, b->owns_file);
    ck_assert_uint_eq(a->file_dev, b->file_dev);
    ck_assert_uint_eq(a->file_ino, b->file_ino);
}

static void same_dial(const struct snap_dial *a, const struct snap_dial *b)
{
    ck_assert_uint_eq(a->addr_count, b->addr_count);
    for (uint32_t i = 0; i < a->addr_count; i++)
        same_addr(&a->addrs[i], &b->addrs[i]);
    ck_assert_uint_eq(a->next, b->next);
    ck_assert_uint_eq(a->attempt_ms, b->attempt_ms);
    ck_assert_str_eq(a->last_end, b->last_end);
    ck_assert_int_eq(a->error, b->error);
}

static void same_session(const struct snap_session *a, const struct snap_session *b)
{
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->rule, b->rule);
    ck_assert_uint_eq(a->listener, b->listener);
    ck_assert_uint_eq(a->conf, b->conf);
    ck_assert_str_eq(a->listen, b->listen);
    ck_assert_uint_eq(a->stage, b->stage);
    same_addr(&a->client, &b->client);
    same_addr(&a->upstream, &b->upstream);
    ck_assert_uint_eq(a->age_ms, b->age_ms);
    ck_assert_uint_eq(a->quiet_ms, b->quiet_ms);
    ck_assert_uint_eq(a->drain_ms, b->drain_ms);
    ck_assert_uint_eq(a->connect_ms, b->connect_ms);
    ck_assert_int_eq(a->error, b->error);
    ck_assert_int_eq(a->keepalive, b->keepalive);
    ck_assert_uint_eq(a->half.phase, b->half.phase);
    ck_assert_str_eq(a->half_end, b->half_end);
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        same_fd(&a->fd[side], &b->fd[side]);
        ck_assert_int_eq(a->reset[side], b->reset[side]);
        ck_assert_uint_eq(a->half.dir[side], b->half.dir[side]);
        ck_assert_uint_eq(a->flow[side].bytes, b->flow[side].bytes);
        ck_assert_int_eq(a->flow[side].splicing, b->flow[side].splicing);
        ck_assert_uint_eq(a->flow[side].kept_size, b->flow[side].kept_size);
        if (a->flow[side].kept_size > 0)
            ck_assert_mem_eq(a->flow[side].kept, b->flow[side].kept, a->flow[side].kept_size);
    }
    same_dial(&a->dial, &b->dial);
}

static void same_snapshot(const struct snapshot *a, const struct snapshot *b)
{
    ck_assert_str_eq(a->program, b->program);
    ck_assert_uint_eq(a->taken_ms, b->taken_ms);
    ck_assert_uint_eq(a->next_id, b->next_id);
    ck_assert_uint_eq(a->served, b->served);
    ck_assert_uint_eq(a->refused, b->refused);
    ck_assert_uint_eq(a->current, b->current);
    ck_assert_uint_eq(a->conf_count, b->conf_count);
    ck_assert_uint_eq(a->rule_count, b->rule_count);
    ck_assert_uint_eq(a->listener_count, b->listener_count);
    ck_assert_uint_eq(a->session_count, b->session_count);
    for (uint32_t i = 0; i < a->conf_count; i++)
        same_conf(&a->confs[i], &b->confs[i]);
    for (uint32_t i = 0; i < a->rule_count; i++)
        same_rule(&a->rules[i], &b->rules[i]);
    for (uint32_t i = 0; i < a->listener_count; i++)
        same_listener(&a->listeners[i], &b->listeners[i]);
    for (uint32_t i = 0; i < a->session_count; i++)
        same_session(&a->sessions[i], &b->sessions[i]);
}

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

/* The smallest records there can be, many of them and last: none takes more bytes than the reader
 * counts with at the least. */
START_TEST(the_smallest_records_come_back)
{
    enum { MANY = 100 };
    struct snap_session sessions[MANY];

    sample.rules[0].ended[0].word = "";
    for (uint64_t i = 0; i < MANY; i++) {
        sessions[i] = sample.sessions[i % 2 == 0 ? 0 : 2];
        sessions[i].id = i;
        sessions[i].listen = "";
        sessions[i].fd[CLIENT].ino = 10000 + 2 * i;
        sessions[i].fd[UPSTREAM].ino = i % 2 == 0 ? 0 : 10001 + 2 * i;
        sessions[i].client = sessions[i].upstream = (struct addr){0};
        sessions[i].flow[CLIENT] = sessions[i].flow[UPSTREAM] = (struct snap_flow){0};
    }
    sample.snapshot.next_id = MANY;
    sample.snapshot.sessions = sessions;
    for (uint32_t stride = 1; stride <= 2; stride++) {
        for (uint32_t i = 0; stride == 2 && i < MANY / 2; i++) {
            sessions[i] = sessions[2 * i]; /* those in SNAP_DIAL only */
        }
        sample.snapshot.session_count = MANY / stride;
        check_round_trip(&sample.snapshot);
    }
    struct addr none[3] = {{0}};
    sample.snapshot.session_count = 1;
    sessions[0].dial.addrs = none;
    sessions[0].dial.addr_count = 3;
    check_round_trip(&sample.snapshot);
    sample.snapshot.session_count = 0;
    sample.listeners[0].text = sample.listeners[1].text = sample.listeners[2].text = "";
    check_round_trip(&sample.snapshot);
    sample.snapshot.listener_count = 0;
    sample.rules[0] = (struct snap_rule){.name = "a"};
    sample.rules[1] = (struct snap_rule){.name = "b"};
    sample.rules[2] = (struct snap_rule){.name = "c"};
    check_round_trip(&sample.snapshot);
    sample.snapshot.rule_count = 0;
    sample.confs[0] = sample.confs[1] = (struct snap_conf){"", "", 0};
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
    bytes[8] = SNAPSHOT_VERSION - 1;
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
static void check_sample(const char *name)
{
    struct snapshot read;
    size_t size, expected_size;
    const uint8_t *bytes = sample_file(name, &size);
    uint8_t *expected = written(&sample.snapshot, &expected_size);

    ck_assert_pstr_eq(snapshot_read(&read, bytes, size, arena), NULL);
    same_snapshot(&sample.snapshot, &read);
    ck_assert_uint_eq(size, expected_size);
    ck_assert_mem_eq(bytes, expected, size);
    free(expected);
}

START_TEST(the_kept_samples_are_read_as_ever)
{
    check_sample("v1-sessions.bin");
    sample_empty(&sample);
    check_sample("v1-empty.bin");
}
END_TEST

START_TEST(the_kept_samples_of_others_are_refused)
{
    size_t size;
    const uint8_t *bytes = sample_file("v2-future.bin", &size);

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
    write_sample(dir, "v1-empty.bin", bytes, size);
    free(bytes);

    sample_sessions(&sample);
    if (snapshot_write(&sample.snapshot, &bytes, &size) != 0)
        return EXIT_FAILURE;
    write_sample(dir, "v1-sessions.bin", bytes, size);
    bytes[size / 2] ^= 0x10;
    write_sample(dir, "damaged.bin", bytes, size);
    bytes[size / 2] ^= 0x10;
    memset(bytes + HEADER, 0x5a, 16); /* what it might mean is its own affair */
    bytes[8] = SNAPSHOT_VERSION + 1;
    snapshot_mend(bytes, size);
    write_sample(dir, "v2-future.bin", bytes, size);
    bytes[8] = SNAPSHOT_VERSION - 1;
    write_sample(dir, "v0-old.bin", bytes, size);
    free(bytes);
    return EXIT_SUCCESS;
}

int main(void)
{
    const char *dir = getenv("SNAPSHOT_SAMPLES");
    Suite *suite = suite_create("snapshot");
    TCase *tcase = tcase_create("snapshot");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_field_comes_back);
    tcase_add_test(tcase, an_empty_one_comes_back);
    tcase_add_test(tcase, the_smallest_records_come_back);
    tcase_add_test(tcase, the_same_records_give_the_same_bytes);
    tcase_add_test(tcase, every_truncation_is_refused);
    tcase_add_test(tcase, every_flipped_bit_is_refused);
    tcase_add_test(tcase, damage_behind_the_checksum_breaks_no_promise);
    tcase_add_test(tcase, huge_counts_are_refused_before_anything_is_allocated);
    tcase_add_test(tcase, bytes_after_the_last_record_are_refused);
    tcase_add_test(tcase, other_versions_and_other_things_are_refused);
    tcase_add_test(tcase, the_kept_samples_are_read_as_ever);
    tcase_add_test(tcase, the_kept_samples_of_others_are_refused);
    if (dir == NULL)
        srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (dir != NULL)
        return write_samples(dir);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
