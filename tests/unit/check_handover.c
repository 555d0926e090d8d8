/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything live to a snapshot and back to work, in one process: two worlds, one after the other.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>

#include "carrier.h"
#include "daemon/handover.h"
#include "descriptors.h"
#include "flow/drain.h"
#include "flow/move.h"
#include "memory.h"
#include "snapshot_same.h"
#include "suite.h"
#include "world.h"

#define PORT_OLD   22001
#define PORT_GOES  22002
#define PORT_PLAIN 22003
#define PORT_BULK  22004
#define PORT_DIAL  22005
#define PORT_UP    23001
#define PORT_FULL  23002

/* --- a world full of life --------------------------------------------------------------------- */

enum who { OLD, GOES, IDLE, HALF, ENDED, KEPT, BULK, FLUSHED, DIALING, LOCAL, CLIENTS };

struct client {
    int fd;   /* the client's end */
    int peer; /* and the upstream's; -1: none yet */
    uint64_t id;
    size_t sent; /* by the client */
    size_t received;
    bool has_end;
};

struct life {
    struct world w;
    int up, full, local, queued[2];
    struct client clients[CLIENTS];
    unsigned count;
};

static void local_name(char *out, size_t size, const char *what)
{
    snprintf(out, size, "@penstock-test-%d-%s", (int)getpid(), what);
}

static struct conf *conf_first(void)
{
    const char *h = own_host();

    return conf_of("rules = {"
                   "old = { listen = \"%s:%u\"; upstream = \"%s:%u\"; on_change = \"keep\"; };"
                   "goes = { listen = \"%s:%u\"; upstream = \"%s:%u\"; on_change = \"drain:1h\"; };"
                   "};",
                   h, PORT_OLD, h, PORT_UP, h, PORT_GOES, h, PORT_UP);
}

static struct conf *conf_second(void)
{
    const char *h = own_host();
    char in[64], out[64];

    local_name(in, sizeof(in), "in");
    local_name(out, sizeof(out), "out");
    return conf_of(
        "rules = {"
        "plain = { listen = \"%s:%u\"; upstream = \"%s:%u\"; relay = \"copy\"; };"
        "bulk = { listen = \"%s:%u\"; upstream = \"%s:%u\"; relay = \"splice\"; };"
        "dial = { listen = \"%s:%u\"; upstream = \"%s:%u\"; connect_timeout = \"10min\"; };"
        "local = { listen = \"unix:%s\"; upstream = \"unix:%s\"; };"
        "};",
        h, PORT_PLAIN, h, PORT_UP, h, PORT_BULK, h, PORT_UP, h, PORT_DIAL, h, PORT_FULL, in, out);
}

static void apply(struct world *w, struct conf *conf)
{
    struct ruleset_changes changes;

    ck_assert_int_eq(world_apply(w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

static socklen_t local_address(struct sockaddr_storage *ss, char *name, size_t size,
                               const char *what)
{
    struct addr a = {.family = AF_UNIX, .un = {.path = name}};

    local_name(name, size, what);
    return addr_to_sockaddr(&a, ss);
}

static int local_listener(const char *what)
{
    struct sockaddr_storage ss;
    char name[64];
    socklen_t len = local_address(&ss, name, sizeof(name), what);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
    ck_assert_int_eq(listen(fd, 10), 0);
    return fd;
}

/* Whoever connects to it now waits: its backlog is full. */
static void fill_backlog(struct life *life)
{
    struct sockaddr_in in = own_address(PORT_FULL);

    for (size_t i = 0; i < COUNT_OF(life->queued); i++) {
        life->queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(life->queued[i], (struct sockaddr *)&in, sizeof(in));
    }
    ck_assert_int_eq(errno, EINPROGRESS);
}

static void life_begin(struct life *life)
{
    const int small = 16384;

    memset(life, 0, sizeof(*life));
    world_begin(&life->w);
    life->up = upstream_at(PORT_UP, 100);
    setsockopt(life->up, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    life->full = upstream_at(PORT_FULL, 0);
    life->local = local_listener("out");
    fill_backlog(life);
    for (size_t i = 0; i < CLIENTS; i++)
        life->clients[i] = (struct client){.fd = -1, .peer = -1};
}

static void life_end(struct life *life)
{
    world_end(&life->w);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (life->clients[i].fd >= 0)
            close(life->clients[i].fd);
        if (life->clients[i].peer >= 0)
            close(life->clients[i].peer);
    }
    for (size_t i = 0; i < COUNT_OF(life->queued); i++)
        close(life->queued[i]);
    close(life->up);
    close(life->full);
    close(life->local);
}

/* Its session, in whichever world. */
static struct session *session_of(const struct world *w, const struct client *c)
{
    list_for_each (link, next, &w->worker.sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->id == c->id)
            return s;
    }
    return NULL;
}

static void begin(struct life *life, enum who who, unsigned port)
{
    struct client *c = &life->clients[who];
    struct session *s;

    c->fd = world_client(&life->w, port, port == PORT_DIAL ? STAGE_DIAL : STAGE_RELAY, &s);
    if (port != PORT_DIAL) {
        c->peer = accept4(life->up, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        ck_assert_int_ge(c->peer, 0);
    }
    c->id = s->id;
    life->count++;
}

static void begin_local(struct life *life)
{
    struct client *c = &life->clients[LOCAL];
    struct counted counted = {&life->w.worker, life->w.worker.live + 1, STAGE_RELAY};
    struct sockaddr_storage ss;
    char name[64];
    socklen_t len = local_address(&ss, name, sizeof(name), "in");

    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(c->fd, (struct sockaddr *)&ss, len), 0);
    world_await(&life->w, has_begun, &counted);
    c->peer = accept4(life->local, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(c->peer, 0);
    c->id = container_of(life->w.worker.sessions.prev, struct session, link)->id;
    life->count++;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static uint8_t byte_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* A client that sends, and a peer that reads. */
struct talk {
    const struct world *w;
    struct client *c;
};

static bool send_until_held(void *arg)
{
    const struct talk *t = arg;
    const struct session *s = session_of(t->w, t->c);
    uint8_t bytes[4096];
    ssize_t n;

    do {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = byte_at(t->c->sent + i);
        n = send(t->c->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        t->c->sent += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    return errno == EAGAIN && move_held(s, CLIENT) > 0;
}

static bool receive_all(void *arg)
{
    const struct talk *t = arg;
    uint8_t bytes[65536], expected[sizeof(bytes)];
    ssize_t n;

    while ((n = recv(t->c->peer, bytes, sizeof(bytes), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            expected[i] = byte_at(t->c->received++);
        ck_assert_mem_eq(bytes, expected, (size_t)n);
    }
    t->c->has_end = n == 0;
    ck_assert(n == 0 || errno == EAGAIN);
    return t->c->has_end || t->c->received == t->c->sent;
}

static bool half_closed(void *arg)
{
    const struct talk *t = arg;
    const struct half *h = &session_of(t->w, t->c)->half;

    return h->dir[CLIENT] == DIR_SHUT || h->dir[UPSTREAM] == DIR_SHUT;
}

static void half_close(struct life *life, struct client *c, int fd)
{
    struct talk t = {&life->w, c};

    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    world_await(&life->w, half_closed, &t);
}

static void send_much(struct life *life, struct client *c)
{
    struct talk t = {&life->w, c};

    world_await(&life->w, send_until_held, &t);
}

/* What of it is on its way still comes, and nothing else. */
static void all_arrives(struct world *w, struct client *c)
{
    struct talk t = {w, c};

    world_await(w, receive_all, &t);
    ck_assert_uint_eq(c->received, c->sent);
    ck_assert(!c->has_end);
    shutdown(c->fd, SHUT_WR);
    c->sent++; /* that can't come: there is only the end */
    world_await(w, receive_all, &t);
    ck_assert(c->has_end);
}

/* The handful for which memory runs out. */
static void live_a_little(struct life *life)
{
    apply(&life->w, conf_second());
    begin(life, HALF, PORT_PLAIN);
    begin(life, KEPT, PORT_PLAIN);
    begin(life, BULK, PORT_BULK);
    begin(life, DIALING, PORT_DIAL);
    half_close(life, &life->clients[HALF], life->clients[HALF].fd);
    send_much(life, &life->clients[KEPT]);
    send_much(life, &life->clients[BULK]);
}

/* Every stage, every kind of address, and rules that live for their sessions only. */
static void live(struct life *life)
{
    struct session *s;

    apply(&life->w, conf_first());
    begin(life, OLD, PORT_OLD);
    begin(life, GOES, PORT_GOES);
    live_a_little(life);
    begin(life, IDLE, PORT_PLAIN);
    begin(life, ENDED, PORT_PLAIN);
    half_close(life, &life->clients[ENDED], life->clients[ENDED].peer);
    begin(life, FLUSHED, PORT_PLAIN);
    begin_local(life);

    /* as if its upstream had been reset just now; to bring that about takes time */
    s = session_of(&life->w, &life->clients[FLUSHED]);
    s->half.phase = PHASE_FLUSHING_CLIENT;
    s->half_end = END_UPSTREAM_RESET;
    s->error = ECONNRESET;
}

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

static void carry(struct life *life, struct inheritance *in, struct brought *b)
{
    carry_world(&life->w, in, b);
}

/* For somebody else to take: they still listen. */
static void listeners_are_left(const struct inheritance *in)
{
    for (uint32_t i = 0; i < in->snapshot.listener_count; i++) {
        int fd = in->take(in->arg, &in->snapshot.listeners[i].fd);
        struct addr bound;

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(sock_check_listening(fd, &bound), 0);
        close(fd);
    }
}

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
    Suite *suite = suite_create("handover");
    TCase *tcase = tcase_create("handover");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, what_is_restored_is_what_was_saved);
    tcase_add_test(tcase, one_whose_descriptor_is_missing_is_reset);
    tcase_add_loop_test(tcase, without_memory_to_save_nothing_is_lost, 0, 2);
    tcase_add_loop_test(tcase, without_memory_to_restore_each_session_goes_on_or_is_reset, 0, 2);
    return suite_run(suite);
}
