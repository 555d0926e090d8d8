/* SPDX-License-Identifier: BSD-2-Clause */
/* A handover for which there is no memory. */
#include "config.h"

#include <check.h>
#include <poll.h>

#include "daemon/handover.h"
#include "descriptors.h"
#include "handover_life.h"
#include "memory.h"
#include "suite.h"

START_TEST(without_memory_to_save_nothing_is_lost)
{
    int descriptors = count_descriptors(), error;
    struct handover h;
    struct life life;
    long given = -1;

    life_begin(&life);
    live_a_little(&life);
    do {
        given++;
        memory_runs_out(given, _i == 1);
        error = handover_save(&life.w.set, &h);
        ck_assert_int_eq(error, memory_is_back() ? -ENOMEM : 0);
        ck_assert(error == 0 || (h.bytes == NULL && h.listeners == NULL && h.sessions == NULL));
    } while (error != 0);
    ck_assert_int_gt(given, 10);
    handover_free(&h);
    all_arrives(&life.w, &life.clients[KEPT]);
    all_arrives(&life.w, &life.clients[BULK]);
    life_end(&life);
    ck_assert_int_eq(count_descriptors(), descriptors);
}
END_TEST

/* It has been reset, and nothing else. */
static bool is_reset(const struct client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int error = 0;
    socklen_t size = sizeof(error);

    if (poll(&p, 1, 0) != 1)
        return false;
    ck_assert_int_eq(getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    ck_assert(error == ECONNRESET || error == EPIPE);
    return true;
}

/* Returns whether any was refused. */
static bool restore_without_memory(long given, bool once)
{
    int descriptors = count_descriptors();
    struct inheritance in;
    struct inherited got;
    struct brought b;
    struct life life;
    unsigned reset = 0;
    const char *why;
    bool refused;

    life_begin(&life);
    live_a_little(&life);
    carry(&life, &in, &b);
    memory_runs_out(given, once);
    why = handover_restore(&life.w.set, &in, &got);
    refused = memory_is_back();
    if (why)
        listeners_are_left(&in);
    all_is_taken(&b);
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *c = &life.clients[i];
        bool is = c->fd >= 0 && is_reset(c);

        if (c->fd >= 0)
            ck_assert_int_ne(is, session_of(&life.w, c) != NULL);
        reset += is;
    }
    if (why != NULL) {
        ck_assert(refused);
        ck_assert_uint_eq(life.w.set.count, 0);
        ck_assert_ptr_null(life.w.set.conf);
        ck_assert(list_empty(&life.w.worker.rules));
        ck_assert_uint_eq(reset, life.count);
    } else {
        ck_assert_uint_eq(life.w.worker.live + reset, life.count);
        ck_assert_uint_eq(got.sessions + got.lost, life.count);
        ck_assert(refused || reset == 0);
        if (session_of(&life.w, &life.clients[KEPT]))
            all_arrives(&life.w, &life.clients[KEPT]);
    }
    arena_free(in.arena);
    world_turn(&life.w);
    life_end(&life);
    ck_assert_int_eq(count_descriptors(), descriptors);
    return refused;
}

START_TEST(without_memory_to_restore_each_session_goes_on_or_is_reset)
{
    long given = 0;

    while (restore_without_memory(given, _i == 1))
        given++;
    ck_assert_int_gt(given, 30); /* the config, rules, listeners, sessions */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handover without memory");
    TCase *tcase = tcase_create("handover");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, without_memory_to_save_nothing_is_lost, 0, 2);
    tcase_add_loop_test(tcase, without_memory_to_restore_each_session_goes_on_or_is_reset, 0, 2);
    return suite_run(suite);
}
