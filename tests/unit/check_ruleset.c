/* SPDX-License-Identifier: BSD-2-Clause */
/* A config that becomes the one at work: all of it, or nothing, or but the rules that could not. */
#include "config.h"

#include <check.h>

#include "descriptors.h"
#include "memory.h"
#include "suite.h"
#include "world.h"

/* --- what is at work -------------------------------------------------------------------------- */

#define LISTENERS_MAX 16

struct at_work {
    const struct listener *listener;
    const struct conf_listen *conf;
    const struct rule *rule;
    uint64_t socket;
};

struct state {
    const struct conf *conf;
    struct at_work listeners[LISTENERS_MAX];
    size_t count;
};

static bool shares_its_port(int fd)
{
    socklen_t size = sizeof(int);
    int is;

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is, &size), 0);
    return is;
}

static struct state state_of(const struct world *w)
{
    struct state state = {.conf = w->set.conf};

    for (size_t i = 0; i < w->set.count; i++) {
        ck_assert(w->set.rules[i]->running);
        list_for_each (link, next, &w->set.rules[i]->listeners) {
            const struct listener *l = container_of(link, struct listener, link);
            struct at_work *a = &state.listeners[state.count++];

            ck_assert_uint_le(state.count, LISTENERS_MAX);
            *a = (struct at_work){.listener = l, .conf = l->conf, .rule = l->rule};
            ck_assert_ptr_eq(l->rule, w->set.rules[i]);
            ck_assert_int_eq(sock_id(l->fd, &a->socket), 0);
            ck_assert(!shares_its_port(l->fd));
        }
    }
    ck_assert_uint_eq(state.count, w->set.listeners);
    return state;
}

static void same_state(const struct state *a, const struct state *b)
{
    ck_assert_ptr_eq(a->conf, b->conf);
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        ck_assert_ptr_eq(a->listeners[i].listener, b->listeners[i].listener);
        ck_assert_ptr_eq(a->listeners[i].conf, b->listeners[i].conf);
        ck_assert_ptr_eq(a->listeners[i].rule, b->listeners[i].rule);
        ck_assert_uint_eq(a->listeners[i].socket, b->listeners[i].socket);
    }
}

static const struct at_work *listening_on(const struct state *state, unsigned port)
{
    for (size_t i = 0; i < state->count; i++) {
        if (state->listeners[i].conf->address.port == port)
            return &state->listeners[i];
    }
    return NULL;
}

/* Each of them serves its next client, in its rule. */
static void all_serve(struct world *w, const struct state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        struct session *s;
        int fd = world_client(w, state->listeners[i].conf->address.port, STAGE_RELAY, &s);

        ck_assert_ptr_eq(s->rule, state->listeners[i].rule);
        ck_assert_ptr_eq(s->listener, state->listeners[i].listener);
        session_end_now(s, END_KILLED);
        close(fd);
    }
    world_turn(w);
}

/* --- from one config to another --------------------------------------------------------------- */

#define PORT_STAYS   20001
#define PORT_KEPT    20002
#define PORT_MOVES   20003
#define PORT_GOES    20004
#define PORT_NEW     20005
#define PORT_TAKER   20006
#define PORT_ALL     (26000u + (unsigned)getpid() % 6000u) /* nobody else's on any address */
#define PORT_BLOCKED 20008
#define PORT_UP      21001
#define PORT_UP_2    21002

struct change {
    struct world w;
    int upstreams[2];
    struct conf *before, *after;
    struct state old;
};

static struct conf *conf_before(void)
{
    const char *h = own_host();

    return conf_of("rules = {"
                   "stays = { listen = \"%s:%u\"; upstream = \"%s:%u\"; };"
                   "gives = { listen = [\"%s:%u\", \"%s:%u\"]; upstream = \"%s:%u\"; };"
                   "goes = { listen = \"%s:%u\"; upstream = \"%s:%u\"; on_change = \"drain:1h\"; };"
                   "all = { listen = \"0.0.0.0:%u\"; upstream = \"%s:%u\"; }; };",
                   h, PORT_STAYS, h, PORT_UP, h, PORT_KEPT, h, PORT_MOVES, h, PORT_UP, h, PORT_GOES,
                   h, PORT_UP, PORT_ALL, h, PORT_UP);
}

/* An address goes to another rule; one is added, one removed; one is bound where another was bound
 * on all; and clients of one rule go elsewhere. */
static struct conf *conf_after(void)
{
    const char *h = own_host();

    return conf_of("rules = {"
                   "all = { listen = \"%s:%u\"; upstream = \"%s:%u\"; };"
                   "taker = { listen = [\"%s:%u\", \"%s:%u\"]; upstream = \"%s:%u\"; };"
                   "gives = { listen = [\"%s:%u\", \"%s:%u\"]; upstream = \"%s:%u\"; };"
                   "stays = { listen = \"%s:%u\"; upstream = \"%s:%u\"; max_connections = 3; }; };",
                   h, PORT_ALL, h, PORT_UP, h, PORT_MOVES, h, PORT_TAKER, h, PORT_UP, h, PORT_KEPT,
                   h, PORT_NEW, h, PORT_UP_2, h, PORT_STAYS, h, PORT_UP);
}

static void change_begin(struct change *c)
{
    struct ruleset_changes changes;

    world_begin(&c->w);
    c->upstreams[0] = upstream_at(PORT_UP, 1000);
    c->upstreams[1] = upstream_at(PORT_UP_2, 1000);
    c->before = conf_before();
    c->after = conf_after();
    ck_assert_int_eq(world_apply(&c->w, c->before, &changes), 0);
    ck_assert_uint_eq(changes.added, 4);
    ck_assert_uint_eq(changes.failed, 0);
    c->old = state_of(&c->w);
    ck_assert_uint_eq(c->old.count, 5);
}

static void change_end(struct change *c)
{
    world_end(&c->w);
    conf_unref(c->before);
    conf_unref(c->after);
    close(c->upstreams[0]);
    close(c->upstreams[1]);
}

/* All of the new config is there, and what was there before is the same socket still. */
static void is_after(struct change *c, const struct state *old)
{
    static const unsigned both[] = {PORT_STAYS, PORT_KEPT, PORT_MOVES};
    struct state new = state_of(&c->w);

    ck_assert_ptr_eq(new.conf, c->after);
    ck_assert_uint_eq(c->w.set.count, 4);
    ck_assert_uint_eq(new.count, 6);
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        const struct at_work *before = listening_on(old, both[i]),
                             *after = listening_on(&new, both[i]);

        ck_assert_ptr_nonnull(after);
        if (before)
            ck_assert_uint_eq(after->socket, before->socket);
    }
    ck_assert_str_eq(listening_on(&new, PORT_MOVES)->rule->conf->name, "taker");
    ck_assert_int_eq(client_of(PORT_GOES), -1);
    for (size_t i = 0; i < c->w.set.count; i++)
        ck_assert_ptr_eq(c->w.set.rules[i]->conf->conf, c->after);
    all_serve(&c->w, &new);
}

START_TEST(a_config_becomes_another)
{
    int descriptors = count_descriptors();
    struct ruleset_changes changes;
    struct change c;

    change_begin(&c);
    all_serve(&c.w, &c.old);
    ck_assert_int_eq(world_apply(&c.w, c.after, &changes), 0);
    ck_assert_uint_eq(changes.added, 1);
    ck_assert_uint_eq(changes.removed, 1);
    ck_assert_uint_eq(changes.changed, 3);
    ck_assert_uint_eq(changes.failed, 0);
    is_after(&c, &c.old);
    change_end(&c);
    ck_assert_int_eq(count_descriptors(), descriptors);
}
END_TEST

/* --- memory that runs out --------------------------------------------------------------------- */

/* A rule is the new one, or what it was. Returns how many of the config are not the new one. */
static size_t each_rule_is_whole(const struct change *c)
{
    const struct state now = state_of(&c->w);
    size_t former = 0, new = 0;

    for (size_t i = 0; i < c->w.set.count; i++) {
        const struct rule *r = c->w.set.rules[i];
        size_t count = 0;

        list_for_each (link, next, &r->listeners) {
            const struct listener *l = container_of(link, struct listener, link);

            ck_assert_ptr_eq(l->conf->rule, r->conf);
            count++;
        }
        ck_assert_uint_eq(count, r->conf->listen_count);
        former += r->conf->conf == c->before;
        new += r->conf->conf == c->after;
        for (size_t j = 0; j < now.count && r->conf->conf == c->before; j++) {
            const struct at_work *a = &now.listeners[j];

            if (a->rule == r)
                ck_assert_uint_eq(a->socket, listening_on(&c->old, a->conf->address.port)->socket);
        }
    }
    ck_assert_uint_eq(former + new, c->w.set.count);
    ck_assert_uint_le(new, c->after->rule_count);
    return c->after->rule_count - new;
}

/* An address on its way to a rule that could not be added is nobody's meanwhile. Returns whether
 * any was refused. */
static bool apply_without_memory(long given, bool once)
{
    int descriptors = count_descriptors(), error;
    struct ruleset_changes changes;
    struct session *s;
    struct change c;
    struct state now;
    bool refused;
    int client;

    change_begin(&c);
    client = world_client(&c.w, PORT_GOES, STAGE_RELAY, &s);
    memory_runs_out(given, once);
    error = world_apply(&c.w, c.after, &changes);
    refused = memory_is_back();
    now = state_of(&c.w);
    if (error) {
        ck_assert_int_eq(error, -ENOMEM);
        ck_assert_int_eq(memory.live, 0);
        same_state(&c.old, &now);
    } else {
        ck_assert_uint_eq(each_rule_is_whole(&c), changes.failed);
    }
    all_serve(&c.w, &now);
    ck_assert(!s->ended);
    ck_assert(refused || error == 0);

    /* and then there is memory */
    ck_assert_int_eq(world_apply(&c.w, c.after, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    is_after(&c, &now);
    ck_assert(!s->ended);
    close(client);
    change_end(&c);
    ck_assert_int_eq(count_descriptors(), descriptors);
    return refused;
}

START_TEST(without_memory_all_or_nothing_or_whole_rules)
{
    long given = 0;

    while (apply_without_memory(given, _i == 1))
        given++;
    ck_assert_int_gt(given, 30); /* the diff, tables, a plan, rules, listeners */
}
END_TEST

/* --- a rule that can't change ----------------------------------------------------------------- */

START_TEST(a_rule_that_cannot_have_an_address_stays_and_so_does_who_wants_one_of_its)
{
    int descriptors = count_descriptors(), blocker = upstream_at(PORT_BLOCKED, 1);
    const char *h = own_host();
    struct ruleset_changes changes;
    struct change c;
    struct conf *conf;
    struct state now;

    change_begin(&c);
    conf = conf_of("rules = {"
                   "gives = { listen = [\"%s:%u\", \"%s:%u\"]; upstream = \"%s:%u\"; };"
                   "taker = { listen = [\"%s:%u\", \"%s:%u\"]; upstream = \"%s:%u\"; };"
                   "stays = { listen = \"%s:%u\"; upstream = \"%s:%u\"; }; };",
                   h, PORT_KEPT, h, PORT_BLOCKED, h, PORT_UP, h, PORT_MOVES, h, PORT_TAKER, h,
                   PORT_UP, h, PORT_STAYS, h, PORT_UP);
    ck_assert_int_eq(world_apply(&c.w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed,
                      2); /* the one, and the new one that was to have its address */
    ck_assert_uint_eq(changes.added, 0);
    ck_assert_uint_eq(changes.removed, 2);
    now = state_of(&c.w);
    ck_assert_uint_eq(now.count, 3);
    ck_assert_uint_eq(listening_on(&now, PORT_MOVES)->socket,
                      listening_on(&c.old, PORT_MOVES)->socket);
    ck_assert_str_eq(listening_on(&now, PORT_MOVES)->rule->conf->name, "gives");
    all_serve(&c.w, &now);
    close(blocker);

    /* nobody is in the way any more */
    ck_assert_int_eq(world_apply(&c.w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    now = state_of(&c.w);
    ck_assert_uint_eq(now.count, 5);
    ck_assert_uint_eq(listening_on(&now, PORT_MOVES)->socket,
                      listening_on(&c.old, PORT_MOVES)->socket);
    ck_assert_str_eq(listening_on(&now, PORT_MOVES)->rule->conf->name, "taker");
    all_serve(&c.w, &now);
    conf_unref(conf);
    change_end(&c);
    ck_assert_int_eq(count_descriptors(), descriptors);
}
END_TEST

/* An address on all of the machine is opened beside two that are to go; the second stays. */
START_TEST(who_is_opened_beside_several_waits_for_all_of_them)
{
    int descriptors = count_descriptors(), blocker = upstream_at(PORT_BLOCKED, 1);
    const char *h = own_host();
    struct ruleset_changes changes;
    struct conf *before, *after;
    struct state now;
    struct world w;

    world_begin(&w);
    before = conf_of("rules = {"
                     "a = { listen = \"%s:%u\"; upstream = \"%s:%u\"; };"
                     "b = { listen = \"127.0.0.1:%u\"; upstream = \"%s:%u\"; }; };",
                     h, PORT_ALL, h, PORT_UP, PORT_ALL, h, PORT_UP);
    after = conf_of("rules = {"
                    "all = { listen = \"0.0.0.0:%u\"; upstream = \"%s:%u\"; };"
                    "a = { listen = \"%s:%u\"; upstream = \"%s:%u\"; };"
                    "b = { listen = \"%s:%u\"; upstream = \"%s:%u\"; }; };",
                    PORT_ALL, h, PORT_UP, h, PORT_NEW, h, PORT_UP, h, PORT_BLOCKED, h, PORT_UP);
    ck_assert_int_eq(world_apply(&w, before, &changes), 0);
    ck_assert_int_eq(world_apply(&w, after, &changes), 0);
    ck_assert_uint_eq(changes.failed, 2); /* b, and all because of it */
    now = state_of(&w);
    ck_assert_uint_eq(now.count, 2);
    ck_assert_str_eq(listening_on(&now, PORT_NEW)->rule->conf->name, "a");
    ck_assert_str_eq(listening_on(&now, PORT_ALL)->rule->conf->name, "b");
    close(blocker);

    ck_assert_int_eq(world_apply(&w, after, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    now = state_of(&w);
    ck_assert_uint_eq(now.count, 3);
    ck_assert_str_eq(listening_on(&now, PORT_ALL)->rule->conf->name, "all");
    world_end(&w);
    conf_unref(before);
    conf_unref(after);
    ck_assert_int_eq(count_descriptors(), descriptors);
}
END_TEST

/* --- many rules ------------------------------------------------------------------------------- */

#define MANY            300
#define PORT_MANY       22000
#define PORT_MANY_OTHER 23000

/* Questions asked while planning; they must not be as many as there are pairs of rules. */
static unsigned long questions;

void *__real_table_find(const struct table *t, const char *key);
void *__wrap_table_find(const struct table *t, const char *key);
bool __real_conf_listens_overlap(const struct conf_listen *a, const struct conf_listen *b);
bool __wrap_conf_listens_overlap(const struct conf_listen *a, const struct conf_listen *b);

void *__wrap_table_find(const struct table *t, const char *key)
{
    questions++;
    return __real_table_find(t, key);
}

bool __wrap_conf_listens_overlap(const struct conf_listen *a, const struct conf_listen *b)
{
    questions++;
    return __real_conf_listens_overlap(a, b);
}

/* Each rule has a port, from `first` on; the last one has `last`. */
static struct conf *conf_of_many(unsigned first, unsigned last)
{
    const char *h = own_host();
    struct conf_errors errors;
    struct conf *conf;
    size_t size;
    char *text;
    FILE *f = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(f);
    fputs("rules = {", f);
    for (unsigned i = 0; i < MANY; i++)
        fprintf(f, "r%u = { listen = \"%s:%u\"; upstream = \"%s:%u\"; };\n", i, h,
                i == MANY - 1 ? last : first + i, h, PORT_UP);
    fputs("};\n", f);
    ck_assert_int_eq(fclose(f), 0);
    conf = conf_load_text("c", text, size, &errors);
    ck_assert_ptr_nonnull(conf);
    conf_errors_free(&errors);
    free(text);
    return conf;
}

static void apply_many(struct world *w, unsigned first, unsigned last, size_t failed)
{
    struct conf *conf = conf_of_many(first, last);
    struct ruleset_changes changes;

    questions = 0;
    ck_assert_int_eq(world_apply(w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, failed);
    ck_assert_uint_eq(w->set.listeners, MANY);
    ck_assert_msg(questions < 50 * MANY, "%lu questions for %d rules", questions, MANY);
    conf_unref(conf);
}

START_TEST(one_of_many_that_fails_is_no_reason_to_compare_them_all)
{
    int blocker = upstream_at(PORT_BLOCKED, 1);
    struct world w;

    world_begin(&w);
    apply_many(&w, PORT_MANY, PORT_MANY + MANY - 1, 0);
    apply_many(&w, PORT_MANY_OTHER, PORT_BLOCKED, 1); /* one fails, of all that are new */
    apply_many(&w, PORT_MANY, PORT_MANY + MANY - 1, 0);
    apply_many(&w, PORT_MANY + 1, PORT_BLOCKED, MANY); /* each waits for the next */
    world_end(&w);
    close(blocker);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ruleset");
    TCase *tcase = tcase_create("ruleset");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, a_config_becomes_another);
    tcase_add_loop_test(tcase, without_memory_all_or_nothing_or_whole_rules, 0, 2);
    tcase_add_test(tcase,
                   a_rule_that_cannot_have_an_address_stays_and_so_does_who_wants_one_of_its);
    tcase_add_test(tcase, who_is_opened_beside_several_waits_for_all_of_them);
    tcase_add_test(tcase, one_of_many_that_fails_is_no_reason_to_compare_them_all);
    return suite_run(suite);
}
