/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything live to a snapshot and back to work, in one process: two worlds, one after the other.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>

#include "daemon/handover.h"
#include "descriptors.h"
#include "flow/drain.h"
#include "flow/move.h"
#include "handover_life.h"
#include "snapshot_same.h"
#include "suite.h"
#include "world.h"

/* --- what is known of them -------------------------------------------------------------------- */

/* A session without what it points to. */
struct facts {
    struct session s;
    size_t held[2];
    char rule[32], listen[64];
};

struct known {
    struct facts sessions[CLIENTS];
    unsigned count;
    uint64_t next_id, served, refused;
};

static void know(struct known *known, const struct world *w)
{
    known->count = 0;
    list_for_each (link, next, &w->worker.sessions) {
        const struct session *s = container_of(link, struct session, link);
        struct facts *f = &known->sessions[known->count++];

        f->s = *s;
        f->held[CLIENT] = move_held(s, CLIENT);
        f->held[UPSTREAM] = move_held(s, UPSTREAM);
        snprintf(f->rule, sizeof(f->rule), "%s", s->rule->conf->name);
        snprintf(f->listen, sizeof(f->listen), "%s", s->conf->text);
    }
    known->next_id = w->worker.next_id;
    known->served = w->worker.served;
    known->refused = w->worker.refused;
}

static void same_facts(const struct facts *a, const struct facts *b)
{
    ck_assert_uint_eq(a->s.id, b->s.id);
    ck_assert_str_eq(a->rule, b->rule);
    ck_assert_str_eq(a->listen, b->listen);
    ck_assert_int_eq(a->s.listener == NULL, b->s.listener == NULL);
    ck_assert_int_eq(a->s.stage, b->s.stage);
    ck_assert_int_eq(a->s.connected, b->s.connected);
    ck_assert_uint_eq(a->s.connect_ms, b->s.connect_ms);
    ck_assert_int_eq(a->s.error, b->s.error);
    ck_assert_int_eq(a->s.keepalive, b->s.keepalive);
    ck_assert_int_eq(a->s.half.phase, b->s.half.phase);
    ck_assert_int_eq(a->s.drain_at == 0, b->s.drain_at == 0);
    if (a->s.half.phase != PHASE_RELAYING)
        ck_assert_int_eq(a->s.half_end, b->s.half_end);
    same_addr(&a->s.client, &b->s.client);
    ck_assert_int_eq(a->s.upstream.family, b->s.upstream.family);
    ck_assert_int_eq(a->s.timer.place == 0, b->s.timer.place == 0);
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        ck_assert_int_eq(a->s.half.dir[side], b->s.half.dir[side]);
        ck_assert_int_eq(a->s.reset[side], b->s.reset[side]);
        ck_assert_int_eq(a->s.fd[side] < 0, b->s.fd[side] < 0);
        ck_assert_uint_eq(a->s.flow[side].bytes, b->s.flow[side].bytes);
        ck_assert_int_eq(a->s.flow[side].splicing, b->s.flow[side].splicing);
        ck_assert_uint_eq(a->held[side], b->held[side]);
    }
}

static void same_known(const struct known *a, const struct known *b)
{
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->next_id, b->next_id);
    ck_assert_uint_eq(a->served, b->served);
    ck_assert_uint_eq(a->refused, b->refused);
    for (unsigned i = 0; i < a->count; i++)
        same_facts(&a->sessions[i], &b->sessions[i]);
}

/* Counters of one rule, such as time would bring. */
static void count_much(struct world *w, struct rule *rule)
{
    atomic_store(&rule->account.bytes_in, 123456789012);
    atomic_store(&rule->account.bytes_out, 210987654321);
    atomic_store(&rule->account.ended[END_DONE], 17);
    atomic_store(&rule->account.ended[END_CLIENT_RESET], 4);
    atomic_store(&rule->account.refused[END_LIMIT], 2);
    atomic_store(&rule->account.refused[END_NO_DESCRIPTORS], 1);
    atomic_fetch_add(&rule->account.opened, 21);
    for (uint64_t ms = 0; ms < 100000000; ms = 3 * ms + 1) {
        histogram_add(&rule->account.connect, ms);
        histogram_add(&rule->account.lasted, 2 * ms);
    }
    w->worker.served = 21;
    w->worker.refused = 3;
}

static void same_histograms(const struct histogram *a, const struct histogram *b)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        ck_assert_uint_eq(atomic_load(&a->counts[i]), atomic_load(&b->counts[i]));
    ck_assert_uint_eq(atomic_load(&a->sum_ms), atomic_load(&b->sum_ms));
}

/* `before`: its account then. */
static void has_counted(const struct rule *rule, const struct account *before)
{
    const struct account *a = &rule->account;

    ck_assert_uint_eq(atomic_load(&a->opened), atomic_load(&before->opened));
    for (enum end end = 0; end < ENDS; end++)
        ck_assert_uint_eq(atomic_load(&a->refused[end]), atomic_load(&before->refused[end]));
    same_histograms(&a->connect, &before->connect);
    same_histograms(&a->lasted, &before->lasted);
    ck_assert_uint_eq(atomic_load(&rule->account.bytes_in), 123456789012);
    ck_assert_uint_eq(atomic_load(&rule->account.bytes_out), 210987654321);
    for (enum end end = 0; end < ENDS; end++)
        ck_assert_uint_eq(atomic_load(&rule->account.ended[end]), end == END_DONE           ? 17
                                                                  : end == END_CLIENT_RESET ? 4
                                                                                            : 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* That the life above is as full as it is meant to be. */
static void is_full(const struct snapshot *s)
{
    unsigned dialing = 0, kept = 0, half = 0, draining = 0, flushed = 0, gone = 0;

    for (uint32_t i = 0; i < s->session_count; i++) {
        const struct snap_session *from = &s->sessions[i];

        dialing += from->stage == SNAP_DIAL && from->dial.addr_count == 1;
        kept += from->flow[CLIENT].kept_size > 0;
        half += from->half.dir[CLIENT] == DIR_SHUT || from->half.dir[UPSTREAM] == DIR_SHUT;
        draining += from->drain_ms != UINT64_MAX;
        flushed += from->half.phase == PHASE_FLUSHING_CLIENT;
        gone += from->listener == SNAP_NONE;
    }
    ck_assert_uint_eq(s->session_count, CLIENTS);
    ck_assert_uint_eq(s->conf_count, 2);
    ck_assert_uint_eq(s->rule_count, 6);
    ck_assert_uint_eq(s->listener_count, 4);
    ck_assert_uint_eq(dialing, 1);
    ck_assert_uint_eq(kept, 2);
    ck_assert_uint_eq(half, 2);
    ck_assert_uint_eq(draining, 1);
    ck_assert_uint_eq(flushed, 1);
    ck_assert_uint_eq(gone, 2);
}

START_TEST(what_is_restored_is_what_was_saved)
{
    static const enum rule_state states[] = {RULE_PAUSED, RULE_RUNNING, RULE_DRAINING,
                                             RULE_RUNNING};
    int descriptors = count_descriptors();
    struct inheritance in;
    struct inherited got;
    struct account account;
    struct snapshot again;
    struct arena *arena;
    struct known before, after;
    struct brought b;
    struct handover h;
    struct life life;

    life_begin(&life);
    live(&life);
    count_much(&life.w, life.w.set.rules[1]);
    account = life.w.set.rules[1]->account;
    rule_pause(life.w.set.rules[0]);
    ck_assert_int_eq(rule_drain(life.w.set.rules[2]), 0);
    know(&before, &life.w);
    carry(&life, &in, &b);
    is_full(&in.snapshot);
    ck_assert_pstr_eq(handover_restore(&life.w.set, &in, &got), NULL);
    ck_assert_uint_eq(got.sessions, CLIENTS);
    ck_assert_uint_eq(got.listeners, 4);
    ck_assert_uint_eq(got.lost, 0);
    all_is_taken(&b);
    know(&after, &life.w);
    same_known(&before, &after);
    has_counted(life.w.set.rules[1], &account);
    for (size_t i = 0; i < life.w.set.count; i++)
        ck_assert_int_eq(life.w.set.rules[i]->state, states[i]);
    ck_assert_int_ne(drain_due(session_of(&life.w, &life.clients[DIALING])), 0);
    ck_assert_str_eq(life.w.set.rules[1]->conf->name, "bulk");

    ck_assert_int_eq(handover_save(&life.w.set, &h), 0);
    arena = read_back(&h, &again);
    take_over_differences(&in.snapshot, &again);
    same_snapshot(&in.snapshot, &again);
    handover_free(&h);
    arena_free(arena);

    all_arrives(&life.w, &life.clients[KEPT]);
    all_arrives(&life.w, &life.clients[BULK]);
    all_arrives(&life.w, &life.clients[OLD]);
    all_arrives(&life.w, &life.clients[LOCAL]);
    arena_free(in.arena);
    life_end(&life);
    ck_assert_int_eq(count_descriptors(), descriptors);
}
END_TEST

START_TEST(one_whose_descriptor_is_missing_is_reset)
{
    int descriptors = count_descriptors();
    struct inheritance in;
    struct inherited got;
    struct brought b;
    struct life life;
    char byte;

    life_begin(&life);
    apply(&life.w, conf_second());
    begin(&life, IDLE, PORT_PLAIN);
    begin(&life, KEPT, PORT_PLAIN);
    carry(&life, &in, &b);
    close(b.fds[b.count - 1].fd); /* the upstream's of the second */
    b.fds[b.count - 1].fd = -1;
    ck_assert_pstr_eq(handover_restore(&life.w.set, &in, &got), NULL);
    ck_assert_uint_eq(got.sessions, 1);
    ck_assert_uint_eq(got.lost, 1);
    ck_assert_uint_eq(atomic_load(&life.w.set.rules[0]->account.opened), 2);
    ck_assert_uint_eq(atomic_load(&life.w.set.rules[0]->account.ended[END_ERROR]), 1);
    ck_assert_int_eq(recv(life.clients[KEPT].fd, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    all_arrives(&life.w, &life.clients[IDLE]);
    all_is_taken(&b);
    arena_free(in.arena);
    life_end(&life);
    ck_assert_int_eq(count_descriptors(), descriptors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handover");
    TCase *tcase = tcase_create("handover");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, what_is_restored_is_what_was_saved);
    tcase_add_test(tcase, one_whose_descriptor_is_missing_is_reset);
    return suite_run(suite);
}
