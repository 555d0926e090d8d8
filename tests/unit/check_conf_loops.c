/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules whose clients would be sent back to them, and rules that hear what they sent to many. */
#include "config.h"

#include <check.h>

#include "conf_texts.h"
#include "suite.h"

#define FILLS ": each client would fill the rule up to max_connections\n"

START_TEST(rules_that_are_their_own_clients_are_warned_of)
{
    static const char *const own[][2] = {
        {"192.0.2.1:80", "192.0.2.1:80"},
        {"*:80", "127.0.0.1:80"},
        {"*:80", "[::1]:80"},
        {"0.0.0.0:80", "127.9.9.9:80"},
        {"0.0.0.0:80", "0.0.0.0:80"},
        {"127.0.0.1:80", "0.0.0.0:80"},
        {"[::]:80", "[::1]:80"},
        {"[::1]:80", "[::]:80"},
        {"127.0.0.1:70-90", "127.0.0.1:80"},
        {"unix:/x", "unix:/x"},
        {"unix:@x", "unix:@x"},
        {"udp:127.0.0.1:80\"; interface = \"lo", "127.0.0.1:80"},
        {"udp:0.0.0.0:80\"; broadcast = true; interface = \"lo", "127.0.0.1:80"},
    };

    for (size_t i = 0; i < COUNT_OF(own); i++) {
        char text[256], expected[256];

        snprintf(text, sizeof(text), "rules = { a = { listen = \"%s\"; upstream = \"%s\"; }; };",
                 own[i][0], own[i][1]);
        snprintf(expected, sizeof(expected),
                 "c:1: warning: rule \"a\": upstream %s is its own listener" FILLS, own[i][1]);
        conf_unref(load_warned(text, expected));
    }
}
END_TEST

START_TEST(rules_that_send_clients_round_are_warned_of)
{
    conf_unref(load_warned(
        "rules = { a = { listen = \"*:80\"; upstream = \"127.0.0.1:81\"; };\n"
        " b = { listen = \"127.0.0.1:81\"; upstream = \"unix:/x\"; };\n"
        " c = { listen = \"unix:/x\"; upstream = \"127.0.0.1:80\"; };\n"
        " d = { listen = \"*:82\"; upstream = \"127.0.0.1:80\"; }; };",
        "c:1: warning: rule \"a\": upstream 127.0.0.1:81 is the listener at c:2, which leads back "
        "here" FILLS
        "c:2: warning: rule \"b\": upstream unix:/x is the listener at c:3, which leads back "
        "here" FILLS
        "c:3: warning: rule \"c\": upstream 127.0.0.1:80 is the listener at c:1, which leads back "
        "here" FILLS));
}
END_TEST

START_TEST(what_could_be_taken_for_a_loop_is_none)
{
    conf_unref(load("rules = {\n"
                    " a = { listen = \"*:80\"; upstream = \"192.0.2.1:80\"; };\n"
                    " b = { listen = \"0.0.0.0:81\"; upstream = \"[::1]:81\"; };\n"
                    " i = { listen = \"udp:0.0.0.0:79\"; interface = \"eth1\";\n"
                    "       upstream = \"127.0.0.1:79\"; };\n"
                    " c = { listen = \"[::]:82\"; upstream = \"127.0.0.1:82\"; };\n"
                    " d = { listen = \"127.0.0.1:83\"; upstream = \"127.0.0.2:83\"; };\n"
                    " e = { listen = \"127.0.0.1:90-98\"; upstream = \"127.0.0.1:91-99\"; };\n"
                    " f = { listen = \"unix:/x\"; upstream = \"unix:@x\"; };\n"
                    " g = { listen = \"*:84\"; upstream = \"127.0.0.1:80\"; };\n"
                    "};"));
}
END_TEST

/* --- UDP ------------------------------------------------------------------------------------- */

START_TEST(udp_goes_round_as_tcp_does_but_not_with_it)
{
    conf_unref(load_warned(
        "rules = { a = { listen = \"udp:*:80\"; upstream = \"127.0.0.1:81\"; };\n"
        " b = { listen = \"udp:127.0.0.1:81\"; upstream = \"[::1]:80\"; };\n"
        " c = { listen = \"udp:0.0.0.0:82\"; upstream = \"127.0.0.1:82\"; }; };",
        "c:1: warning: rule \"a\": upstream 127.0.0.1:81 is the listener at c:2, which leads back "
        "here" FILLS
        "c:2: warning: rule \"b\": upstream [::1]:80 is the listener at c:1, which leads back "
        "here" FILLS "c:3: warning: rule \"c\": upstream 127.0.0.1:82 is its own listener" FILLS));
    conf_unref(load("rules = {\n"
                    " a = { listen = \"udp:127.0.0.1:80\"; upstream = \"127.0.0.1:81\"; };\n"
                    " b = { listen = \"127.0.0.1:81\"; upstream = \"127.0.0.1:80\"; };\n"
                    " c = { listen = \"udp:127.0.0.1:83\"; upstream = \"unix:/x\"; };\n"
                    " d = { listen = \"unix:/x\"; upstream = \"127.0.0.1:83\"; };\n"
                    "};"));
}
END_TEST

#define ENDLESS                                                                                    \
    ", and with on_limit = \"evict\" a datagram would go round for ever, allowed: an upstream "    \
    "that "                                                                                        \
    "is elsewhere, or on_limit = \"drop\"\n"

START_TEST(datagrams_that_would_go_round_for_ever_are_refused)
{
    const char *own = "rules = { a = { listen = \"udp:127.0.0.1:80\"; upstream = \"127.0.0.1:80\"; "
                      "on_limit = \"evict\"; }; };";
    const char *both = "defaults = { on_limit = \"evict\"; };\nrules = {\n"
                       " a = { listen = \"udp:127.0.0.1:80\"; upstream = \"127.0.0.1:81\"; };\n"
                       " b = { listen = \"udp:127.0.0.1:81\"; upstream = \"127.0.0.1:80\"; };\n};";
    const char *one = "rules = {\n"
                      " a = { listen = \"udp:127.0.0.1:80\"; upstream = \"127.0.0.1:81\"; };\n"
                      " b = { listen = \"udp:127.0.0.1:81\"; upstream = \"127.0.0.1:80\"; "
                      "on_limit = \"evict\"; };\n};";
    struct conf_errors errors;
    char *words;

    ck_assert_ptr_null(conf_load_text("c", own, strlen(own), &errors));
    words = said(&errors);
    ck_assert_str_eq(words, "c:1: rule \"a\": its upstream leads back to udp:127.0.0.1:80" ENDLESS);
    free(words);
    conf_errors_free(&errors);
    ck_assert_ptr_null(conf_load_text("c", both, strlen(both), &errors));
    words = said(&errors);
    ck_assert_str_eq(words, "c:3: rule \"a\": its upstream leads back to udp:127.0.0.1:80" ENDLESS
                            "c:4: rule \"b\": its upstream leads back to udp:127.0.0.1:81" ENDLESS);
    free(words);
    conf_errors_free(&errors);
    /* one that drops is enough to end it */
    conf_unref(load_warned(
        one, "c:2: warning: rule \"a\": upstream 127.0.0.1:81 is the listener at c:3, which leads "
             "back here" FILLS
             "c:3: warning: rule \"b\": upstream 127.0.0.1:80 is the listener at c:2, which leads "
             "back here" FILLS));
}
END_TEST

#define GROUP_RULE(name, listen, in, upstream, out)                                                \
    " " name " = { listen = \"udp:" listen "\"; " in "\n upstream = { address = \"" upstream       \
    "\"; " out " }; };\n"
#define ON(names)  "interface = [ " names " ];"
#define ETH1       "\"eth1\""
#define ETH2       "\"eth2\""
#define ETH3       "\"eth3\""
#define BROADCASTS "broadcast = true;"
#define G          "239.1.2.3:5"
#define H          "239.1.2.4:5"

#define DROPPED                                                                                    \
    ": copies that come round are recognised and dropped, as a relay in both directions needs\n"

/* Two rules, of lines 2 and 3, and of lines 4 and 5; the warning of them. */
static const struct {
    const char *rules, *warnings;
} feeds[] = {
    /* a relay in both directions: once for the pair */
    {GROUP_RULE("a", G, ON(ETH1), G, ON(ETH2)) GROUP_RULE("b", G, ON(ETH2), G, ON(ETH1)),
     "c:3: warning: rule \"a\": what it sends to " G " is heard by rule \"b\" at c:4, which leads "
     "back here" DROPPED},
    /* some interface in common is enough, and none is any */
    {GROUP_RULE("a", G, ON(ETH1 ", " ETH2), H, ON(ETH3))
         GROUP_RULE("b", H, "", G, ON(ETH2 ", " ETH3)),
     "c:3: warning: rule \"a\": what it sends to " H " is heard by rule \"b\" at c:4, which leads "
     "back here" DROPPED},
    {GROUP_RULE("a", G, ON(ETH1), H, "") GROUP_RULE("b", H, ON(ETH2), G, ""),
     "c:3: warning: rule \"a\": what it sends to " H " is heard by rule \"b\" at c:4, which leads "
     "back here" DROPPED},
    {GROUP_RULE("a", "[ff02::fb]:5", ON(ETH1), "[ff02::fb]:5", ON(ETH2))
         GROUP_RULE("b", "[ff02::fb]:5", ON(ETH2), "[ff02::fb]:5", ON(ETH1)),
     "c:3: warning: rule \"a\": what it sends to [ff02::fb]:5 is heard by rule \"b\" at c:4, which "
     "leads back here" DROPPED},
    /* broadcasts, of whatever address */
    {GROUP_RULE("a", "0.0.0.0:67", ON(ETH1) BROADCASTS, "255.255.255.255:67", ON(ETH2))
         GROUP_RULE("b", "*:67", ON(ETH2) BROADCASTS, "10.0.1.255:67", BROADCASTS ON(ETH1)),
     "c:3: warning: rule \"a\": what it sends to 255.255.255.255:67 is heard by rule \"b\" at c:4, "
     "which leads back here" DROPPED},
    /* over a host of this machine, or a list of them */
    {GROUP_RULE("a", G, "", "127.0.0.1:7", ON("\"lo\"")) GROUP_RULE("b", "*:7", "", G, ""),
     "c:3: warning: rule \"a\": what it sends to 127.0.0.1:7 is heard by rule \"b\" at c:4, which "
     "leads back here" DROPPED},
    {" a = { listen = \"udp:127.0.0.1:7\";\n upstream = [ \"192.0.2.1:7\",\n \"127.0.0.1:8\" ]; "
     "};\n"
     " b = { listen = \"udp:127.0.0.1:8\"; upstream = \"127.0.0.1:7\"; };\n",
     "c:4: warning: rule \"a\": what it sends to 127.0.0.1:8 is heard by rule \"b\" at c:5, which "
     "leads back here" FILLS},
    /* a rule by itself, and one of its ports */
    {GROUP_RULE("a", G, "", G, ""),
     "c:3: warning: rule \"a\": what it sends to " G " it hears itself" DROPPED},
    {GROUP_RULE("a", "239.1.2.3:5-7", "", "239.1.2.3:7", ""),
     "c:3: warning: rule \"a\": what it sends to 239.1.2.3:7 it hears itself" DROPPED},
};

START_TEST(rules_that_feed_each_other_are_warned_of)
{
    char text[1024];

    snprintf(text, sizeof(text), "rules = {\n%s};\n", feeds[_i].rules);
    conf_unref(load_warned(text, feeds[_i].warnings));
}
END_TEST

START_TEST(a_longer_round_is_warned_of_at_each_of_its_rules)
{
    conf_unref(load_warned(
        "rules = {\n" GROUP_RULE("a", G, "", H, "") GROUP_RULE("b", H, "", "127.0.0.1:7", ON(ETH1))
            GROUP_RULE("c", "127.0.0.1:7", "", G, "") "};",
        "c:3: warning: rule \"a\": what it sends to " H " is heard by rule \"b\" at c:4, which "
        "leads back here" DROPPED
        "c:5: warning: rule \"b\": what it sends to 127.0.0.1:7 is heard by rule \"c\" at c:6, "
        "which leads back here" DROPPED "c:7: warning: rule \"c\": what it sends to " G
        " is heard by rule \"a\" at c:2, which "
        "leads back here" DROPPED));
}
END_TEST

static const char *const none[] = {
    GROUP_RULE("a", G, ON(ETH1), G, ON(ETH2)),
    GROUP_RULE("a", G, ON(ETH1), G, ON(ETH2)) GROUP_RULE("b", G, ON(ETH2), G, ON(ETH3)),
    GROUP_RULE("a", G, "", H, "") GROUP_RULE("b", "239.1.2.4:6", "", G, ""),
    GROUP_RULE("a", "239.1.2.3:5-6", "", "239.1.2.3:7-8", ""),
    GROUP_RULE("a", "239.1.2.3:5-6", "", "239.1.2.4:5-6", "")
        GROUP_RULE("b", "239.1.2.4:5-6", "", "239.1.2.3:15-16", ""),
    /* broadcasts to another network, or taken by nobody */
    GROUP_RULE("a", "10.0.1.255:67", BROADCASTS, "10.0.2.255:67", BROADCASTS)
        GROUP_RULE("b", "10.0.3.255:67", BROADCASTS, "10.0.1.255:67", BROADCASTS),
    GROUP_RULE("a", "0.0.0.0:67", BROADCASTS, "255.255.255.255:68", "")
        GROUP_RULE("b", "0.0.0.0:68", "", "255.255.255.255:67", ""),
};

START_TEST(what_nobody_hears_feeds_nobody)
{
    char text[1024];

    snprintf(text, sizeof(text), "rules = {\n%s};\n", none[_i]);
    conf_unref(load(text));
}
END_TEST

/* Each hears all the others: there are more ways round than could be walked. */
START_TEST(a_thousand_rules_on_one_group_are_read)
{
    struct conf_errors errors;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct conf *conf;

    ck_assert_ptr_nonnull(out);
    fputs("rules = {\n", out);
    for (int i = 0; i < 1000; i++)
        fprintf(out, GROUP_RULE("r%d", G, ON("\"eth%d\""), H, ""), i, i);
    for (int i = 0; i < 1000; i++)
        fprintf(out, GROUP_RULE("s%d", H, ON("\"eth%d\""), "239.1.2.5:5", ""), i, i);
    fputs("};\n", out);
    ck_assert_int_eq(fclose(out), 0);
    conf = conf_load_text("c", text, strlen(text), &errors);
    ck_assert_ptr_nonnull(conf);
    ck_assert_uint_eq(conf->rule_count, 2000);
    conf_errors_free(&errors);
    conf_unref(conf);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf loops");
    TCase *tcase = tcase_create("loops");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, rules_that_are_their_own_clients_are_warned_of);
    tcase_add_test(tcase, rules_that_send_clients_round_are_warned_of);
    tcase_add_test(tcase, what_could_be_taken_for_a_loop_is_none);
    tcase_add_test(tcase, udp_goes_round_as_tcp_does_but_not_with_it);
    tcase_add_test(tcase, datagrams_that_would_go_round_for_ever_are_refused);
    tcase_add_loop_test(tcase, rules_that_feed_each_other_are_warned_of, 0, (int)COUNT_OF(feeds));
    tcase_add_test(tcase, a_longer_round_is_warned_of_at_each_of_its_rules);
    tcase_add_loop_test(tcase, what_nobody_hears_feeds_nobody, 0, (int)COUNT_OF(none));
    tcase_add_test(tcase, a_thousand_rules_on_one_group_are_read);
    return suite_run(suite);
}
