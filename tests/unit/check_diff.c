/* SPDX-License-Identifier: BSD-2-Clause */
/* What a new config changes, in words: a line a rule. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/diff.h"
#include "conf_words.h"
#include "memory.h"
#include "suite.h"

/* --- configs to rules ------------------------------------------------------------------------ */

#define SNAPSHOTS_MAX 3

/* The rules of a few snapshots together. */
struct rules {
    struct conf *confs[SNAPSHOTS_MAX];
    size_t conf_count;
    const struct conf_rule **list;
    size_t count;
};

static void add_rules(struct rules *rules, const char *text)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_text("c", text, strlen(text), &errors);
    char *words = said(&errors);

    ck_assert_msg(conf != NULL, "%s", words);
    free(words);
    conf_errors_free(&errors);
    ck_assert_uint_lt(rules->conf_count, SNAPSHOTS_MAX);
    rules->confs[rules->conf_count++] = conf;
    rules->list = reallocarray(rules->list, rules->count + conf->rule_count, sizeof(*rules->list));
    ck_assert_ptr_nonnull(rules->list);
    for (size_t i = 0; i < conf->rule_count; i++)
        rules->list[rules->count++] = &conf->rules[i];
}

/* The rules of texts up to NULL, each of which is what stands in the group `rules`. */
static struct rules rules_of(const char *const *texts)
{
    struct rules rules = {.conf_count = 0};

    for (; *texts != NULL; texts++) {
        char *text = NULL;

        ck_assert_int_gt(asprintf(&text, "rules = {\n%s\n};\n", *texts), 0);
        add_rules(&rules, text);
        free(text);
    }
    return rules;
}

static void free_rules(struct rules *rules)
{
    for (size_t i = 0; i < rules->conf_count; i++)
        conf_unref(rules->confs[i]);
    free(rules->list);
}

static void add_count(FILE *out, const char *what, size_t count)
{
    if (count > 0)
        fprintf(out, " %s=%zu", what, count);
}

static void add_words(FILE *out, const struct diff_rule *d)
{
    fprintf(out, "%s:", d->new != NULL ? d->new->name : d->old->name);
    if (diff_rule_is_unchanged(d))
        fputs(" unchanged", out);
    if (d->old == NULL)
        fputs(" added", out);
    if (d->new == NULL)
        fputs(" removed", out);
    if (d->options_changed)
        fputs(" options", out);
    if (d->upstream_changed)
        fputs(" upstream", out);
    add_count(out, "kept", d->kept);
    add_count(out, "opened", d->opened);
    add_count(out, "closed", d->closed);
    add_count(out, "in", d->moved_in);
    add_count(out, "out", d->moved_out);
    fputc('\n', out);
}

static char *words_of(const struct conf_diff *diff)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(out);
    for (size_t i = 0; i < diff->rule_count; i++)
        add_words(out, &diff->rules[i]);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

/* --- the table ------------------------------------------------------------------------------- */

#define A(more) "a = { listen = \"127.0.0.1:1\"; upstream = \"192.0.2.1:1\"; " more "};\n"
#define B(more) "b = { listen = \"127.0.0.1:2\"; upstream = \"192.0.2.1:2\"; " more "};\n"
#define C(more) "c = { listen = \"127.0.0.1:3\"; upstream = \"192.0.2.1:3\"; " more "};\n"

#define RULE(name, listen, upstream)                                                               \
    name " = { listen = " listen "; upstream = \"" upstream "\"; };\n"

/* A rule whose datagrams go there. */
#define TO(upstream) "a = { listen = \"udp:*:1\"; upstream = " upstream "; };\n"

/* A group of one address, with options. */
#define ADDRESS(address, options) "({ address = \"" address "\"; " options " })"

static const struct {
    const char *old[SNAPSHOTS_MAX + 1];
    const char *new[SNAPSHOTS_MAX + 1];
    const char *words;
} changes[] = {
    /* rules come, go and stay */
    {{A() B()}, {A() B()}, "a: unchanged kept=1\nb: unchanged kept=1\n"},
    {{A()}, {B() A()}, "b: added opened=1\na: unchanged kept=1\n"},
    {{C() A() B()}, {A()}, "a: unchanged kept=1\nc: removed closed=1\nb: removed closed=1\n"},
    {{A() B() C()},
     {C() A() B()},
     "c: unchanged kept=1\na: unchanged kept=1\nb: unchanged kept=1\n"},
    {{A()}, {B()}, "b: added opened=1\na: removed closed=1\n"},
    {{NULL}, {A()}, "a: added opened=1\n"},
    {{A()}, {NULL}, "a: removed closed=1\n"},
    {{NULL}, {NULL}, ""},

    /* options of a rule: one of each type, and what is written otherwise but means the same */
    {{A()}, {A("max_connections = 9; ")}, "a: options kept=1\n"},
    {{A()}, {A("max_connections = 256; ")}, "a: unchanged kept=1\n"},
    {{A("idle_timeout = \"1h\"; ")}, {A("idle_timeout = \"60min\"; ")}, "a: unchanged kept=1\n"},
    {{A("idle_timeout = \"1h\"; ")}, {A()}, "a: options kept=1\n"},
    {{A()}, {A("keepalive = false; ")}, "a: options kept=1\n"},
    {{A()}, {A("keepalive_idle = 7; ")}, "a: options kept=1\n"},
    {{A()}, {A("on_limit = \"wait\"; ")}, "a: options kept=1\n"},
    {{A()}, {A("on_change = \"drain:1s\"; ")}, "a: options kept=1\n"},
    {{A("on_change = \"drain:1s\"; ")}, {A("on_change = \"drain:2s\"; ")}, "a: options kept=1\n"},
    {{A()}, {A("persist = \"crash\"; ")}, "a: options kept=1\n"},
    {{A() B()}, {A() B("relay = \"copy\"; ")}, "a: unchanged kept=1\nb: options kept=1\n"},

    /* options of an address; of one that comes or goes they are no change of the rule's options */
    {{RULE("a", ADDRESS("*:1", "max_connections = 4;"), "h:1")},
     {RULE("a", ADDRESS("*:1", "max_connections = 5;"), "h:1")},
     "a: options kept=1\n"},
    {{RULE("a", ADDRESS("*:1", "max_connections = 4;"), "h:1")},
     {RULE("a", "\"*:1\"", "h:1")},
     "a: options kept=1\n"},
    {{RULE("a", "\"*:1\"", "h:1")},
     {RULE("a", ADDRESS("*:1", "backlog = 5;"), "h:1")},
     "a: options kept=1\n"},
    {{RULE("a", "\"*:1\"", "h:1")},
     {RULE("a", ADDRESS("*:1", "backlog = 0;"), "h:1")},
     "a: unchanged kept=1\n"},
    {{RULE("a", "\"unix:/x\"", "h:1")},
     {RULE("a", ADDRESS("unix:/x", "socket_mode = \"0600\";"), "h:1")},
     "a: options kept=1\n"},
    {{RULE("a", ADDRESS("unix:/x", "socket_owner = \"root\";"), "h:1")},
     {RULE("a", ADDRESS("unix:/x", "socket_owner = \"daemon\";"), "h:1")},
     "a: options kept=1\n"},
    {{RULE("a", ADDRESS("unix:/x", "socket_group = \"root\";"), "h:1")},
     {RULE("a", "\"unix:/x\"", "h:1")},
     "a: options kept=1\n"},
    {{RULE("a", ADDRESS("unix:/x", "socket_owner = \"root\"; socket_group = \"adm\";"), "h:1")},
     {RULE("a", ADDRESS("unix:/x", "socket_group = \"adm\"; socket_owner = \"root\";"), "h:1")},
     "a: unchanged kept=1\n"},
    {{RULE("a", "\"*:1\"", "h:1")},
     {RULE("a", ADDRESS("*:2", "backlog = 5;"), "h:1")},
     "a: opened=1 closed=1\n"},

    /* upstreams */
    {{RULE("a", "\"*:1\"", "192.0.2.1:1")},
     {RULE("a", "\"*:1\"", "192.0.2.2:1")},
     "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "192.0.2.1:1")},
     {RULE("a", "\"*:1\"", "192.0.2.1:2")},
     "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "192.0.2.1:1")},
     {RULE("a", "\"*:1\"", "tcp:192.0.2.1:1")},
     "a: unchanged kept=1\n"},
    {{RULE("a", "\"*:1\"", "[2001:db8::1]:1")},
     {RULE("a", "\"*:1\"", "[2001:db8:0::1]:1")},
     "a: unchanged kept=1\n"},
    {{RULE("a", "\"*:1\"", "[fe80::1%1]:1")},
     {RULE("a", "\"*:1\"", "[fe80::1%2]:1")},
     "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "127.0.0.1:2")},
     {RULE("a", "\"*:1\"", "localhost:2")},
     "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "one.example:1")},
     {RULE("a", "\"*:1\"", "two.example:1")},
     "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "one.example:1")},
     {RULE("a", "\"*:1\"", "One.EXAMPLE:1")},
     "a: unchanged kept=1\n"},
    {{RULE("a", "\"*:1\"", "one.example:1")},
     {RULE("a", "\"*:1\"", "one.example:2")},
     "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "unix:/x")}, {RULE("a", "\"*:1\"", "unix:/y")}, "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "unix:/x")}, {RULE("a", "\"*:1\"", "unix:@/x")}, "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "unix:/x")}, {RULE("a", "\"*:1\"", "unix:/x")}, "a: unchanged kept=1\n"},
    {{RULE("a", "\"*:1\"", "unix:/x")}, {RULE("a", "\"*:1\"", "h:1")}, "a: upstream kept=1\n"},
    {{RULE("a", "\"*:1\"", "h:1")},
     {RULE("a", "\"*:2\"", "h:2")},
     "a: upstream opened=1 closed=1\n"},

    /* ranges, port by port */
    {{RULE("a", "\"127.0.0.1:10-19\"", "h:20-29")},
     {RULE("a", "\"127.0.0.1:10-19\"", "h:30-39")},
     "a: upstream kept=10\n"},
    {{RULE("a", "\"127.0.0.1:10-19\"", "h:20-29")},
     {RULE("a", "\"127.0.0.1:11-20\"", "h:20-29")},
     "a: upstream kept=9 opened=1 closed=1\n"},
    {{RULE("a", "\"127.0.0.1:10-19\"", "h:20-29")},
     {RULE("a", "\"127.0.0.1:10-14\"", "h:20-24")},
     "a: upstream kept=5 closed=5\n"},
    {{RULE("a", "\"127.0.0.1:10-19\"", "h:20")},
     {RULE("a", "\"127.0.0.1:10-14\"", "h:20")},
     "a: kept=5 closed=5\n"},
    {{RULE("a", "\"127.0.0.1:10-11\"", "h:20")},
     {RULE("a", "[ \"127.0.0.1:11\", \"127.0.0.1:10\" ]", "h:20")},
     "a: unchanged kept=2\n"},
    {{RULE("a", "\"127.0.0.1:10-19\"", "h:20-29")},
     {RULE("a", "\"127.0.0.1:10-19\"", "h:20")},
     "a: upstream kept=10\n"},

    /* addresses are opened, closed and moved */
    {{RULE("a", "\"*:1\"", "h:1")},
     {RULE("a", "[ \"*:1\", \"unix:@x\" ]", "h:1")},
     "a: kept=1 opened=1\n"},
    {{RULE("a", "[ \"*:1\", \"unix:/x\" ]", "h:1")},
     {RULE("a", "\"*:1\"", "h:1")},
     "a: kept=1 closed=1\n"},
    {{RULE("a", "\"*:1\"", "h:1")}, {RULE("a", "\"0.0.0.0:1\"", "h:1")}, "a: opened=1 closed=1\n"},
    {{RULE("a", "\"unix:/x\"", "h:1")},
     {RULE("a", "\"unix:@/x\"", "h:1")},
     "a: opened=1 closed=1\n"},
    {{RULE("a", "\"systemd:x\"", "h:1")},
     {RULE("a", "\"systemd:x\"", "h:1")},
     "a: unchanged kept=1\n"},
    {{RULE("a", "\"systemd:x\"", "h:1") RULE("b", "\"systemd:y\"", "h:1")},
     {RULE("a", "\"systemd:y\"", "h:1") RULE("b", "\"systemd:x\"", "h:1")},
     "a: in=1 out=1\nb: in=1 out=1\n"},
    {{RULE("a", "[ \"*:1\", \"unix:/x\" ]", "h:1") RULE("b", "\"*:2\"", "h:1")},
     {RULE("a", "\"*:1\"", "h:1") RULE("b", "[ \"*:2\", \"unix:/x\" ]", "h:1")},
     "a: kept=1 out=1\nb: kept=1 in=1\n"},
    {{RULE("a", "\"*:1\"", "h:1") RULE("b", "\"*:2\"", "h:1")},
     {RULE("b", "[ \"*:1\", \"*:2\", \"*:3\" ]", "h:1")},
     "b: kept=1 opened=1 in=1\na: removed out=1\n"},
    {{RULE("a", "[ \"*:1\", \"*:2\" ]", "h:1")},
     {RULE("b", "\"*:1\"", "h:2")},
     "b: added in=1\na: removed closed=1 out=1\n"},

    /* datagrams: who shares an address is told apart by the way, as is what makes another
     * socket of it */
    {{RULE("a", "\"*:1\"", "1.2.3.4:1")},
     {RULE("a", "[ \"*:1\", \"udp:*:1\" ]", "1.2.3.4:1")},
     "a: kept=1 opened=1\n"},
    {{RULE("a", ADDRESS("udp:239.1.2.3:1", "interface = \"eth1\";"), "h:1")},
     {RULE("a", ADDRESS("udp:239.1.2.3:1", "interface = [ \"eth1\", \"eth2\" ];"), "h:1")},
     "a: opened=1 closed=1\n"},
    {{RULE("a", ADDRESS("udp:239.1.2.3:1", "source = \"10.0.0.1\";"), "h:1")},
     {RULE("a", ADDRESS("udp:239.1.2.3:1", ""), "h:1")},
     "a: opened=1 closed=1\n"},
    {{RULE("a", ADDRESS("udp:0.0.0.0:1", "interface = \"eth1\"; broadcast = true;"), "h:1")},
     {RULE("a", ADDRESS("udp:0.0.0.0:1", "interface = \"eth1\";"), "h:1")},
     "a: opened=1 closed=1\n"},
    {{RULE("a", ADDRESS("udp:0.0.0.0:1", "interface = \"eth1\";"), "h:1")},
     {RULE("a", ADDRESS("udp:0.0.0.0:1", "interface = \"eth2\";"), "h:1")},
     "a: opened=1 closed=1\n"},
    {{RULE("a", ADDRESS("udp:10.0.0.1:1", ""), "h:1")},
     {RULE("a", ADDRESS("udp:10.0.0.1:1", "interface = \"eth1\";"), "h:1")},
     "a: opened=1 closed=1\n"},
    {{RULE("a", ADDRESS("udp:0.0.0.0:1", "broadcast = true;"), "h:1")},
     {RULE("a", ADDRESS("udp:0.0.0.0:1", ""), "h:1")},
     "a: opened=1 closed=1\n"},
    {{TO("\"1.2.3.4:1\"; udp_timeout = 5")}, {TO("\"1.2.3.4:1\"")}, "a: options kept=1\n"},
    {{TO("\"1.2.3.4:1\"; udp_replies = 5")}, {TO("\"1.2.3.4:1\"")}, "a: options kept=1\n"},

    /* targets */
    {{TO("[ \"1.2.3.4:1\", \"1.2.3.5:1\" ]")},
     {TO("( \"1.2.3.4:1\", { address = \"udp:1.2.3.5:1\"; } )")},
     "a: unchanged kept=1\n"},
    {{TO("[ \"1.2.3.4:1\", \"1.2.3.5:1\" ]")}, {TO("\"1.2.3.4:1\"")}, "a: upstream kept=1\n"},
    {{TO("[ \"1.2.3.4:1\", \"1.2.3.5:1\" ]")},
     {TO("[ \"1.2.3.4:1\", \"1.2.3.5:2\" ]")},
     "a: upstream kept=1\n"},
    {{TO("\"1.2.3.4:1\"")},
     {TO("{ address = \"1.2.3.4:1\"; interface = \"eth1\"; }")},
     "a: upstream kept=1\n"},
    {{TO("{ address = \"239.1.2.3:1\"; interface = \"eth1\"; }")},
     {TO("{ address = \"239.1.2.3:1\"; interface = \"eth2\"; }")},
     "a: upstream kept=1\n"},
    {{TO("\"239.1.2.3:1\"")}, {TO("\"239.1.2.3:1\"; ttl = 2")}, "a: upstream kept=1\n"},
    {{TO("\"239.1.2.3:1\"; ttl = 2")},
     {TO("{ address = \"239.1.2.3:1\"; ttl = 2; }")},
     "a: unchanged kept=1\n"},
    {{TO("\"239.1.2.3:1\"")}, {TO("\"239.1.2.3:1\"; source_port = 2")}, "a: upstream kept=1\n"},
    {{TO("\"10.0.0.255:1\"")},
     {TO("{ address = \"10.0.0.255:1\"; broadcast = true; }")},
     "a: upstream kept=1\n"},

    /* rules at work come from several snapshots */
    {{A(), B()}, {B() A()}, "b: unchanged kept=1\na: unchanged kept=1\n"},
    {{A("max_connections = 4; "), B(), C()},
     {A() B() RULE("d", "\"127.0.0.1:3\"", "h:1")},
     "a: options kept=1\nb: unchanged kept=1\nd: added in=1\nc: removed out=1\n"},
};

START_TEST(a_change_is_told)
{
    struct rules old = rules_of(changes[_i].old), new = rules_of(changes[_i].new);
    struct conf_diff diff;

    ck_assert_int_eq(conf_diff(&diff, old.list, old.count, new.list, new.count), 0);
    char *words = words_of(&diff);
    ck_assert_str_eq(words, changes[_i].words);
    free(words);
    conf_diff_free(&diff);
    ck_assert_ptr_null(diff.rules);
    free_rules(&old);
    free_rules(&new);
}
END_TEST

/* Against itself too, where old and new are the same pointers. */
START_TEST(no_config_differs_from_itself)
{
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct rules rules = rules_of(changes[i].old);
        struct conf_diff diff;

        ck_assert_int_eq(conf_diff(&diff, rules.list, rules.count, rules.list, rules.count), 0);
        ck_assert_uint_eq(diff.rule_count, rules.count);
        for (size_t j = 0; j < diff.rule_count; j++) {
            ck_assert(diff_rule_is_unchanged(&diff.rules[j]));
            ck_assert_uint_eq(diff.rules[j].kept, rules.list[j]->listen_count);
        }
        conf_diff_free(&diff);
        free_rules(&rules);
    }
}
END_TEST

START_TEST(the_other_listen_of_an_address_is_found)
{
    static const char *const old_text[] = {
        RULE("a", "[ \"*:1\", \"*:2\" ]", "h:1") RULE("b", "\"127.0.0.1:10-11\"", "h:20-21"), NULL};
    static const char *const new_text[] = {RULE("b", "[ \"127.0.0.1:11-12\" ]", "h:20-21")
                                               RULE("c", "[ \"*:1\", \"*:3\" ]", "H:1"),
                                           NULL};
    struct rules old = rules_of(old_text), new = rules_of(new_text);
    const struct conf_listen *a = old.list[0]->listens, *b = old.list[1]->listens;
    const struct conf_listen *new_b = new.list[0]->listens, *c = new.list[1]->listens;
    struct conf_diff diff;

    ck_assert_int_eq(conf_diff(&diff, old.list, old.count, new.list, new.count), 0);
    ck_assert_ptr_eq(conf_diff_new(&diff, &a[0]), &c[0]);
    ck_assert_ptr_eq(conf_diff_old(&diff, &c[0]), &a[0]);
    ck_assert_ptr_null(conf_diff_new(&diff, &a[1]));
    ck_assert_ptr_null(conf_diff_old(&diff, &c[1]));
    ck_assert_ptr_eq(conf_diff_new(&diff, &b[1]), &new_b[0]);
    ck_assert(!diff_upstream_changed(&a[0], &c[0]));    /* it went to a rule with that upstream */
    ck_assert(diff_upstream_changed(&b[1], &new_b[0])); /* it led to 21, and now to 20 */
    conf_diff_free(&diff);
    free_rules(&old);
    free_rules(&new);
}
END_TEST

static char *many_rules(int changed)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    ck_assert_ptr_nonnull(out);
    for (int i = 0; i < 10000; i++)
        fprintf(out, "r%d = { listen = \"127.0.%d.%d:80\"; upstream = \"h:%d\"; };\n", i, i / 256,
                i % 256, i == changed ? 2 : 1);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(one_rule_of_ten_thousand_is_found)
{
    char *old_text = many_rules(-1), *new_text = many_rules(7777);
    struct rules old = rules_of((const char *const[]){old_text, NULL});
    struct rules new = rules_of((const char *const[]){new_text, NULL});
    struct conf_diff diff;

    ck_assert_int_eq(conf_diff(&diff, old.list, old.count, new.list, new.count), 0);
    ck_assert_uint_eq(diff.rule_count, 10000);
    for (size_t i = 0; i < diff.rule_count; i++)
        ck_assert(diff_rule_is_unchanged(&diff.rules[i]) == (i != 7777));
    ck_assert_ptr_eq(diff.rules[7777].new, new.list[7777]);
    ck_assert(diff.rules[7777].upstream_changed && !diff.rules[7777].options_changed);
    conf_diff_free(&diff);
    free_rules(&old);
    free_rules(&new);
    free(old_text);
    free(new_text);
}
END_TEST

/* Wherever memory runs out, all that was taken is given back. */
START_TEST(without_memory_nothing_is_left_behind)
{
    static const char *const old_text[] = {A() B(), C(), NULL}, *const new_text[] = {C() A(), NULL};
    struct rules old = rules_of(old_text), new = rules_of(new_text);
    struct conf_diff diff;
    long given = -1;
    int error;

    do {
        given++;
        memory_runs_out(given, false);
        error = conf_diff(&diff, old.list, old.count, new.list, new.count);
        if (error == 0)
            conf_diff_free(&diff);
        ck_assert_int_eq(error, memory_is_back() ? -ENOMEM : 0);
        ck_assert_int_eq(memory.live, 0);
        ck_assert_ptr_null(diff.rules);
    } while (error != 0);
    ck_assert_int_gt(given, 10); /* tables, and an entry for each name and address */
    free_rules(&old);
    free_rules(&new);
}
END_TEST

START_TEST(what_is_not_unique_is_refused)
{
    static const char *const text[] = {A(), RULE("a", "\"*:2\"", "h:1"), NULL};
    static const char *const address[] = {A(), RULE("b", "\"127.0.0.1:1\"", "h:1"), NULL};
    struct rules rules = rules_of(text), others = rules_of(address);
    struct conf_diff diff;

    ck_assert_int_eq(conf_diff(&diff, rules.list, rules.count, NULL, 0), -EEXIST);
    ck_assert_int_eq(conf_diff(&diff, others.list, others.count, NULL, 0), -EEXIST);
    ck_assert_int_eq(conf_diff(&diff, NULL, 0, others.list, others.count), -EEXIST);
    free_rules(&rules);
    free_rules(&others);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("diff");
    TCase *tcase = tcase_create("diff");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_change_is_told, 0, (int)COUNT_OF(changes));
    tcase_add_test(tcase, no_config_differs_from_itself);
    tcase_add_test(tcase, the_other_listen_of_an_address_is_found);
    tcase_add_test(tcase, one_rule_of_ten_thousand_is_found);
    tcase_add_test(tcase, without_memory_nothing_is_left_behind);
    tcase_add_test(tcase, what_is_not_unique_is_refused);
    return suite_run(suite);
}
