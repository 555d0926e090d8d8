/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that outlives a crash: what of it is believed. */
#include "config.h"

#include <check.h>
#include <string.h>

#include "flow/persist_file.h"
#include "suite.h"

static struct persist_file *file;

static void begin(void)
{
    file = calloc(1, sizeof(*file));
    memcpy(file->magic, PERSIST_MAGIC, sizeof(file->magic));
    file->version = PERSIST_VERSION;
    file->slot_size = sizeof(file->slots[0]);
    file->generation = 7;
}

static void end(void)
{
    free(file);
}

/* One in the middle that relays. */
static struct persist_slot *fill_slot(void)
{
    struct persist_slot *s = &file->slots[PERSIST_SLOTS / 2];

    atomic_store(&s->used, 1);
    s->id = 7;
    s->cookie[CLIENT] = 11;
    s->cookie[UPSTREAM] = 12;
    s->started = 1000;
    s->active = 2000;
    s->keepalive = 1;
    s->client = (struct addr){.family = AF_INET, .port = 40000};
    s->upstream = (struct addr){.family = AF_INET6, .port = 22};
    strcpy(s->rule, "ssh");
    strcpy(s->listen, "0.0.0.0:2222");
    return s;
}

static bool is_read(void)
{
    return persist_file_check(file, sizeof(*file));
}

START_TEST(one_of_this_program_is_read)
{
    struct persist_slot *s = fill_slot(), before = *s;

    ck_assert(is_read());
    ck_assert_uint_eq(atomic_load(&s->held), 0);
    ck_assert_mem_eq(s, &before, sizeof(before));
}
END_TEST

START_TEST(an_empty_one_is_read_and_no_slot_is_marked)
{
    ck_assert(is_read());
    for (unsigned i = 0; i < PERSIST_SLOTS; i++)
        ck_assert_uint_eq(atomic_load(&file->slots[i].held), 0);
}
END_TEST

START_TEST(every_text_may_fill_its_room)
{
    struct persist_slot *s = fill_slot();

    memset(s->rule, 'r', sizeof(s->rule) - 1);
    s->rule[sizeof(s->rule) - 1] = '\0';
    memset(s->listen, 'l', sizeof(s->listen) - 1);
    s->listen[sizeof(s->listen) - 1] = '\0';
    ck_assert(is_read());
}
END_TEST

START_TEST(another_size_is_refused)
{
    ck_assert(!persist_file_check(file, sizeof(*file) - 1));
    ck_assert(!persist_file_check(file, sizeof(*file) + 1));
    ck_assert(!persist_file_check(file, sizeof(file->magic)));
    ck_assert(!persist_file_check(file, 0));
}
END_TEST

START_TEST(another_kind_of_file_is_refused)
{
    for (size_t i = 0; i < sizeof(file->magic); i++) {
        file->magic[i] ^= 1;
        ck_assert(!is_read());
        file->magic[i] ^= 1;
    }
    ck_assert(is_read());
    file->version = PERSIST_VERSION + 1;
    ck_assert(!is_read());
    file->version = 0;
    ck_assert(!is_read());
    file->version = PERSIST_VERSION;
    file->slot_size++;
    ck_assert(!is_read());
    file->slot_size--;
    ck_assert(is_read());
    file->generation = 0; /* it was given up */
    ck_assert(!is_read());
}
END_TEST

START_TEST(a_text_without_an_end_is_refused)
{
    struct persist_slot *s = fill_slot(), whole = *s;

    memset(s->rule, 'r', sizeof(s->rule));
    ck_assert(!is_read());
    *s = whole;
    memset(s->listen, 'l', sizeof(s->listen));
    ck_assert(!is_read());
    *s = whole;
    ck_assert(is_read());
}
END_TEST

START_TEST(an_unknown_family_is_refused)
{
    struct persist_slot *s = fill_slot();

    s->client.family = AF_PACKET;
    ck_assert(!is_read());
    s->client.family = AF_INET6;
    ck_assert(is_read());
    s->upstream.family = 0xffff;
    ck_assert(!is_read());
    s->upstream.family = AF_UNSPEC;
    ck_assert(is_read());
}
END_TEST

START_TEST(the_path_of_another_process_is_never_followed)
{
    struct persist_slot *s = fill_slot();

    s->client = (struct addr){.family = AF_UNIX, .un = {(const char *)8, 12, 1000}};
    s->upstream = (struct addr){.family = AF_UNIX, .un = {(const char *)8, 0, 0}};
    ck_assert(is_read());
    ck_assert_ptr_null(s->client.un.path);
    ck_assert_ptr_null(s->upstream.un.path);
    ck_assert_uint_eq(s->client.un.peer_pid, 12);
    ck_assert_uint_eq(s->client.un.peer_uid, 1000);
}
END_TEST

/* Every half state, in and out of its range. */
START_TEST(only_what_can_go_on_is_not_marked)
{
    struct persist_slot *s = fill_slot();

    for (unsigned phase = 0; phase <= PHASE_STATES; phase++) {
        for (unsigned in = 0; in <= DIR_STATES; in++) {
            for (unsigned out = 0; out <= DIR_STATES; out++) {
                bool can = phase == PHASE_RELAYING && in < DIR_STATES && out < DIR_STATES &&
                           !(in == DIR_SHUT && out == DIR_SHUT);

                s->half = (struct half){.dir = {(uint8_t)in, (uint8_t)out}, (uint8_t)phase};
                atomic_store(&s->held, 0);
                ck_assert(is_read());
                ck_assert_int_eq(atomic_load(&s->held) == 0, can);
            }
        }
    }
}
END_TEST

START_TEST(a_time_before_all_time_is_marked)
{
    struct persist_slot *s = fill_slot();

    s->started = INT64_MIN;
    ck_assert(is_read());
    ck_assert_uint_eq(atomic_load(&s->held), 1);
    s->started = 0;
    s->active = -1;
    atomic_store(&s->held, 0);
    ck_assert(is_read());
    ck_assert_uint_eq(atomic_load(&s->held), 1);
}
END_TEST

START_TEST(a_mark_stays)
{
    struct persist_slot *s = fill_slot();

    atomic_store(&s->held, 1);
    ck_assert(is_read());
    ck_assert_uint_eq(atomic_load(&s->held), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("persist_file");
    TCase *tcase = tcase_create("persist_file");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, one_of_this_program_is_read);
    tcase_add_test(tcase, an_empty_one_is_read_and_no_slot_is_marked);
    tcase_add_test(tcase, every_text_may_fill_its_room);
    tcase_add_test(tcase, another_size_is_refused);
    tcase_add_test(tcase, another_kind_of_file_is_refused);
    tcase_add_test(tcase, a_text_without_an_end_is_refused);
    tcase_add_test(tcase, an_unknown_family_is_refused);
    tcase_add_test(tcase, the_path_of_another_process_is_never_followed);
    tcase_add_test(tcase, only_what_can_go_on_is_not_marked);
    tcase_add_test(tcase, a_time_before_all_time_is_marked);
    tcase_add_test(tcase, a_mark_stays);
    return suite_run(suite);
}
