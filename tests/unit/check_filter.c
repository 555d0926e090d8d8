/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sessions a filter means, and which texts it refuses. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "flow/session.h"
#include "flow/udp.h"
#include "ops/filter.h"
#include "suite.h"

#define CLIENT "allowed: an IP address, or a network like \"192.0.2.0/24\" or \"2001:db8::/32\""
#define STATE  "allowed: \"dialling\", \"open\", \"half-closed\", \"flushing\""

#define NOW 1000000

/* A session of which a filter sees enough. */
struct seen {
    struct conf_rule conf;
    struct rule rule;
    struct udp_session udp;
    struct session session;
};

static struct session *seen_begin(struct seen *seen, const char *rule, const char *client)
{
    struct session *s = &seen->session;

    memset(seen, 0, sizeof(*seen));
    seen->conf.name = rule;
    seen->rule.conf = &seen->conf;
    s->rule = &seen->rule;
    s->stage = STAGE_RELAY;
    s->started = NOW;
    s->client.family = strchr(client, ':') ? AF_INET6 : AF_INET;
    s->client.port = 4711;
    ck_assert_int_eq(
        inet_pton(s->client.family, client,
                  s->client.family == AF_INET ? (void *)&s->client.v4 : (void *)&s->client.v6),
        1);
    return s;
}

/* A filter of one key. */
static struct filter filter_of(const char *key, const char *text)
{
    struct filter f = {0};
    char error[256] = "";

    ck_assert_msg(filter_set(&f, key, text, error, sizeof(error)), "%s=%s: %s", key, text, error);
    return f;
}

/* --- numbers --------------------------------------------------------------------------------- */

START_TEST(numbers_are_digits)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t number;
    } rows[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"007", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999", false, 0},
        {"184467440737095516150", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1", false, 0},
        {"1e3", false, 0},
        {"1.0", false, 0},
        {"\xd9\xa1", false, 0}, /* a digit, but none of ours */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t number = 4711;

        ck_assert_msg(filter_number(rows[i].text, &number) == rows[i].good, "%s", rows[i].text);
        ck_assert_uint_eq(number, rows[i].good ? rows[i].number : 4711);
    }
}
END_TEST

/* --- clients --------------------------------------------------------------------------------- */

static const struct {
    const char *filter, *client;
    bool takes;
} clients[] = {
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"192.0.2.7/32", "192.0.2.7", true},
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.0/23", "192.0.3.0", true},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.128/25", "192.0.2.128", true},
    {"128.0.0.0/1", "127.255.255.255", false},
    {"128.0.0.0/1", "128.0.0.0", true},
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::1", false},
    {"::/0", "192.0.2.7", false},
    {"::/0", "2001:db8::1", true},
    {"2001:db8::/32", "2001:db8:ffff::1", true},
    {"2001:db8::/32", "2001:db9::1", false},
    {"2001:db8::1", "2001:db8::1", true},
    {"2001:db8::1", "2001:db8::2", false},
    {"2001:db8::2/127", "2001:db8::3", true},
    {"2001:db8::2/127", "2001:db8::1", false},
    {"192.0.2.7", "::ffff:192.0.2.7", true},
    {"192.0.2.0/24", "::ffff:192.0.3.7", false},
    {"::/0", "::ffff:192.0.2.7", false},
    {"::ffff:192.0.2.7", "192.0.2.7", true},
    {"::ffff:192.0.2.0/120", "192.0.2.9", true},
    {"::ffff:192.0.2.0/120", "192.0.3.9", false},
    {"::ffff:0.0.0.0/96", "192.0.2.9", true},
};

START_TEST(clients_by_network)
{
    struct filter f = filter_of("client", clients[_i].filter);
    struct seen seen;

    ck_assert_msg(filter_takes(&f, seen_begin(&seen, "r", clients[_i].client), NOW) ==
                      clients[_i].takes,
                  "client=%s and %s", clients[_i].filter, clients[_i].client);
}
END_TEST

START_TEST(who_has_no_ip_address_is_in_no_network)
{
    struct filter v4 = filter_of("client", "0.0.0.0/0"), v6 = filter_of("client", "::/0");
    struct filter any = {0};
    struct seen seen;
    struct session *s = seen_begin(&seen, "r", "192.0.2.7");

    s->client = (struct addr){.family = AF_UNIX};
    ck_assert(!filter_takes(&v4, s, NOW));
    ck_assert(!filter_takes(&v6, s, NOW));
    ck_assert(filter_takes(&any, s, NOW));
}
END_TEST

static bool is_bit_set(const uint8_t *bytes, unsigned bit)
{
    return bytes[bit / 8] >> (7 - bit % 8) & 1;
}

/* Bit by bit, as a prefix is defined. */
START_TEST(networks_are_what_their_bits_say)
{
    struct seen seen;

    srandom(1);
    for (unsigned round = 0; round < 20000; round++) {
        bool is_v4 = random() & 1, takes = true;
        unsigned bits = is_v4 ? 32 : 128, prefix = (unsigned)random() % (bits + 1);
        uint8_t network[16] = {0}, client[16];
        char text[INET6_ADDRSTRLEN], with_prefix[INET6_ADDRSTRLEN + 5];
        struct filter f;

        for (unsigned i = 0; i < bits; i++) {
            if (i < prefix && random() & 1)
                network[i / 8] |= (uint8_t)(0x80 >> i % 8);
        }
        memcpy(client, network, sizeof(client));
        for (unsigned i = 0; i < (unsigned)random() % 3; i++) {
            unsigned bit = (unsigned)random() % bits;

            client[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        }
        for (unsigned i = 0; i < prefix; i++)
            takes = takes && is_bit_set(network, i) == is_bit_set(client, i);
        inet_ntop(is_v4 ? AF_INET : AF_INET6, network, text, sizeof(text));
        snprintf(with_prefix, sizeof(with_prefix), "%s/%u", text, prefix);
        f = filter_of("client", with_prefix);
        inet_ntop(is_v4 ? AF_INET : AF_INET6, client, text, sizeof(text));
        ck_assert_msg(filter_takes(&f, seen_begin(&seen, "r", text), NOW) == takes,
                      "client=%s and %s", with_prefix, text);
    }
}
END_TEST

/* --- states ---------------------------------------------------------------------------------- */

START_TEST(states_follow_stage_and_half)
{
    struct seen seen;
    struct session *s = seen_begin(&seen, "r", "192.0.2.7");

    s->stage = STAGE_DIAL;
    ck_assert_str_eq(session_state_word(session_state(s)), "dialling");
    s->stage = STAGE_RELAY;
    ck_assert_str_eq(session_state_word(session_state(s)), "open");
    half_step(&s->half, EVENT_FIN_CLIENT);
    ck_assert_str_eq(session_state_word(session_state(s)), "half-closed");
    half_step(&s->half, EVENT_SENT_CLIENT);
    ck_assert_str_eq(session_state_word(session_state(s)), "half-closed");
    half_step(&s->half, EVENT_RST_UPSTREAM);
    ck_assert_str_eq(session_state_word(session_state(s)), "flushing");
    s->half = (struct half){0};
    half_step(&s->half, EVENT_RST_CLIENT);
    ck_assert_str_eq(session_state_word(session_state(s)), "flushing");
    s->udp = &seen.udp;
    s->half = (struct half){0};
    ck_assert_str_eq(session_state_word(session_state(s)), "open");
    s->stage = STAGE_DIAL;
    ck_assert_str_eq(session_state_word(session_state(s)), "dialling");
}
END_TEST

/* --- all of it must hold --------------------------------------------------------------------- */

START_TEST(all_that_is_set_must_hold)
{
    static const char *const rules[] = {"ssh", "web"}, *const ages[] = {"0", "90s", "2min"};
    static const char *const networks[] = {"192.0.2.0/24", "192.0.2.7"};
    static const int64_t age_ms[] = {0, 90000, 120000};
    struct seen seen;

    srandom(2);
    for (unsigned round = 0; round < 5000; round++) {
        unsigned rule = (unsigned)random() % 2, network = (unsigned)random() % 2;
        unsigned age = (unsigned)random() % 3, state = (unsigned)random() % SESSION_STATES;
        unsigned set = (unsigned)random() % 16;
        bool is_ssh = random() & 1, is_seven = random() & 1, is_dialling = random() & 1;
        int64_t old = random() % 3 * 45000 + random() % 3 - 1;
        struct session *s =
            seen_begin(&seen, is_ssh ? "ssh" : "web", is_seven ? "192.0.2.7" : "192.0.2.8");
        struct filter f = {0};
        char error[256];
        bool takes = true;

        s->started = NOW - old;
        s->stage = is_dialling ? STAGE_DIAL : STAGE_RELAY;
        if (set & 1) {
            ck_assert(filter_set(&f, "rule", rules[rule], error, sizeof(error)));
            takes = takes && is_ssh == (rule == 0);
        }
        if (set & 2) {
            ck_assert(filter_set(&f, "client", networks[network], error, sizeof(error)));
            takes = takes && (network == 0 || is_seven);
        }
        if (set & 4) {
            ck_assert(filter_set(&f, "state", session_state_word(state), error, sizeof(error)));
            takes = takes && state == (is_dialling ? STATE_DIALLING : STATE_OPEN);
        }
        if (set & 8) {
            ck_assert(filter_set(&f, "older", ages[age], error, sizeof(error)));
            takes = takes && (age == 0 || old >= age_ms[age]);
        }
        ck_assert_int_eq(filter_takes(&f, s, NOW), takes);
    }
}
END_TEST

START_TEST(a_rule_is_meant_by_its_whole_name)
{
    struct filter f = filter_of("rule", "web");
    struct seen seen;

    ck_assert(filter_takes(&f, seen_begin(&seen, "web", "192.0.2.7"), NOW));
    ck_assert(!filter_takes(&f, seen_begin(&seen, "web2", "192.0.2.7"), NOW));
    ck_assert(!filter_takes(&f, seen_begin(&seen, "we", "192.0.2.7"), NOW));
    ck_assert(!filter_takes(&f, seen_begin(&seen, "Web", "192.0.2.7"), NOW));
}
END_TEST

/* --- what is refused ------------------------------------------------------------------------- */

static const struct {
    const char *key, *text, *error;
} bad[] = {
    {"rule", "", "rule: it is empty, allowed: the name of a rule"},
    {"client", "", "client: \"\" is no IP address, " CLIENT},
    {"client", "/24", "client: \"/24\" is no IP address, " CLIENT},
    {"client", "host", "client: \"host\" is no IP address, " CLIENT},
    {"client", "192.0.2", "client: \"192.0.2\" is no IP address, " CLIENT},
    {"client", "192.0.2.256", "client: \"192.0.2.256\" is no IP address, " CLIENT},
    {"client", "192.0.2.7:80", "client: \"192.0.2.7:80\" is no IP address, " CLIENT},
    {"client", "[::1]", "client: \"[::1]\" is no IP address, " CLIENT},
    {"client", "fe80::1%2", "client: \"fe80::1%2\" is no IP address, " CLIENT},
    {"client", " ::1", "client: \" ::1\" is no IP address, " CLIENT},
    {"client", "2001:0db8:0000:0000:0000:0000:192.168.100.2000",
     "client: \"2001:0db8:0000:0000:0000:0000:192.168.100.2000\" is no IP address, " CLIENT},
    {"client", "192.0.2.7/", "client: \"192.0.2.7/\" has no such prefix, allowed: /0 to /32"},
    {"client", "192.0.2.7/33", "client: \"192.0.2.7/33\" has no such prefix, allowed: /0 to /32"},
    {"client", "192.0.2.7/-1", "client: \"192.0.2.7/-1\" has no such prefix, allowed: /0 to /32"},
    {"client", "192.0.2.7/8/8", "client: \"192.0.2.7/8/8\" has no such prefix, allowed: /0 to /32"},
    {"client", "192.0.2.0/4294967320",
     "client: \"192.0.2.0/4294967320\" has no such prefix, allowed: /0 to /32"},
    {"client", "192.0.2.0/18446744073709551640",
     "client: \"192.0.2.0/18446744073709551640\" has no such prefix, allowed: /0 to /32"},
    {"client", "::1/129", "client: \"::1/129\" has no such prefix, allowed: /0 to /128"},
    {"client", "192.0.2.7/24",
     "client: \"192.0.2.7/24\" has bits behind its prefix, allowed: \"192.0.2.0/24\""},
    {"client", "128.0.0.1/0",
     "client: \"128.0.0.1/0\" has bits behind its prefix, allowed: \"0.0.0.0/0\""},
    {"client", "2001:db8::1/64",
     "client: \"2001:db8::1/64\" has bits behind its prefix, allowed: \"2001:db8::/64\""},
    {"state", "", "state: \"\" is none, " STATE},
    {"state", "Open", "state: \"Open\" is none, " STATE},
    {"state", "half_closed", "state: \"half_closed\" is none, " STATE},
    {"older", "",
     "older: \"\": it is empty, allowed: a whole number and ms, s, min, h or d "
     "(\"250ms\", \"10min\")"},
    {"older", "5m",
     "older: \"5m\": unknown unit, allowed: a whole number and ms, s, min, h or d "
     "(\"250ms\", \"10min\")"},
    {"older", "-5s",
     "older: \"-5s\": no duration, allowed: a whole number and ms, s, min, h or d "
     "(\"250ms\", \"10min\")"},
};

START_TEST(what_is_wrong_is_said)
{
    struct filter f = {0}, before = {0};
    char error[256] = "";

    ck_assert(!filter_set(&f, bad[_i].key, bad[_i].text, error, sizeof(error)));
    ck_assert_str_eq(error, bad[_i].error);
    ck_assert_mem_eq(&f, &before, sizeof(f));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("filter");
    TCase *tcase = tcase_create("filter");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, numbers_are_digits);
    tcase_add_loop_test(tcase, clients_by_network, 0, COUNT_OF(clients));
    tcase_add_test(tcase, who_has_no_ip_address_is_in_no_network);
    tcase_add_test(tcase, networks_are_what_their_bits_say);
    tcase_add_test(tcase, states_follow_stage_and_half);
    tcase_add_test(tcase, all_that_is_set_must_hold);
    tcase_add_test(tcase, a_rule_is_meant_by_its_whole_name);
    tcase_add_loop_test(tcase, what_is_wrong_is_said, 0, COUNT_OF(bad));
    return suite_run(suite);
}
