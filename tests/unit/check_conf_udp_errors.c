/* SPDX-License-Identifier: BSD-2-Clause */
/* The config language for UDP: what is refused or warned of, by its exact words and lines. */
#include "config.h"

#include <check.h>

#include "conf_texts.h"
#include "suite.h"

/* Rules, from line 1 on, and what is said of them. */
static const struct {
    const char *rules, *errors;
} wrong[] = {
    /* schemes */
    {"a = { listen = \"udp:*:1\"; upstream = \"tcp:h:1\"; };\n"
     "b = { listen = [ \"*:2\",\n\"systemd:x\" ]; upstream = \"udp:h:1\"; };\n"
     "c = { listen = \"unix:/x\"; upstream = \"udp:h:1\"; };",
     "c:1: rule \"a\": listen \"udp:*:1\" is for UDP but upstream \"tcp:h:1\" for TCP, allowed: "
     "the "
     "same, or an upstream without a scheme, which takes its listener's\n"
     "c:2: rule \"b\": listen \"*:2\" is for TCP but upstream \"udp:h:1\" for UDP, allowed: the "
     "same, or an upstream without a scheme, which takes its listener's\n"
     "c:4: rule \"c\": listen \"unix:/x\" is for TCP but upstream \"udp:h:1\" for UDP, allowed: "
     "the "
     "same, or an upstream without a scheme, which takes its listener's\n"},
    {"a = { listen = \"udp:localhost:1\"; upstream = \"h:1\"; };\n"
     "b = { listen = \"udp:/x\"; upstream = \"udp:h\"; };",
     "c:1: rule \"a\": listen \"udp:localhost:1\": a host name can't be listened on, allowed: an "
     "address such as 127.0.0.1 or [::1], or * for all\n"
     "c:2: rule \"b\": listen \"udp:/x\": a UNIX socket is written unix:/path or unix:@name\n"
     "c:2: rule \"b\": upstream \"udp:h\": the port is missing, allowed: an IPv4 address, [IPv6 "
     "address] or host name, then :PORT\n"},

    /* what TCP has not */
    {"a = { listen = [ \"*:1\",\n\"udp:*:1\" ]; upstream = [ \"1.2.3.4:1\", \"1.2.3.5:1\" ]; };\n"
     "b = { listen = \"*:2\"; upstream = \"239.1.2.3:1\"; };\n"
     "c = { listen = \"*:3\"; upstream = \"tcp:239.1.2.3:1\"; };\n"
     "d = { listen = [ \"239.1.2.3:1\",\n\"[ff02::1]:1\",\n\"255.255.255.255:1\" ]; upstream = "
     "\"h:1\"; };\n"
     "e = { listen = \"udp:*:4\"; upstream = [ \"1.2.3.4:1\",\n\"tcp:1.2.3.5:1\" ]; };",
     "c:1: rule \"a\": listen \"*:1\" is for TCP, but an upstream that is a list, a group, a "
     "broadcast address or reached through an interface is for UDP alone, allowed: udp:\n"
     "c:3: rule \"b\": listen \"*:2\" is for TCP, but an upstream that is a list, a group, a "
     "broadcast address or reached through an interface is for UDP alone, allowed: udp:\n"
     "c:4: rule \"c\": upstream \"tcp:239.1.2.3:1\": TCP has one host at the other end, allowed "
     "for "
     "groups and broadcasts: udp:\n"
     "c:5: rule \"d\": listen \"239.1.2.3:1\": TCP has no groups and no broadcasts, allowed for "
     "them: udp:\n"
     "c:6: rule \"d\": listen \"[ff02::1]:1\": TCP has no groups and no broadcasts, allowed for "
     "them: udp:\n"
     "c:7: rule \"d\": listen \"255.255.255.255:1\": TCP has no groups and no broadcasts, allowed "
     "for them: udp:\n"
     "c:9: rule \"e\": upstream \"tcp:1.2.3.5:1\": a list is for UDP alone, where every datagram "
     "goes to each, allowed: one address\n"},

    /* lists of upstreams */
    {"a = { listen = \"udp:*:1\"; upstream = (); };\n"
     "b = { listen = \"udp:*:2\"; upstream = [ \"h:1\",\n\"1.2.3.4:1-2\",\n\"unix:/x\",\n"
     "\"systemd:x\",\n\"*:1\",\n\"[::1]:1\" ]; };\n"
     "c = { listen = \"udp:*:3\"; upstream = [ \"1.2.3.4:1\",\n\"[::1]:1\",\n\"1.2.3.4:1\" ]; };\n"
     "d = { listen = \"udp:*:4\"; upstream = ( 5,\n{ adress = \"1.2.3.4:1\"; } ); };",
     "c:1: rule \"a\": upstream is a list of 0 addresses, allowed: 1 to 256\n"
     "c:2: rule \"b\": upstream \"h:1\": a list has IP addresses alone, allowed: such as "
     "192.0.2.7:53\n"
     "c:3: rule \"b\": upstream \"1.2.3.4:1-2\": an address in a list has one port\n"
     "c:4: rule \"b\": upstream \"unix:/x\": a list has IP addresses alone, allowed: such as "
     "192.0.2.7:53\n"
     "c:5: rule \"b\": upstream \"systemd:x\": a socket passed by systemd is for listen, allowed: "
     "an address or unix:/path\n"
     "c:6: rule \"b\": upstream \"*:1\": * is for listen, allowed: an address, a host name or "
     "unix:/path\n"
     "c:9: rule \"c\": upstream \"[::1]:1\": the first of the list is of the other family, "
     "allowed: "
     "all of IPv4, or all of IPv6\n"
     "c:10: rule \"c\": upstream \"1.2.3.4:1\": this address stands in the list twice\n"
     "c:11: rule \"d\": upstream must be an address in quotes such as \"192.0.2.7:22\", a group { "
     "address = \"...\"; } or for UDP a list of these\n"
     "c:12: rule \"d\": upstream: the group has no \"address\", needed: address = \"...\";\n"
     "c:12: rule \"d\": upstream: unknown option \"adress\", the nearest known one is "
     "\"address\"\n"},
    {"a = { listen = \"udp:*:1\"; upstream = ( { address = \"239.1.2.3:1\"; source_port = 5; },\n"
     "\"239.1.2.4:1\",\n{ address = \"239.1.2.5:1\"; source_port = 6; } ); };\n"
     "b = { listen = \"udp:*:2\"; upstream = { address = \"239.1.2.3:1\"; ttl = 0;\n"
     "backlog = 5; source_port = -1; broadcast = 1; }; };",
     "c:2: rule \"a\": upstream: source_port differs from that of the first of the list, allowed: "
     "the same for all, as all are sent to from one socket\n"
     "c:4: rule \"b\": upstream: ttl = 0 is out of range, allowed: 1 to 255\n"
     "c:5: rule \"b\": upstream: \"backlog\" belongs in a rule or in \"defaults\"\n"
     "c:5: rule \"b\": upstream: broadcast = 1: must be true or false\n"
     "c:5: rule \"b\": upstream: source_port = -1 is out of range, allowed: 0 to 65535\n"},

    /* the way to the upstream */
    {"a = { listen = \"udp:*:1\"; upstream = { address = \"h:1\"; interface = \"eth1\"; }; };\n"
     "b = { listen = \"udp:*:2\"; upstream = { address = \"unix:/x\"; broadcast = true; }; };\n"
     "c = { listen = \"udp:*:3\"; upstream = \"[ff02::1]:1\"; };\n"
     "d = { listen = \"udp:*:4\"; upstream = \"[ff02::1%2]:1\"; };\n"
     "e = { listen = \"udp:*:5\"; upstream = { address = \"[fe80::1%2]:1\"; interface = \"x\"; }; "
     "};\n"
     "f = { listen = \"udp:*:6\"; upstream = { address = \"239.1.2.3:1\"; broadcast = true; }; };\n"
     "g = { listen = \"udp:*:7\"; upstream = { address = \"[::1]:1\"; broadcast = true; }; };\n"
     "h = { listen = \"udp:*:8\"; upstream = \"[ff01::1]:1\"; };",
     "c:1: rule \"a\": upstream \"h:1\": interface and broadcast are for IP addresses, allowed: "
     "such "
     "as 192.0.2.7:53\n"
     "c:2: rule \"b\": upstream \"unix:/x\": interface and broadcast are for IP addresses, "
     "allowed: "
     "such as 192.0.2.7:53\n"
     "c:3: rule \"c\": upstream \"[ff02::1]:1\": this group is another one on each network, "
     "needed: "
     "{ address = \"...\"; interface = \"eth1\"; }\n"
     "c:4: rule \"d\": upstream \"[ff02::1%2]:1\": an interface has a name here, allowed: "
     "interface "
     "= \"eth1\" in place of the zone after %\n"
     "c:5: rule \"e\": upstream \"[fe80::1%2]:1\": an interface has a name here, allowed: "
     "interface "
     "= \"eth1\" in place of the zone after %\n"
     "c:6: rule \"f\": upstream \"239.1.2.3:1\": a group is no broadcast address, allowed: one of "
     "them\n"
     "c:7: rule \"g\": upstream \"[::1]:1\": IPv6 has no broadcasts, allowed: an IPv4 address, or "
     "a "
     "group such as [ff02::1]:53\n"
     "c:8: rule \"h\": upstream \"[ff01::1]:1\": this group is another one on each network, "
     "needed: "
     "{ address = \"...\"; interface = \"eth1\"; }\n"},

    /* the way to a listener */
    {"a = { listen = \"udp:[ff02::1]:1\"; upstream = \"h:1\"; };\n"
     "b = { listen = \"udp:[ff02::1%2]:1\"; upstream = \"h:1\"; };\n"
     "c = { listen = { address = \"*:1\"; interface = \"eth1\"; }; upstream = \"h:1\"; };\n"
     "d = { listen = { address = \"systemd:x\"; interface = \"eth1\"; }; upstream = \"h:1\"; };\n"
     "e = { listen = { address = \"udp:*:2\"; source = \"1.2.3.4\"; }; upstream = \"h:1\"; };\n"
     "f = { listen = { address = \"udp:[::]:3\"; broadcast = true; }; upstream = \"h:1\"; };\n"
     "g = { listen = { address = \"udp:239.1.2.3:4\"; broadcast = true; }; upstream = \"h:1\"; };\n"
     "h = { listen = { address = \"*:5\"; broadcast = false; }; upstream = \"h\"; };",
     "c:1: rule \"a\": listen \"udp:[ff02::1]:1\": this group is another one on each network, "
     "needed: interface = \"eth1\"\n"
     "c:2: rule \"b\": listen \"udp:[ff02::1%2]:1\": an interface has a name here, allowed: "
     "interface = \"eth1\" in place of the zone after %\n"
     "c:3: rule \"c\": listen \"*:1\": interface can't be set here, it is for udp: addresses\n"
     "c:4: rule \"d\": listen \"systemd:x\": interface can't be set here, it is for udp: "
     "addresses\n"
     "c:5: rule \"e\": listen \"udp:*:2\": source can't be set here, it is for udp: groups, such "
     "as "
     "udp:239.1.2.3:5000\n"
     "c:6: rule \"f\": listen \"udp:[::]:3\": broadcast can't be set here, it is for udp: "
     "addresses "
     "of IPv4 and udp:*, but not for groups\n"
     "c:7: rule \"g\": listen \"udp:239.1.2.3:4\": broadcast can't be set here, it is for udp: "
     "addresses of IPv4 and udp:*, but not for groups\n"
     "c:8: rule \"h\": upstream \"h\": the port is missing, allowed: an IPv4 address, [IPv6 "
     "address] or host name, then :PORT\n"},
    {"a = { listen = \"udp:239.1.2.3:1\"; upstream = \"h:1\";\n source = \"2001:db8::1\"; };\n"
     "b = { listen = \"udp:[ff05::1]:1\"; upstream = \"h:1\"; source = [ \"::1\", \"1.2.3.4\" ]; "
     "};\n"
     "c = { listen = [ \"*:2\", \"unix:/x\" ]; upstream = \"h:1\";\n interface = \"eth1\"; };\n"
     "d = { listen = \"udp:*:3\"; upstream = \"h:1\";\n source = \"1.2.3.4\"; };\n"
     "e = { listen = \"udp:[::]:4\"; upstream = \"h:1\";\n broadcast = true; };\n"
     "f = { listen = \"udp:*:5\"; upstream = \"h:1\"; broadcast = false; source = \"x\"; };",
     "c:1: rule \"a\": listen \"udp:239.1.2.3:1\": an IPv4 group has IPv4 senders, source is IPv6\n"
     "c:3: rule \"b\": listen \"udp:[ff05::1]:1\": an IPv6 group has IPv6 senders, source is IPv4\n"
     "c:5: rule \"c\": interface can't be set here, no address of the rule has a use for it: it is "
     "for udp: addresses\n"
     "c:7: rule \"d\": source can't be set here, no address of the rule has a use for it: it is "
     "for "
     "udp: groups, such as udp:239.1.2.3:5000\n"
     "c:9: rule \"e\": broadcast can't be set here, no address of the rule has a use for it: it is "
     "for udp: addresses of IPv4 and udp:*, but not for groups\n"
     "c:10: rule \"f\": source = \"x\" is no IP address, allowed: an IP address, or an array of up "
     "to 16\n"},

    /* two listeners on one address */
    {"a = { listen = \"udp:*:1\"; upstream = \"h:1\"; };\n"
     "b = { listen = \"udp:127.0.0.1:1\"; upstream = \"h:1\"; };\n"
     "c = { listen = { address = \"udp:*:1\"; interface = \"eth1\"; }; upstream = \"h:1\"; };\n"
     "d = { listen = \"udp:239.1.2.3:1\"; upstream = \"h:1\"; };\n"
     "e = { listen = \"udp:0.0.0.0:1\"; broadcast = true; upstream = \"h:1\"; };",
     "c:2: rule \"b\": udp:127.0.0.1:1 is taken by udp:*:1 at c:1\n"
     "c:3: rule \"c\": udp:*:1%eth1 is taken by udp:*:1 at c:1\n"
     "c:4: rule \"d\": udp:239.1.2.3:1 is taken by udp:*:1 at c:1\n"
     "c:5: rule \"e\": udp:0.0.0.0:1+broadcast is taken by udp:*:1 at c:1\n"},
    {"a = { listen = [ \"udp:239.1.2.3:1\", \"udp:0.0.0.0:2\" ]; upstream = \"h:1\";\n"
     "interface = \"eth1\"; broadcast = true; };\n"
     "b = { listen = \"udp:239.1.2.3:1\"; interface = \"eth1\"; upstream = \"h:1\"; };\n"
     "c = { listen = \"udp:0.0.0.0:1\"; upstream = \"h:1\"; };\n"
     "d = { listen = \"udp:127.0.0.1:2\"; upstream = \"h:1\"; };\n"
     "e = { listen = ( { address = \"udp:10.0.0.255:3\"; broadcast = true; interface = \"x\"; },\n"
     "\"udp:10.0.0.255:3\" ); upstream = \"h:1\"; };\n"
     "f = { listen = ( \"udp:[::1]:4\",\n{ address = \"udp:[ff02::1]:4\"; interface = \"x\"; } );\n"
     "upstream = \"h:1\"; };\n"
     "g = { listen = ( { address = \"udp:127.0.0.1:5\"; interface = \"x\"; },\n"
     "{ address = \"udp:127.0.0.1:5\"; interface = \"y\"; } ); upstream = \"h:1\"; };",
     "c:3: rule \"b\": udp:239.1.2.3:1%eth1 is taken by udp:239.1.2.3:1%eth1 at c:1\n"
     "c:4: rule \"c\": udp:0.0.0.0:1 is taken by udp:239.1.2.3:1%eth1 at c:1\n"
     "c:5: rule \"d\": udp:127.0.0.1:2 is taken by udp:0.0.0.0:2+broadcast%eth1 at c:1\n"
     "c:7: rule \"e\": udp:10.0.0.255:3 is taken by udp:10.0.0.255:3+broadcast%x at c:6\n"
     "c:9: rule \"f\": udp:[ff02::1]:4%x is taken by udp:[::1]:4 at c:8\n"
     "c:12: rule \"g\": udp:127.0.0.1:5%y is taken by udp:127.0.0.1:5%x at c:11\n"},
};

START_TEST(what_is_wrong_is_said)
{
    struct conf_errors errors;
    char *text = NULL, *words;
    struct conf *conf;

    ck_assert_int_gt(asprintf(&text, "rules = { %s };", wrong[_i].rules), 0);
    conf = conf_load_text("c", text, strlen(text), &errors);
    words = said(&errors);
    ck_assert_str_eq(words, wrong[_i].errors);
    ck_assert_ptr_null(conf);
    conf_errors_free(&errors);
    free(words);
    free(text);
}
END_TEST

#define NO_UDP   " has no effect, the rule has no udp: address to listen on\n"
#define ONLY_UDP " has no effect, the rule has udp: addresses alone"

static const struct {
    const char *rules, *warnings;
} without_effect[] = {
    {"a = { listen = \"*:1\"; upstream = \"h:1\";\n udp_timeout = 5;\n udp_replies = 1; };",
     "c:2: warning: rule \"a\": udp_timeout" NO_UDP "c:3: warning: rule \"a\": udp_replies" NO_UDP},
    {"a = { listen = \"udp:*:1\"; upstream = \"1.2.3.4:1\";\n ttl = 5;\n source_port = 1; };",
     "c:2: warning: rule \"a\": ttl has no effect, the upstream is no group\n"
     "c:3: warning: rule \"a\": source_port has no effect, the upstream is no group and no "
     "broadcast address\n"},
    {"a = { listen = \"udp:*:1\"; upstream = \"255.255.255.255:2\";\n ttl = 5; source_port = 1; };",
     "c:2: warning: rule \"a\": ttl has no effect, the upstream is no group\n"},
    {"a = { listen = \"udp:*:1\"; upstream = { address = \"h:1\";\n ttl = 5;\n source_port = 1; }; "
     "};",
     "c:2: warning: rule \"a\": ttl has no effect, this address is no group\n"
     "c:3: warning: rule \"a\": source_port has no effect, the upstream is no group and no "
     "broadcast address\n"},
    {"a = { listen = \"udp:*:1\"; upstream = ( { address = \"1.2.3.4:1\";\n ttl = 5; },\n"
     "{ address = \"1.2.3.5:1\"; interface = \"eth1\"; source_port = 0; } ); };",
     "c:2: warning: rule \"a\": ttl has no effect, this address is no group\n"
     "c:3: warning: rule \"a\": source_port has no effect, the upstream is no group and no "
     "broadcast address\n"},
    {"a = { listen = \"udp:*:1\"; upstream = \"h:1\";\n on_limit = \"wait\";\n persist = "
     "\"crash\"; "
     "};\n"
     "b = { listen = \"udp:*:2\"; upstream = \"h:1\";\n on_limit = \"reset\"; };\n"
     "c = { listen = \"*:2\"; upstream = \"h:1\";\n on_limit = \"evict\"; };",
     "c:2: warning: rule \"a\": on_limit has no effect, UDP has no connections to reset or to keep "
     "waiting, allowed for it: \"drop\", \"evict\"\n"
     "c:3: warning: rule \"a\": persist has no effect, the rule has udp: addresses alone, and UDP "
     "sessions outlive a restart, not a crash\n"
     "c:5: warning: rule \"b\": on_limit has no effect, UDP has no connections to reset or to keep "
     "waiting, allowed for it: \"drop\", \"evict\"\n"
     "c:7: warning: rule \"c\": on_limit has no effect, \"evict\" is for udp: addresses, allowed "
     "for TCP: \"drop\", \"reset\", \"wait\"\n"},
    {"a = { listen = \"udp:*:1\"; upstream = \"h:1\";\n idle_timeout = 5;\n"
     " half_close_timeout = 5;\n keepalive = false;\n keepalive_idle = 5;\n"
     " keepalive_interval = 5;\n keepalive_count = 5;\n relay = \"copy\";\n backlog = 5; };",
     "c:2: warning: rule \"a\": idle_timeout" ONLY_UDP ", for which there is udp_timeout\n"
     "c:3: warning: rule \"a\": half_close_timeout" ONLY_UDP "\n"
     "c:4: warning: rule \"a\": keepalive" ONLY_UDP "\n"
     "c:5: warning: rule \"a\": keepalive_idle" ONLY_UDP "\n"
     "c:6: warning: rule \"a\": keepalive_interval" ONLY_UDP "\n"
     "c:7: warning: rule \"a\": keepalive_count" ONLY_UDP "\n"
     "c:8: warning: rule \"a\": relay" ONLY_UDP "\n"
     "c:9: warning: rule \"a\": backlog" ONLY_UDP "\n"},
    {"a = { listen = ( { address = \"udp:*:1\";\n backlog = 5; }, \"*:1\" ); upstream = \"h:1\"; "
     "};",
     "c:2: warning: rule \"a\": backlog has no effect, this address is for UDP\n"},
};

START_TEST(what_has_no_effect_is_warned_of_and_not_dumped)
{
    char *text = NULL, *dump;
    struct conf *conf;

    ck_assert_int_gt(asprintf(&text, "rules = { %s };", without_effect[_i].rules), 0);
    conf = load_warned(text, without_effect[_i].warnings);
    dump = dumped(conf);
    conf_unref(conf);
    conf_unref(load(dump));
    free(dump);
    free(text);
}
END_TEST

START_TEST(where_they_have_an_effect_nothing_is_said)
{
    conf_unref(load(
        "rules = {\n"
        " a = { listen = [ \"*:1\", \"udp:*:1\" ]; upstream = \"h:1\"; on_limit = \"wait\";\n"
        "       persist = \"crash\"; udp_replies = 1; idle_timeout = 5; backlog = 5; };\n"
        " b = { listen = [ \"*:2\", \"udp:*:2\" ]; upstream = \"h:1\"; on_limit = \"evict\"; };\n"
        " c = { listen = \"systemd:x\"; upstream = \"h:1\"; on_limit = \"evict\";\n"
        "       udp_timeout = 1; persist = \"crash\"; idle_timeout = 5; relay = \"copy\"; };\n"
        " d = { listen = \"udp:*:3\"; upstream = [ \"1.2.3.4:1\", \"239.1.2.3:1\" ]; ttl = 5;\n"
        "       source_port = 5; };\n"
        " e = { listen = \"udp:*:4\"; upstream = \"255.255.255.255:5\"; source_port = 5; };\n"
        "};"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf udp errors");
    TCase *tcase = tcase_create("texts");

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, (int)COUNT_OF(wrong));
    tcase_add_loop_test(tcase, what_has_no_effect_is_warned_of_and_not_dumped, 0,
                        (int)COUNT_OF(without_effect));
    tcase_add_test(tcase, where_they_have_an_effect_nothing_is_said);
    return suite_run(suite);
}
