/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever goes together on its way, what arrives is what was sent. */
#include "config.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <time.h>

#include "dgram_ends.h"
#include "suite.h"

/* System calls, counted by the linker (-Wl,--wrap). */
static struct {
    unsigned sends, receives;
    unsigned slots; /* that the last one was given to receive into */
} calls;

int __real_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *header, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *header, int flags);
int __real_recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *t);
int __wrap_recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *t);

int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    calls.sends++;
    return __real_sendmmsg(fd, headers, count, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *header, int flags)
{
    calls.sends++;
    return __real_sendmsg(fd, header, flags);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *t)
{
    calls.receives++;
    calls.slots = count;
    return __real_recvmmsg(fd, headers, count, flags, t);
}

/* Send them one way and see that they come; returns in how many packets at least two were. */
static unsigned pass(struct ends *e, struct dgram *const *list, unsigned count, bool back)
{
    struct heard *sent = heard_new(), *got = heard_new();
    int from = back ? e->server : e->client, to = back ? e->client : e->server;
    unsigned runs;

    for (unsigned i = 0; i < count; i++) {
        list[i]->path = back ? &e->back : NULL;
        heard_add(sent, list[i]);
    }
    ck_assert_int_eq(dgram_send(from, e->family, list, count, &e->whole[!back]), 0);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(list[i]->error, 0);
        ck_assert_uint_eq(list[i]->sent, dgram_count(list[i]));
    }
    while (got->count < sent->count) {
        unsigned n = receive(to, e->batch, 0, DGRAM_BATCH, back);

        for (unsigned i = 0; i < n; i++)
            heard_add(got, dgram_at(e->batch, i));
    }
    heard_same(got, sent);
    ck_assert_int_eq(dgram_receive(to, e->batch, 0, DGRAM_BATCH, back), -EAGAIN);
    runs = got->runs;
    heard_free(sent);
    heard_free(got);
    return runs;
}

static unsigned pass_sizes(struct ends *e, const uint32_t *sizes, unsigned count, bool back)
{
    struct dgram dgrams[DGRAM_BATCH] = {0}, *list[DGRAM_BATCH] = {0};
    unsigned runs;

    for (unsigned i = 0; i < count; i++) {
        dgrams[i] = (struct dgram){.bytes = make_bytes(sizes[i], i + 1), .size = sizes[i]};
        list[i] = &dgrams[i];
    }
    runs = pass(e, list, count, back);
    for (unsigned i = 0; i < count; i++)
        free((void *)(uintptr_t)dgrams[i].bytes);
    return runs;
}

/* --- what arrives ----------------------------------------------------------------------------- */

START_TEST(any_size_goes_either_way)
{
    static const uint32_t sizes[] = {0, 1, 1472, 1473, 9000, DGRAM_MOST};
    struct ends e;

    if (!make_ends(&e, _i))
        return;
    for (int back = 0; back < 2; back++) {
        for (unsigned i = 0; i < COUNT_OF(sizes); i++)
            pass_sizes(&e, &sizes[i], 1, back);
        pass_sizes(&e, sizes, COUNT_OF(sizes), back);
    }
    close_ends(&e);
}
END_TEST

START_TEST(neighbours_of_a_size_go_together_and_stay_apart)
{
    static const uint32_t sizes[] = {1200, 1200, 1200, 700, 1200, 1200, 0,  0,   1200, 1200, 1,
                                     1200, 0,    30,   30,  40,   40,   30, 700, 0,    0};
    struct ends e;
    bool runs = (_i & SENDS_RUNS) && (_i & RECEIVES_RUNS);

    if (!make_ends(&e, _i))
        return;
    runs = runs && e.whole[0] && e.whole[1];
    for (int back = 0; back < 2; back++) {
        /* 3 of 1200 and 700; 2 of 1200; 2 of 1200 and 1; 2 of 30; 2 of 40 and 30 */
        ck_assert_uint_eq(pass_sizes(&e, sizes, COUNT_OF(sizes), back), runs ? 5 : 0);
    }
    close_ends(&e);
}
END_TEST

START_TEST(a_run_goes_on_as_it_is_or_in_parts)
{
    static const struct {
        uint32_t size, segment;
    } runs[] = {
        {2, 1},           {5, 2},        {64 * 9, 9},    {65 * 9, 9},    {129 * 9 - 1, 9},
        {4 * 1400, 1400}, {65535, 1400}, {200000, 1400}, {90000, 32000}, {65507, 32753},
        {65508, 32754},   {1400, 1400},  {1400, 2000},   {0, 2000},      {3 * 65507, 65507},
    };
    struct dgram d, odd, *list[] = {&d, &odd, &d, &d};
    struct ends e;

    if (!make_ends(&e, _i))
        return;
    for (unsigned i = 0; i < COUNT_OF(runs); i++) {
        uint8_t *bytes = make_bytes(runs[i].size, i);
        struct dgram copies[4];

        d = (struct dgram){.bytes = bytes, .size = runs[i].size, .segment = runs[i].segment};
        odd = (struct dgram){.bytes = bytes, .size = runs[i].size / 3};
        for (unsigned k = 0; k < COUNT_OF(copies); k++) {
            copies[k] = *list[k];
            list[k] = &copies[k];
        }
        pass(&e, list, runs[i].size > 65535 ? 1 : 4, _i % 2);
        for (unsigned k = 0; k < COUNT_OF(copies); k++)
            list[k] = k == 1 ? &odd : &d;
        free(bytes);
    }
    close_ends(&e);
}
END_TEST

/* Lists as they come, again and again. */
START_TEST(nothing_is_lost_merged_cut_or_overtaken)
{
    static const uint32_t usual[] = {0, 1, 100, 100, 100, 512, 512, 1400, 1400, 3000};
    uint8_t *bytes = make_bytes(1 << 16, 1);
    unsigned seed = (unsigned)_i + 1;
    struct ends e;

    if (!make_ends(&e, _i)) {
        free(bytes);
        return;
    }
    srand(seed);
    for (int round = 0; round < 100; round++) {
        struct dgram dgrams[40], *list[40];
        unsigned count = 1 + (unsigned)rand() % 40;

        for (unsigned i = 0; i < count; i++) {
            struct dgram *d = list[i] = &dgrams[i];

            *d = (struct dgram){.bytes = bytes + rand() % 4096};
            d->size = usual[(unsigned)rand() % COUNT_OF(usual)];
            if (d->size > 0 && rand() % 4 == 0) {
                d->segment = d->size;
                d->size = d->segment * (2 + (unsigned)rand() % 3) - (unsigned)rand() % d->segment;
            }
        }
        pass(&e, list, count, rand() % 2);
    }
    free(bytes);
    close_ends(&e);
}
END_TEST

START_TEST(a_list_may_be_longer_than_a_batch)
{
    struct dgram dgrams[200], *list[200];
    uint32_t numbers[200];
    struct ends e;

    if (!make_ends(&e, _i))
        return;
    for (unsigned i = 0; i < COUNT_OF(list); i++) {
        numbers[i] = i;
        dgrams[i] = (struct dgram){.bytes = (const uint8_t *)&numbers[i], .size = sizeof(*numbers)};
        list[i] = &dgrams[i];
    }
    pass(&e, list, COUNT_OF(list), false);
    pass(&e, list, COUNT_OF(list), true);
    close_ends(&e);
}
END_TEST

START_TEST(slots_are_filled_from_where_they_are_asked_for)
{
    static const char *const texts[] = {"one", "two", "three", "four", "five"};
    struct ends e;

    ck_assert(make_ends(&e, V4));
    for (unsigned i = 0; i < COUNT_OF(texts); i++)
        send_text(e.client, AF_INET, texts[i], NULL);
    ck_assert_uint_eq(receive(e.server, e.batch, DGRAM_BATCH - 1, 1, false), 1);
    ck_assert_uint_eq(receive(e.server, e.batch, 3, 3, true), 3);
    ck_assert_uint_eq(receive(e.server, e.batch, 0, 3, false), 1);
    for (unsigned i = 0; i < COUNT_OF(texts); i++) {
        const struct dgram *d = dgram_at(e.batch, i == 0 ? DGRAM_BATCH - 1 : i == 4 ? 0 : i + 2);

        ck_assert_uint_eq(d->size, strlen(texts[i]));
        ck_assert_mem_eq(d->bytes, texts[i], d->size);
        ck_assert_int_eq(d->path == NULL, i > 0 && i < 4);
    }
    close_ends(&e);
}
END_TEST

/* --- where it came from and where it goes ----------------------------------------------------- */

START_TEST(an_answer_leaves_from_the_address_that_was_asked)
{
    struct ends e;

    if (!make_ends(&e, _i))
        return;
    ck_assert_int_eq(e.back.local.family, e.back.peer.family);
    if (e.back.local.family == AF_INET)
        ck_assert_uint_eq(ntohl(e.back.local.v4.s_addr), 0x7f000002);
    else
        ck_assert(IN6_IS_ADDR_LOOPBACK(&e.back.local.v6));
    /* A connected socket hears no other. */
    send_text(e.server, e.family, "answer", &e.back);
    ck_assert_uint_eq(receive(e.client, e.batch, 0, 1, true), 1);
    ck_assert_ptr_null(dgram_at(e.batch, 0)->path);
    ck_assert_uint_eq(dgram_at(e.batch, 0)->size, 6);
    close_ends(&e);
}
END_TEST

START_TEST(many_peers_are_answered_at_once)
{
    struct dgram dgrams[9], *list[9];
    struct dgram_path paths[3];
    int clients[3];
    struct ends e;
    struct heard *got;

    ck_assert(make_ends(&e, V4 + SENDS_RUNS));
    for (unsigned i = 0; i < 3; i++) {
        struct addr server = e.back.local, own;

        ck_assert_int_eq(dgram_check(e.server, &own), 0);
        server.port = own.port;
        clients[i] = connect_to(&server);
        send_text(clients[i], AF_INET, "hello", NULL);
        paths[i] = *receive_one(e.server, e.batch)->path;
    }
    for (unsigned i = 0; i < 9; i++) {
        dgrams[i] = (struct dgram){
            .bytes = (const uint8_t *)"012345678" + i, .size = 1, .path = &paths[i / 2 % 3]};
        list[i] = &dgrams[i];
    }
    ck_assert_int_eq(dgram_send(e.server, AF_INET, list, 9, &e.whole[0]), 0);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const expected[] = {"0167", "238", "45"};

        got = heard_new();
        while (got->count < strlen(expected[i])) {
            ck_assert_uint_eq(receive(clients[i], e.batch, 0, 1, true), 1);
            heard_add(got, dgram_at(e.batch, 0));
        }
        for (unsigned k = 0; k < got->count; k++)
            ck_assert_int_eq(got->list[k].bytes[0], expected[i][k]);
        ck_assert(is_silent(clients[i], e.batch));
        heard_free(got);
        close(clients[i]);
    }
    close_ends(&e);
}
END_TEST

/* No two neighbours can go as one packet, and all the same it is one system call. */
START_TEST(a_batch_is_one_call)
{
    struct dgram dgrams[DGRAM_BATCH], *list[DGRAM_BATCH];
    struct dgram_path paths[2];
    struct heard *sent[2], *got;
    struct addr server;
    int clients[2];
    struct ends e;

    ck_assert(make_ends(&e, V4 + _i * SENDS_RUNS));
    ck_assert_int_eq(dgram_check(e.server, &server), 0);
    server.v4 = e.back.local.v4;
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = connect_to(&server);
        send_text(clients[i], AF_INET, "hello", NULL);
        paths[i] = *receive_one(e.server, e.batch)->path;
        sent[i] = heard_new();
    }
    for (unsigned i = 0; i < DGRAM_BATCH; i++) {
        dgrams[i] = (struct dgram){
            .bytes = (const uint8_t *)"abcdefgh" + i % 8, .size = i / 2 % 2, .path = &paths[i % 2]};
        list[i] = &dgrams[i];
        heard_add(sent[i % 2], list[i]);
    }
    calls.sends = 0;
    ck_assert_int_eq(dgram_send(e.server, AF_INET, list, DGRAM_BATCH, &e.whole[0]), 0);
    ck_assert_uint_eq(calls.sends, 1);
    for (unsigned i = 0; i < 2; i++) {
        got = heard_new();
        while (got->count < sent[i]->count) {
            unsigned before = calls.receives;
            unsigned n = receive(clients[i], e.batch, 0, DGRAM_BATCH, true);

            ck_assert_uint_eq(calls.receives, before + 1);
            ck_assert_uint_eq(calls.slots, DGRAM_BATCH);
            for (unsigned k = 0; k < n; k++)
                heard_add(got, dgram_at(e.batch, k));
        }
        heard_same(got, sent[i]);
        heard_free(got);
        heard_free(sent[i]);
        close(clients[i]);
    }
    close_ends(&e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dgram");
    TCase *tcase = tcase_create("dgram");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, count_before, count_after);
    tcase_add_loop_test(tcase, any_size_goes_either_way, 0, WAYS);
    tcase_add_loop_test(tcase, neighbours_of_a_size_go_together_and_stay_apart, 0, WAYS);
    tcase_add_loop_test(tcase, a_run_goes_on_as_it_is_or_in_parts, 0, WAYS);
    tcase_add_loop_test(tcase, nothing_is_lost_merged_cut_or_overtaken, 0, WAYS);
    tcase_add_loop_test(tcase, a_list_may_be_longer_than_a_batch, 0, WAYS);
    tcase_add_test(tcase, slots_are_filled_from_where_they_are_asked_for);
    tcase_add_loop_test(tcase, an_answer_leaves_from_the_address_that_was_asked, 0, KINDS);
    tcase_add_test(tcase, many_peers_are_answered_at_once);
    tcase_add_loop_test(tcase, a_batch_is_one_call, 0, 2);
    return suite_run(suite);
}
