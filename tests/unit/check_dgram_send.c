/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of datagrams that can't go, and of those beside them. */
#include "config.h"

#include <stdio.h>

#include "dgram_ends.h"
#include "suite.h"

START_TEST(one_that_cannot_go_keeps_no_other)
{
    uint8_t *bytes = make_bytes(70000, 1);
    struct dgram_path elsewhere;
    struct dgram d[7] = {{.size = 10}, {.size = 10},    {.size = 65508}, {.size = 10},
                         {.size = 10}, {.size = 70000}, {.size = 0}};
    struct dgram *list[] = {&d[0], &d[1], &d[2], &d[3], &d[4], &d[5], &d[6]};
    static const int errors[] = {0, 0, EMSGSIZE, 0, 0, EMSGSIZE, 0};
    struct ends e;
    struct heard *got = heard_new();

    ck_assert(make_ends(&e, _i));
    elsewhere = e.back;
    elsewhere.local = ipv4(0xc0000201, 0); /* 192.0.2.1 is not ours */
    for (unsigned i = 0; i < COUNT_OF(d); i++) {
        d[i].bytes = bytes;
        d[i].path = i == 4 ? &elsewhere : &e.back;
    }
    dgram_send(e.server, AF_INET, list, COUNT_OF(d), &e.whole[0]);
    ck_assert(e.whole[0] == (_i == SENDS_RUNS && dgram_sends_runs(e.server)));
    for (unsigned i = 0; i < COUNT_OF(d); i++) {
        if (i == 4)
            ck_assert(d[i].error == EINVAL || d[i].error == ENETUNREACH); /* by Linux version */
        else
            ck_assert_int_eq(d[i].error, errors[i]);
        ck_assert_uint_eq(d[i].sent, d[i].error == 0);
    }
    while (got->count < 4) {
        unsigned n = receive(e.client, e.batch, 0, DGRAM_BATCH, true);

        for (unsigned i = 0; i < n; i++)
            heard_add(got, dgram_at(e.batch, i));
    }
    ck_assert_uint_eq(got->list[2].size, 10);
    ck_assert_uint_eq(got->list[3].size, 0);
    ck_assert(is_silent(e.client, e.batch));
    heard_free(got);
    free(bytes);
    close_ends(&e);
}
END_TEST

/* A port at which nobody is, and where nobody else can be: its owner hears only another. */
static struct addr make_dead_end(int *owner)
{
    struct addr any = ipv4(INADDR_LOOPBACK, 0), other;
    struct sockaddr_storage ss;
    socklen_t len;
    int keeper = open_at(&any, 0, &other);

    *owner = open_at(&any, 0, &any);
    len = addr_to_sockaddr(&other, &ss);
    ck_assert_int_eq(connect(*owner, (const struct sockaddr *)&ss, len), 0);
    close(keeper);
    return any;
}

START_TEST(a_refusal_is_told_and_all_is_sent)
{
    struct dgram d[12] = {0}, *list[12];
    int owner, fd, told = 0;
    struct addr dead = make_dead_end(&owner);
    struct dgram_batch *b = new_batch();
    bool whole;

    fd = connect_to(&dead);
    whole = dgram_sends_runs(fd);
    for (unsigned i = 0; i < 12; i++) {
        d[i] = (struct dgram){.bytes = (const uint8_t *)"0123456789ab", .size = i % 5};
        list[i] = &d[i];
    }
    /* Of one that was sent before: it is told by sending the next one ... */
    send_text(fd, AF_INET, "anybody?", NULL);
    await(fd, POLLERR);
    ck_assert_int_eq(dgram_send(fd, AF_INET, list + 1, 1, &whole), -ECONNREFUSED);
    ck_assert_int_eq(d[1].error, 0);
    ck_assert_uint_eq(d[1].sent, 1);
    /* ... or by receiving, once. */
    await(fd, POLLERR);
    ck_assert_int_eq(dgram_receive(fd, b, 0, DGRAM_BATCH, true), -ECONNREFUSED);
    ck_assert_int_eq(dgram_receive(fd, b, 0, DGRAM_BATCH, true), -EAGAIN);
    /* Many, each of which is refused. */
    told += dgram_send(fd, AF_INET, list, 12, &whole) == -ECONNREFUSED;
    for (unsigned i = 0; i < 12; i++) {
        ck_assert_int_eq(d[i].error, 0);
        ck_assert_uint_eq(d[i].sent, 1);
    }
    if (!told)
        await(fd, POLLERR);
    told += dgram_receive(fd, b, 0, DGRAM_BATCH, true) == -ECONNREFUSED;
    ck_assert_int_gt(told, 0);
    ck_assert(whole == dgram_sends_runs(fd));
    close(fd);
    close(owner);
    dgram_batch_free(b);
}
END_TEST

/* --- UNIX ------------------------------------------------------------------------------------- */

static int open_unix(struct addr *a, char *name, size_t size)
{
    struct sockaddr_storage ss;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len;

    snprintf(name, size, "@penstock-check-dgram-%d", (int)getpid());
    *a = (struct addr){.family = AF_UNIX, .un.path = name};
    len = addr_to_sockaddr(a, &ss);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&ss, len), 0);
    return fd;
}

START_TEST(a_unix_upstream_answers)
{
    char name[64], bytes[16];
    struct addr a;
    int server = open_unix(&a, name, sizeof(name)), fd = connect_to(&a);
    struct dgram_batch *b = new_batch();
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);

    ck_assert(!dgram_sends_runs(fd));
    send_text(fd, AF_UNIX, "question", NULL);
    await(server, POLLIN);
    ck_assert_int_eq(recvfrom(server, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len), 8);
    ck_assert_int_eq(sendto(server, "answer", 6, 0, (const struct sockaddr *)&from, len), 6);
    ck_assert_int_eq(sendto(server, "", 0, 0, (const struct sockaddr *)&from, len), 0);
    ck_assert_uint_eq(receive(fd, b, 0, DGRAM_BATCH, true), 2);
    ck_assert_uint_eq(dgram_at(b, 0)->size, 6);
    ck_assert_mem_eq(dgram_at(b, 0)->bytes, "answer", 6);
    ck_assert_uint_eq(dgram_at(b, 1)->size, 0);
    /* When it has gone. */
    close(server);
    {
        struct dgram d = {.bytes = (const uint8_t *)"x", .size = 1}, *list[] = {&d};
        bool whole = false;

        ck_assert_int_eq(dgram_send(fd, AF_UNIX, list, 1, &whole), -ECONNREFUSED);
        ck_assert_int_ne(d.error, 0);
        ck_assert_uint_eq(d.sent, 0);
    }
    close(fd);
    dgram_batch_free(b);
}
END_TEST

START_TEST(when_it_is_full_the_rest_is_told)
{
    char name[64];
    struct addr a;
    int server = open_unix(&a, name, sizeof(name)), fd = connect_to(&a);
    struct dgram d[1000] = {0}, *list[1000];
    uint32_t numbers[1000];
    unsigned went = 0;
    bool whole = false;

    for (unsigned i = 0; i < 1000; i++) {
        numbers[i] = i;
        d[i] = (struct dgram){.bytes = (const uint8_t *)&numbers[i], .size = sizeof(numbers[i])};
        list[i] = &d[i];
    }
    ck_assert_int_eq(dgram_send(fd, AF_UNIX, list, 1000, &whole), 0);
    while (went < 1000 && d[went].error == 0)
        ck_assert_uint_eq(d[went++].sent, 1);
    ck_assert_uint_gt(went, 0);
    ck_assert_uint_lt(went, 1000);
    for (unsigned i = went; i < 1000; i++) {
        ck_assert_int_eq(d[i].error, EAGAIN);
        ck_assert_uint_eq(d[i].sent, 0);
    }
    for (unsigned i = 0; i < went; i++) {
        uint32_t number;

        ck_assert_int_eq(recv(server, &number, sizeof(number), 0), sizeof(number));
        ck_assert_uint_eq(number, i);
    }
    /* There is room again. */
    ck_assert_int_eq(dgram_send(fd, AF_UNIX, list, 1, &whole), 0);
    ck_assert_int_eq(d[0].error, 0);
    close(fd);
    close(server);
}
END_TEST

START_TEST(what_is_too_large_for_udp_is_not_made_to_fit)
{
    char name[64];
    struct addr a;
    int server = open_unix(&a, name, sizeof(name)), fd = connect_to(&a);
    uint8_t *bytes = make_bytes(100000, 1);
    struct sockaddr_storage own;
    socklen_t len = sizeof(own);
    struct dgram *list[1];
    struct ends e;

    ck_assert(make_ends(&e, V4));
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    ck_assert_int_eq(sendto(server, bytes, 100000, 0, (const struct sockaddr *)&own, len), 100000);
    ck_assert_uint_eq(receive(fd, e.batch, 0, 1, true), 1);
    list[0] = dgram_at(e.batch, 0);
    ck_assert_uint_gt(list[0]->size, DGRAM_MOST);
    dgram_send(e.client, AF_INET, list, 1, &e.whole[1]);
    ck_assert_int_eq(list[0]->error, EMSGSIZE);
    ck_assert_uint_eq(list[0]->sent, 0);
    free(bytes);
    close(fd);
    close(server);
    close_ends(&e);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dgram_send");
    TCase *tcase = tcase_create("dgram_send");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, count_before, count_after);
    tcase_add_loop_test(tcase, one_that_cannot_go_keeps_no_other, V4, V4 + 1);
    tcase_add_loop_test(tcase, one_that_cannot_go_keeps_no_other, V4 + SENDS_RUNS,
                        V4 + SENDS_RUNS + 1);
    tcase_add_test(tcase, a_refusal_is_told_and_all_is_sent);
    tcase_add_test(tcase, a_unix_upstream_answers);
    tcase_add_test(tcase, when_it_is_full_the_rest_is_told);
    tcase_add_test(tcase, what_is_too_large_for_udp_is_not_made_to_fit);
    return suite_run(suite);
}
