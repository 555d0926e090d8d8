/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of datagrams to a snapshot and back to work, in one process. */
#include "config.h"

#include <check.h>

#include "carrier.h"
#include "descriptors.h"
#include "flow/listener.h"
#include "flow/udp.h"
#include "memory.h"
#include "snapshot_same.h"
#include "suite.h"
#include "world_udp.h"

#define PORT        24201
#define PORT_OTHER  24202
#define PORT_MANY   24203
#define PORT_UP     24204
#define PORT_NOBODY 24205
#define CLIENTS     6

static struct world w;
static int up, clients[CLIENTS], descriptors;
static struct inheritance in;
static struct inherited got;
static struct brought brought;

/* --- both ends -------------------------------------------------------------------------------- */

/* Two addresses of one rule, one to many, and one with nobody behind it. */
static struct conf *conf_full(void)
{
    const char *h = own_host();

    return conf_of("rules = {"
                   "r = { listen = [\"udp:%s:%u\", \"udp:%s:%u\"]; upstream = \"%s:%u\"; "
                   "      max_connections = 4; on_limit = \"evict\"; };"
                   "many = { listen = \"udp:%s:%u\"; upstream = [\"%s:%u\", \"%s:%u\"]; };"
                   "};",
                   h, PORT, h, PORT_OTHER, h, PORT_UP, h, PORT_MANY, h, PORT_UP, h, PORT_NOBODY);
}

static void apply(struct conf *conf)
{
    struct ruleset_changes changes;

    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

static void begin(void)
{
    descriptors = count_descriptors();
    world_begin(&w);
    up = udp_at(PORT_UP);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = udp_at(0);
}

static void end(void)
{
    world_end(&w);
    close(up);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    ck_assert_int_eq(count_descriptors(), descriptors);
}

/* Whence the upstream gets it. */
static struct sockaddr_in say(int client, unsigned port, const char *text)
{
    struct sockaddr_in to = own_address(port);

    send_to(client, &to, text);
    return await_text(&w, up, text);
}

static struct sockaddr_in talk(int client, unsigned port)
{
    struct sockaddr_in from = say(client, port, "question");

    send_to(up, &from, "answer");
    ck_assert_int_eq(await_text(&w, client, "answer").sin_port, htons((in_port_t)port));
    return from;
}

static struct session *first_session(void)
{
    ck_assert(!list_empty(&w.worker.sessions));
    return container_of(w.worker.sessions.next, struct session, link);
}

/* --- who stands where ------------------------------------------------------------------------- */

struct lines {
    uint64_t ids[2 * CLIENTS * UDP_LINES];
    size_t count;
};

/* Of each listener, then of each rule. */
static void look_at_lines(struct lines *all)
{
    *all = (struct lines){.count = 0};
    for (size_t i = 0; i < w.set.count; i++) {
        const struct rule *rule = w.set.rules[i];

        for (enum udp_line line = 0; line < UDP_LINES; line++) {
            list_for_each (link, next, &rule->listeners) {
                const struct listener *l = container_of(link, struct listener, link);

                list_for_each (in_line, after, &l->udp->lines[line])
                    all->ids[all->count++] =
                        container_of(in_line, struct udp_session, by_listener)->session->id;
            }
            list_for_each (in_line, after, &rule->lines[line])
                all->ids[all->count++] =
                    container_of(in_line, struct udp_session, by_rule)->session->id;
        }
    }
}

/* --- tests ------------------------------------------------------------------------------------ */

static void go_on(void)
{
    ck_assert_pstr_eq(handover_restore(&w.set, &in, &got), NULL);
    all_is_taken(&brought);
}

/* Written down once more it must be the same. */
static void is_the_same(void)
{
    struct snapshot again;
    struct handover h;
    struct arena *arena;

    ck_assert_int_eq(handover_save(&w.set, &h), 0);
    arena = read_back(&h, &again);
    take_over_differences(&in.snapshot, &again);
    same_snapshot(&in.snapshot, &again);
    handover_free(&h);
    arena_free(arena);
}

START_TEST(what_is_restored_is_what_was_saved)
{
    struct sockaddr_in from[3];
    struct lines before, after;
    struct account *a;

    apply(conf_full());
    from[0] = talk(clients[0], PORT);
    from[1] = say(clients[1], PORT_OTHER, "unanswered");
    from[2] = talk(clients[2], PORT_MANY);
    say(clients[3], PORT, "unanswered");
    talk(clients[0], PORT); /* not the order of their beginning */
    talk(clients[4], PORT_OTHER);
    say(clients[1], PORT_OTHER, "again");
    a = &w.set.rules[0]->account;
    atomic_store(&a->datagrams_in, 70);
    atomic_store(&a->datagrams_out, 1ull << 40);
    atomic_store(&a->dropped, 3);
    look_at_lines(&before);
    carry_world(&w, &in, &brought);
    ck_assert_uint_eq(in.snapshot.session_count, 5);

    go_on();
    ck_assert_uint_eq(got.sessions, 5);
    ck_assert_uint_eq(got.lost, 0);
    ck_assert_uint_eq(got.listeners, 3);
    ck_assert_uint_eq(atomic_load(&w.fds.booked), 3 + 5);
    is_the_same();
    look_at_lines(&after);
    ck_assert_uint_eq(before.count, 2 * 5);
    ck_assert_uint_eq(after.count, before.count);
    ck_assert_mem_eq(after.ids, before.ids, sizeof(before.ids));
    a = &w.set.rules[0]->account;
    ck_assert_uint_eq(atomic_load(&a->datagrams_in), 70);
    ck_assert_uint_eq(atomic_load(&a->datagrams_out), 1ull << 40);
    ck_assert_uint_eq(atomic_load(&a->dropped), 3);

    ck_assert_int_eq(talk(clients[0], PORT).sin_port, from[0].sin_port);
    ck_assert_int_eq(talk(clients[1], PORT_OTHER).sin_port, from[1].sin_port);
    ck_assert_int_eq(talk(clients[2], PORT_MANY).sin_port, from[2].sin_port);
    ck_assert_uint_eq(w.worker.live, 5);
    arena_free(in.arena);
}
END_TEST

START_TEST(who_is_evicted_is_who_would_have_been)
{
    in_port_t ports[4];

    apply(conf_full());
    for (int i = 0; i < 4; i++)
        ports[i] = say(clients[i], PORT, "a").sin_port;
    ck_assert_int_eq(say(clients[0], PORT, "b").sin_port, ports[0]);
    talk(clients[1], PORT);
    carry_world(&w, &in, &brought);
    go_on();
    say(clients[4], PORT, "new"); /* for 2 */
    say(clients[5], PORT, "new"); /* for 3 */
    ck_assert_uint_eq(atomic_load(&w.set.rules[0]->account.ended[END_EVICTED]), 2);
    ck_assert_int_eq(say(clients[0], PORT, "c").sin_port, ports[0]);
    ck_assert_int_eq(say(clients[1], PORT, "c").sin_port, ports[1]);
    ck_assert_uint_eq(w.worker.live, 4);
    arena_free(in.arena);
}
END_TEST

/* In the listener's socket, and in that of a session. */
START_TEST(what_comes_meanwhile_goes_through_afterwards)
{
    struct sockaddr_in to = own_address(PORT), from;

    apply(conf_full());
    from = talk(clients[0], PORT);
    carry_world(&w, &in, &brought);
    send_to(clients[0], &to, "early question");
    send_to(clients[1], &to, "a new client");
    send_to(up, &from, "early answer");
    go_on();
    await_text(&w, clients[0], "early answer");
    ck_assert_int_eq(await_text(&w, up, "early question").sin_port, from.sin_port);
    await_text(&w, up, "a new client");
    ck_assert_uint_eq(w.worker.live, 2);
    ck_assert_uint_eq(first_session()->udp->datagrams[CLIENT], 2);
    ck_assert_uint_eq(first_session()->udp->datagrams[UPSTREAM], 2);
    arena_free(in.arena);
}
END_TEST

/* The upstream's answer has been read, and waits for the end of the turn. */
START_TEST(what_waits_to_be_sent_is_sent)
{
    struct sockaddr_in from;
    struct session *s;
    struct handover h;

    apply(conf_full());
    from = talk(clients[0], PORT);
    s = first_session();
    send_to(up, &from, "waits");
    udp_relay_event(s, UPSTREAM, LOOP_READ);
    ck_assert_uint_eq(s->udp->waiting, 1);
    ck_assert_int_eq(handover_save(&w.set, &h), 0);
    ck_assert_uint_eq(s->udp->waiting, 0);
    await_text(&w, clients[0], "waits");
    handover_free(&h);
}
END_TEST

static bool has_ended(void *arg)
{
    const enum end *end = arg;

    return atomic_load(&w.set.rules[0]->account.ended[*end]) == 1;
}

START_TEST(a_refusal_and_the_last_reply_are_remembered)
{
    enum end ends[] = {END_UPSTREAM_REFUSED, END_DONE};
    struct sockaddr_in from;

    apply(conf_of("rules = { r = { listen = \"udp:%s:%u\"; upstream = \"%s:%u\"; %s }; };",
                  own_host(), PORT, own_host(), PORT_UP, _i == 0 ? "" : "udp_replies = 1;"));
    from = say(clients[0], PORT, "question");
    if (_i == 0) {
        udp_session_refused(first_session(), ECONNREFUSED);
    } else {
        send_to(up, &from, "answer");
        udp_relay_event(first_session(), UPSTREAM, LOOP_READ);
    }
    carry_world(&w, &in, &brought);
    ck_assert_int_eq(in.snapshot.sessions[0].udp.refused, _i == 0);
    go_on();
    ck_assert_uint_eq(w.worker.live, 1);
    world_await(&w, has_ended, &ends[_i]);
    arena_free(in.arena);
}
END_TEST

START_TEST(without_its_socket_or_listener_it_is_lost)
{
    in_port_t kept;

    apply(conf_full());
    talk(clients[0], PORT);
    kept = talk(clients[1], PORT_OTHER).sin_port;
    talk(clients[2], PORT_OTHER);
    carry_world(&w, &in, &brought);
    for (uint32_t i = 0; i < in.snapshot.session_count; i++) {
        struct snap_session *s = &in.snapshot.sessions[i];

        if (s->id == 1)
            s->listener = SNAP_NONE;
        if (s->id == 3)
            close(take(&brought, &s->fd[UPSTREAM]));
    }
    go_on();
    ck_assert_uint_eq(got.sessions, 1);
    ck_assert_uint_eq(got.lost, 2);
    ck_assert_uint_eq(atomic_load(&w.fds.booked), 3 + 1);
    ck_assert_int_eq(talk(clients[1], PORT_OTHER).sin_port, kept);
    talk(clients[0], PORT); /* anew */
    arena_free(in.arena);
}
END_TEST

START_TEST(without_memory_to_save_nothing_is_lost)
{
    struct handover h;
    long given = -1;
    in_port_t port;
    int error;

    apply(conf_full());
    port = talk(clients[0], PORT).sin_port;
    talk(clients[1], PORT_MANY);
    do {
        memory_runs_out(++given, _i == 1);
        error = handover_save(&w.set, &h);
        ck_assert_int_eq(error, memory_is_back() ? -ENOMEM : 0);
        ck_assert(error == 0 || (h.bytes == NULL && h.listeners == NULL && h.sessions == NULL));
    } while (error != 0);
    ck_assert_int_gt(given, 10);
    handover_free(&h);
    ck_assert_int_eq(talk(clients[0], PORT).sin_port, port);
}
END_TEST

/* Returns whether any was refused. */
static bool restore_without_memory(long given, bool once)
{
    const char *why;
    bool refused;

    begin();
    apply(conf_full());
    talk(clients[0], PORT);
    talk(clients[1], PORT_OTHER);
    talk(clients[2], PORT_MANY);
    carry_world(&w, &in, &brought);
    memory_runs_out(given, once);
    why = handover_restore(&w.set, &in, &got);
    refused = memory_is_back();
    if (why != NULL) {
        ck_assert(refused);
        ck_assert_uint_eq(w.set.count, 0);
        ck_assert_uint_eq(w.worker.live, 0);
        for (uint32_t i = 0; i < in.snapshot.listener_count; i++)
            close(in.take(in.arg, &in.snapshot.listeners[i].fd));
    } else {
        ck_assert_uint_eq(got.sessions, w.worker.live + w.worker.served); /* as far as it got */
        ck_assert_uint_eq(got.sessions + got.lost, 3);
        ck_assert(refused || got.lost == 0);
    }
    all_is_taken(&brought);
    arena_free(in.arena);
    world_turn(&w);
    end();
    return refused;
}

START_TEST(without_memory_to_restore_each_session_goes_on_or_is_lost)
{
    long given = 0;

    while (restore_without_memory(given, _i == 1))
        given++;
    ck_assert_int_gt(given, 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handover_udp");
    TCase *tcase = tcase_create("handover_udp"), *bare = tcase_create("memory");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, what_is_restored_is_what_was_saved);
    tcase_add_test(tcase, who_is_evicted_is_who_would_have_been);
    tcase_add_test(tcase, what_comes_meanwhile_goes_through_afterwards);
    tcase_add_test(tcase, what_waits_to_be_sent_is_sent);
    tcase_add_loop_test(tcase, a_refusal_and_the_last_reply_are_remembered, 0, 2);
    tcase_add_test(tcase, without_its_socket_or_listener_it_is_lost);
    tcase_add_loop_test(tcase, without_memory_to_save_nothing_is_lost, 0, 2);
    suite_add_tcase(suite, bare);
    tcase_set_timeout(bare, 240);
    tcase_add_loop_test(bare, without_memory_to_restore_each_session_goes_on_or_is_lost, 0, 2);
    return suite_run(suite);
}
