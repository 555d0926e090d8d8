/* SPDX-License-Identifier: BSD-2-Clause */
/* The config language for UDP: what is accepted, what it means, and that a dump says the same. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>

#include "conf_texts.h"
#include "suite.h"

static const char every_form[] =
    "defaults = { udp_timeout = \"30s\"; ttl = 3; source_port = 99; interface = \"eth9\"; };\n"
    "rules = {\n"
    " dns = { listen = [ \"0.0.0.0:53\", \"udp:0.0.0.0:53\" ]; upstream = \"10.0.0.1:53\";\n"
    "         interface = \"eth1\"; udp_replies = 1; on_limit = \"evict\"; persist = \"crash\"; "
    "};\n"
    " name = { listen = \"udp:*:54-55\"; upstream = \"udp:dns.example:54-55\"; };\n"
    " path = { listen = ({ address = \"udp:[::1]:56\"; max_connections = 7; });\n"
    "          upstream = \"unix:/run/x\"; };\n"
    " passed = { listen = \"systemd:x\"; upstream = \"10.0.0.1:57\"; };\n"
    " group = { listen = \"udp:239.1.2.3:5000\"; interface = [ \"eth1\", \"eth2\" ];\n"
    "           source = [ \"10.0.0.1\", \"10.0.0.2\" ];\n"
    "           upstream = { address = \"239.1.2.4:5000\"; interface = [ \"eth3\", \"eth4\" ];\n"
    "                        ttl = 4; source_port = 5353; }; };\n"
    " mixed = { listen = ( \"udp:[ff02::fb]:5353\",\n"
    "                      { address = \"udp:[ff05::2]:5353\"; interface = \"eth2\";\n"
    "                        source = \"2001:DB8:0::1\"; },\n"
    "                      \"0.0.0.0:5353\" );\n"
    "           interface = \"eth1\"; upstream = \"10.0.0.1:5353\"; };\n"
    " cast = { listen = ( \"udp:0.0.0.0:67\", { address = \"udp:10.0.0.1:66\";\n"
    "                     broadcast = false; }, \"udp:255.255.255.255:68\" );\n"
    "          interface = \"eth1\"; broadcast = true; upstream = \"255.255.255.255:69\"; };\n"
    " many = { listen = \"udp:127.0.0.1:70\"; upstream = ( \"10.0.0.1:71\", \"10.0.0.2:72\",\n"
    "          { address = \"10.0.0.255:73\"; broadcast = true; },\n"
    "          { address = \"239.1.2.5:74\"; interface = \"eth5\"; } ); };\n"
    " range = { listen = \"udp:239.1.3.1:80-82\"; upstream = \"udp:[ff05::9]:90-92\"; };\n"
    " one = { listen = \"udp:127.0.0.1:75\"; upstream = [ \"host.example:75\" ]; };\n"
    " way = { listen = \"udp:127.0.0.1:76\";\n"
    "         upstream = { address = \"10.0.0.1:76\"; interface = \"eth1\"; }; };\n"
    " plain = { listen = \"udp:127.0.0.1:77\"; upstream = { address = \"10.0.0.1:77\"; }; };\n"
    "};";

enum { DNS, NAME, PATH, PASSED, GROUP, MIXED, CAST, MANY, RANGE, ONE, WAY, PLAIN };

START_TEST(protocols_are_the_addresses_own)
{
    struct conf *conf = load(every_form);
    const struct conf_rule *r = conf->rules;

    ck_assert_int_eq(r[DNS].listens[0].protocol, PROTOCOL_STREAM);
    ck_assert_str_eq(r[DNS].listens[0].text, "0.0.0.0:53");
    ck_assert_int_eq(r[DNS].listens[1].protocol, PROTOCOL_DATAGRAM);
    ck_assert_str_eq(r[DNS].listens[1].text, "udp:0.0.0.0:53%eth1");
    ck_assert_int_eq(r[DNS].upstream_protocol, PROTOCOL_EITHER);
    ck_assert_uint_eq(r[DNS].target_count, 0);
    ck_assert_int_eq(r[DNS].options.udp_timeout, 30000);
    ck_assert_uint_eq(r[DNS].options.udp_replies, 1);
    ck_assert_int_eq(r[DNS].options.on_limit, ON_LIMIT_EVICT);
    ck_assert_int_eq(r[DNS].options.persist, PERSIST_CRASH);

    ck_assert_int_eq(r[NAME].upstream_kind, ADDR_NAME);
    ck_assert_int_eq(r[NAME].upstream_protocol, PROTOCOL_DATAGRAM);
    ck_assert_uint_eq(r[NAME].listen_count, 2);
    ck_assert_str_eq(r[NAME].listens[1].text, "udp:*:55%eth9");
    ck_assert_int_eq(r[NAME].listens[1].address.family, AF_INET6);
    ck_assert_uint_eq(r[NAME].listens[1].address.port, 55);
    ck_assert_uint_eq(r[NAME].listens[1].upstream_port, 55);
    ck_assert_int_eq(r[PATH].upstream_kind, ADDR_PATH);
    ck_assert_uint_eq(r[PATH].listens[0].max_connections, 7);
    ck_assert_str_eq(r[PATH].listens[0].text, "udp:[::1]:56%eth9");
    ck_assert_int_eq(r[PASSED].listens[0].protocol, PROTOCOL_EITHER);
    ck_assert_int_eq(r[PASSED].options.udp_timeout, 30000);
    conf_unref(conf);
}
END_TEST

START_TEST(interfaces_and_sources_are_taken_apart)
{
    struct conf *conf = load(every_form);
    const struct conf_listen *l = &conf->rules[GROUP].listens[0];
    struct in6_addr v6;

    ck_assert_str_eq(l->text, "udp:239.1.2.3:5000%eth1,eth2<10.0.0.1,10.0.0.2");
    ck_assert_str_eq(l->interface, "eth1,eth2");
    ck_assert_uint_eq(l->interfaces.count, 2);
    ck_assert_str_eq(l->interfaces.list[0], "eth1");
    ck_assert_str_eq(l->interfaces.list[1], "eth2");
    ck_assert_uint_eq(l->source_count, 2);
    ck_assert_int_eq(l->sources[1].family, AF_INET);
    ck_assert_uint_eq(l->sources[1].v4.s_addr, inet_addr("10.0.0.2"));
    ck_assert_uint_eq(l->sources[1].port, 0);

    l = conf->rules[MIXED].listens;
    ck_assert_str_eq(l[0].text, "udp:[ff02::fb]:5353%eth1");
    ck_assert_uint_eq(l[0].source_count, 0);
    ck_assert_str_eq(l[1].text, "udp:[ff05::2]:5353%eth2<2001:db8::1");
    ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::1", &v6), 1);
    ck_assert_int_eq(l[1].sources[0].family, AF_INET6);
    ck_assert_mem_eq(&l[1].sources[0].v6, &v6, sizeof(v6));
    ck_assert_str_eq(l[2].text, "0.0.0.0:5353");
    ck_assert_ptr_null(l[2].interface); /* of a rule's interface TCP knows nothing */
    ck_assert_uint_eq(l[2].interfaces.count, 0);
    conf_unref(conf);
}
END_TEST

/* What makes another socket of it is in the name. */
START_TEST(broadcasts_are_taken_where_that_was_said)
{
    struct conf *conf = load(every_form);
    const struct conf_listen *l = conf->rules[CAST].listens;

    ck_assert(l[0].broadcast);
    ck_assert_str_eq(l[0].text, "udp:0.0.0.0:67+broadcast%eth1");
    ck_assert(!l[1].broadcast);
    ck_assert_str_eq(l[1].text, "udp:10.0.0.1:66%eth1");
    ck_assert_str_eq(l[1].interfaces.list[0], "eth1");
    ck_assert(l[2].broadcast);
    ck_assert_str_eq(l[2].text, "udp:255.255.255.255:68%eth1");
    ck_assert(!conf->rules[DNS].listens[1].broadcast);
    ck_assert_str_eq(conf->rules[DNS].listens[1].interfaces.list[0], "eth1");
    ck_assert_str_eq(conf->rules[NAME].listens[0].interfaces.list[0], "eth9");
    conf_unref(conf);
}
END_TEST

START_TEST(targets_are_lists_groups_broadcasts_and_what_is_behind_an_interface)
{
    struct conf *conf = load(every_form);
    const struct conf_rule *r = conf->rules;
    const struct conf_target *t = r[GROUP].targets;

    ck_assert_uint_eq(r[GROUP].target_count, 1);
    ck_assert_int_eq(r[GROUP].upstream_protocol, PROTOCOL_DATAGRAM);
    ck_assert_str_eq(r[GROUP].upstream_text, "239.1.2.4:5000%eth3,eth4");
    ck_assert_uint_eq(t->ttl, 4);
    ck_assert_uint_eq(t->source_port, 5353);
    ck_assert_uint_eq(t->interfaces.count, 2);
    ck_assert_str_eq(t->interfaces.list[1], "eth4");
    ck_assert_uint_eq(t->address.port, 5000);
    ck_assert(addr_equal(&t->address, &r[GROUP].upstream));

    ck_assert_uint_eq(r[CAST].target_count, 1);
    ck_assert(r[CAST].targets[0].broadcast);
    ck_assert_ptr_null(r[CAST].targets[0].interface); /* that of the rule is for its listeners */
    ck_assert_uint_eq(r[CAST].targets[0].ttl, 1);
    ck_assert_uint_eq(r[CAST].targets[0].source_port, 99);

    t = r[MANY].targets;
    ck_assert_uint_eq(r[MANY].target_count, 4);
    ck_assert_str_eq(r[MANY].upstream_text, "10.0.0.1:71 and 3 more");
    ck_assert_uint_eq(r[MANY].listens[0].upstream_port, 71);
    ck_assert_uint_eq(t[1].address.port, 72);
    ck_assert(!t[1].broadcast && t[2].broadcast && !t[3].broadcast);
    ck_assert_uint_eq(t[0].ttl, 1);
    ck_assert_uint_eq(t[3].ttl, 3);
    ck_assert_uint_eq(t[0].source_port, 99);

    ck_assert_uint_eq(r[RANGE].target_count, 1);
    ck_assert_uint_eq(r[RANGE].targets[0].address.port, 0);
    ck_assert_uint_eq(r[RANGE].listens[2].upstream_port, 92);
    ck_assert_uint_eq(r[ONE].target_count, 0);
    ck_assert_str_eq(r[ONE].upstream_name, "host.example");
    ck_assert_uint_eq(r[WAY].target_count, 1);
    ck_assert_uint_eq(r[WAY].targets[0].source_port, 0);
    ck_assert_uint_eq(r[PLAIN].target_count, 0);
    ck_assert_str_eq(r[PLAIN].upstream_text, "10.0.0.1:77");
    conf_unref(conf);
}
END_TEST

START_TEST(the_dump_is_read_back_the_same)
{
    struct conf *conf = load(every_form);

    for (size_t i = 0; i < conf->rule_count; i++) {
        const struct conf_rule *rule = &conf->rules[i];
        char *dump = dumped_rules(conf, &rule, 1);
        struct conf *again = load(dump);
        const struct conf_rule *read = &again->rules[0];
        char *again_dump = dumped(again);

        ck_assert_str_eq(again_dump, dump);
        ck_assert_uint_eq(read->listen_count, rule->listen_count);
        ck_assert_uint_eq(read->target_count, rule->target_count);
        for (size_t j = 0; j < rule->listen_count; j++)
            ck_assert_str_eq(read->listens[j].text, rule->listens[j].text);
        for (size_t j = 0; j < rule->target_count; j++)
            ck_assert(addr_equal(&read->targets[j].address, &rule->targets[j].address));
        conf_unref(again);
        free(again_dump);
        free(dump);
    }
    conf_unref(conf);
}
END_TEST

START_TEST(the_dump_has_what_matters)
{
    struct conf *conf = load(every_form);
    const struct conf_rule *rule = &conf->rules[GROUP];
    char *dump = dumped_rules(conf, &rule, 1);

    ck_assert_ptr_nonnull(strstr(dump, "                address = \"udp:239.1.2.3:5000\";\n"
                                       "                interface = [ \"eth1\", \"eth2\" ];\n"
                                       "                source = [ \"10.0.0.1\", \"10.0.0.2\" ];\n"
                                       "            }\n"
                                       "        );\n"
                                       "        upstream = (\n"
                                       "            {\n"
                                       "                address = \"239.1.2.4:5000\";\n"
                                       "                interface = [ \"eth3\", \"eth4\" ];\n"
                                       "                ttl = 4;\n"
                                       "                source_port = 5353;\n"
                                       "            }\n"
                                       "        );\n"));
    ck_assert_ptr_null(strstr(dump, "keepalive")); /* there are no connections */
    ck_assert_ptr_null(strstr(dump, "backlog"));
    free(dump);
    rule = &conf->rules[RANGE];
    dump = dumped_rules(conf, &rule, 1);
    ck_assert_ptr_nonnull(strstr(dump, "address = \"udp:239.1.3.1:80-82\";"));
    ck_assert_ptr_nonnull(strstr(dump, "address = \"[ff05::9]:90-92\";"));
    free(dump);
    conf_unref(conf);
}
END_TEST

START_TEST(a_session_of_udp_has_one_descriptor)
{
    struct conf *conf =
        load("defaults = { max_connections = 10; };\n"
             "rules = {\n"
             "  a = { listen = [ \"udp:*:80\", \"udp:*:81\" ]; upstream = \"h:1\"; };\n"
             "  b = { listen = [ \"udp:*:82\", \"*:82\" ]; upstream = \"h:1\"; };\n"
             "  c = { listen = \"systemd:c\"; upstream = \"h:1\"; };\n"
             "};");

    ck_assert_uint_eq(conf_descriptors_promised(conf), (10 + 2) + (20 + 2) + (20 + 1));
    conf_unref(conf);
}
END_TEST

/* What is the defaults' and has no effect in a rule is as if it had never been set. */
START_TEST(defaults_without_effect_are_forgotten)
{
    struct conf *conf =
        load("defaults = { udp_timeout = 9; udp_replies = 9; ttl = 9; source_port = 9;\n"
             "  interface = \"eth1\"; source = \"10.0.0.1\"; broadcast = true;\n"
             "  persist = \"crash\"; on_limit = \"wait\"; idle_timeout = 9; backlog = 9; };\n"
             "rules = { tcp = { listen = \"*:80\"; upstream = \"h:1\"; };\n"
             " udp = { listen = \"udp:[::]:80\"; upstream = \"h:1\"; };\n"
             " both = { listen = [ \"*:81\", \"udp:*:81\" ]; upstream = \"h:1\"; };\n"
             " evict = { listen = \"*:82\"; upstream = \"h:1\"; on_limit = \"reset\"; }; };");
    const struct conf_options *tcp = &conf->rules[0].options, *udp = &conf->rules[1].options;
    const struct conf_options *both = &conf->rules[2].options;

    ck_assert_int_eq(tcp->udp_timeout, 120000);
    ck_assert_uint_eq(tcp->udp_replies, 0);
    ck_assert_uint_eq(tcp->ttl, 1);
    ck_assert_int_eq(tcp->on_limit, ON_LIMIT_WAIT);
    ck_assert_int_eq(tcp->persist, PERSIST_CRASH);
    ck_assert_ptr_null(conf->rules[0].listens[0].interface);
    ck_assert_int_eq(udp->udp_timeout, 9000);
    ck_assert_int_eq(udp->on_limit, ON_LIMIT_DROP);
    ck_assert_int_eq(udp->persist, PERSIST_RESTART);
    ck_assert_uint_eq(udp->source_port, 0);
    ck_assert_int_eq(udp->idle_timeout, 0);
    ck_assert_uint_eq(conf->rules[1].listens[0].backlog, 0);
    ck_assert_int_eq(both->idle_timeout, 9000);
    ck_assert_uint_eq(both->backlog, 9);
    ck_assert_str_eq(conf->rules[1].listens[0].interface, "eth1");
    ck_assert_ptr_null(conf->rules[1].listens[0].source);
    ck_assert(!conf->rules[1].listens[0].broadcast);
    ck_assert_int_eq(both->on_limit, ON_LIMIT_WAIT);
    ck_assert_int_eq(both->persist, PERSIST_CRASH);
    ck_assert(!conf->rules[2].listens[0].broadcast);
    ck_assert(conf->rules[2].listens[1].broadcast);
    conf_unref(conf);
}
END_TEST

START_TEST(what_could_be_taken_for_a_conflict_is_none)
{
    conf_unref(
        load("rules = {\n"
             " a = { listen = [ \"0.0.0.0:80\", \"udp:0.0.0.0:80\", \"udp:[::]:80\" ];\n"
             "       upstream = \"h:1\"; };\n"
             " b = { listen = [ \"127.0.0.1:81\", \"udp:*:81\" ]; upstream = \"h:1\"; };\n"
             " c = { listen = [ \"udp:239.1.2.3:5\", \"udp:239.1.2.4:5\", \"udp:10.0.0.1:5\" ];\n"
             "       upstream = \"h:1\"; };\n"
             " d = { listen = \"udp:239.1.2.3:5\"; interface = \"eth1\"; upstream = \"h:1\"; };\n"
             " e = { listen = \"udp:239.1.2.3:5\"; source = \"10.0.0.1\"; upstream = \"h:1\"; };\n"
             " f = { listen = \"udp:*:67\"; broadcast = true; upstream = \"h:1\"; };\n"
             " g = { listen = [ \"udp:0.0.0.0:67\", \"udp:239.1.2.3:67\" ]; broadcast = true;\n"
             "       interface = \"eth1\"; upstream = \"h:1\"; };\n"
             " h = { listen = [ \"udp:[ff02::1]:68\", \"udp:[ff02::2]:68\", \"udp:0.0.0.0:68\" ];\n"
             "       interface = \"eth1\"; upstream = \"h:1\"; };\n"
             "};"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf udp");
    TCase *tcase = tcase_create("texts");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, protocols_are_the_addresses_own);
    tcase_add_test(tcase, interfaces_and_sources_are_taken_apart);
    tcase_add_test(tcase, broadcasts_are_taken_where_that_was_said);
    tcase_add_test(tcase, targets_are_lists_groups_broadcasts_and_what_is_behind_an_interface);
    tcase_add_test(tcase, the_dump_is_read_back_the_same);
    tcase_add_test(tcase, the_dump_has_what_matters);
    tcase_add_test(tcase, a_session_of_udp_has_one_descriptor);
    tcase_add_test(tcase, defaults_without_effect_are_forgotten);
    tcase_add_test(tcase, what_could_be_taken_for_a_conflict_is_none);
    return suite_run(suite);
}
