/* SPDX-License-Identifier: BSD-2-Clause */
/* What the API says of sessions and rules, word by word. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>

#include "flow/totals.h"
#include "flow/udp.h"
#include "json_whole.h"
#include "ops/json.h"
#include "suite.h"
#include "world.h"

#define NOW  5000
#define WALL 1700000005000

#define PORT 24131

static struct world w;
static struct conf *conf;

static void begin(void)
{
    struct ruleset_changes changes;

    world_begin(&w);
    conf = conf_of("rules = {"
                   " web = { listen = [ \"%s:%u\", \"udp:%s:%u\", \"unix:@penstock-%u\" ];"
                   "  upstream = \"192.0.2.1:80\"; max_connections = 7; };"
                   " some = { listen = ( { address = \"%s:%u\"; max_connections = 3; } );"
                   "  upstream = \"backend.example:80\"; }; };",
                   own_host(), PORT, own_host(), PORT, (unsigned)getpid(), own_host(), PORT + 1);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
}

static void end(void)
{
    conf_unref(conf);
    world_end(&w);
}

/* `made` is taken. */
__attribute__((format(printf, 2, 3))) static void is_said(json_t *made, const char *format, ...)
{
    char wanted[2048];
    va_list args;
    char *text;

    va_start(args, format);
    vsnprintf(wanted, sizeof(wanted), format, args);
    va_end(args);
    ck_assert_ptr_nonnull(made);
    text = json_dumps(made, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(made);
    ck_assert_str_eq(text, wanted);
    free(text);
}

static struct addr address_of(const char *text, unsigned port)
{
    struct addr a = {.family = strchr(text, ':') ? AF_INET6 : AF_INET, .port = (in_port_t)port};

    ck_assert_int_eq(inet_pton(a.family, text, a.family == AF_INET ? (void *)&a.v4 : (void *)&a.v6),
                     1);
    return a;
}

/* --- sessions -------------------------------------------------------------------------------- */

static struct session session_of(struct rule *rule)
{
    return (struct session){.worker = &w.worker,
                            .rule = rule,
                            .conf = &rule->conf->listens[0],
                            .client = address_of("192.0.2.7", 51122),
                            .id = 42,
                            .started = NOW - 4000,
                            .active = NOW - 1500};
}

START_TEST(one_that_dials)
{
    struct session s = session_of(w.set.rules[0]);

    s.upstream = address_of("192.0.2.1", 80); /* which it tries */
    is_said(json_session(&s, NOW, WALL),
            "{\"id\":42,\"rule\":\"web\",\"protocol\":\"tcp\",\"state\":\"dialling\","
            "\"client\":\"192.0.2.7:51122\",\"listener\":\"%s:%u\","
            "\"upstream\":null,\"started_at_ms\":1700000001000,"
            "\"age_ms\":4000,\"idle_ms\":1500,\"connect_ms\":null,\"bytes_in\":0,"
            "\"bytes_out\":0}",
            own_host(), PORT);
}
END_TEST

START_TEST(one_that_is_open)
{
    struct session s = session_of(w.set.rules[0]);
    json_t *o;

    s.stage = STAGE_RELAY;
    s.connected = true;
    s.connect_ms = 12;
    s.client = address_of("2001:db8::7", 65535);
    s.upstream = address_of("192.0.2.1", 80);
    s.id = UINT64_C(1) << 60;
    s.flow[CLIENT].bytes = UINT64_C(5000000000);
    s.flow[UPSTREAM].bytes = 1;
    is_said(json_session(&s, NOW, WALL),
            "{\"id\":1152921504606846976,\"rule\":\"web\",\"protocol\":\"tcp\",\"state\":\"open\","
            "\"client\":\"[2001:db8::7]:65535\",\"listener\":\"%s:%u\","
            "\"upstream\":\"192.0.2.1:80\","
            "\"started_at_ms\":1700000001000,\"age_ms\":4000,\"idle_ms\":1500,\"connect_ms\":12,"
            "\"bytes_in\":5000000000,\"bytes_out\":1}",
            own_host(), PORT);
    half_step(&s.half, EVENT_RST_UPSTREAM);
    o = json_session(&s, NOW, WALL);
    ck_assert_str_eq(json_string_value(json_object_get(o, "state")), "flushing");
    json_decref(o);
}
END_TEST

START_TEST(one_of_datagrams)
{
    struct session s = session_of(w.set.rules[0]);
    struct udp_session udp = {.datagrams = {3, 4}, .dropped = {5, 6}};

    s.udp = &udp;
    s.stage = STAGE_RELAY;
    s.connected = true;
    is_said(json_session(&s, NOW, WALL),
            "{\"id\":42,\"rule\":\"web\",\"protocol\":\"udp\",\"state\":\"open\","
            "\"client\":\"192.0.2.7:51122\",\"listener\":\"%s:%u\","
            "\"upstream\":\"192.0.2.1:80\","
            "\"started_at_ms\":1700000001000,\"age_ms\":4000,\"idle_ms\":1500,\"connect_ms\":0,"
            "\"bytes_in\":0,\"bytes_out\":0,\"datagrams_in\":3,\"datagrams_out\":4,"
            "\"dropped\":11}",
            own_host(), PORT);
}
END_TEST

/* A path is any bytes; JSON is UTF-8. */
START_TEST(clients_of_unix_sockets)
{
    struct session s = session_of(w.set.rules[0]);
    static const struct {
        struct addr client;
        const char *text;
    } rows[] = {
        {{.family = AF_UNIX, .un = {.peer_pid = 12, .peer_uid = 1000}}, "unix:pid=12,uid=1000"},
        {{.family = AF_UNIX, .un = {.path = "/run/a\"b\\c"}}, "unix:/run/a\\\"b\\\\c"},
        {{.family = AF_UNIX, .un = {.path = "@<b>\x01\n"}}, "unix:@<b>\\u0001\\n"},
        {{.family = AF_UNIX, .un = {.path = "/\xc3\xa4"}}, "unix:/\xc3\xa4"},
        {{.family = AF_UNIX, .un = {.path = "/\xff\xc3"}}, "unix:/?\?"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *o;

        s.client = rows[i].client;
        o = json_session(&s, NOW, WALL);
        ck_assert_str_eq(json_string_value(json_object_get(o, "protocol")), "unix");
        is_said(json_incref(json_object_get(o, "client")), "\"%s\"", rows[i].text);
        json_decref(o);
    }
}
END_TEST

/* --- rules ----------------------------------------------------------------------------------- */

START_TEST(a_rule_without_clients)
{
    struct totals totals;

    totals_of_rule(w.set.rules[0], &totals);
    is_said(json_rule(w.set.rules[0], &totals),
            "{\"name\":\"web\",\"state\":\"running\",\"listeners\":["
            "{\"address\":\"%s:%u\",\"state\":\"listening\",\"sessions\":0,\"limit\":null},"
            "{\"address\":\"udp:%s:%u\",\"state\":\"listening\",\"sessions\":0,\"limit\":null},"
            "{\"address\":\"unix:@penstock-%u\",\"state\":\"listening\",\"sessions\":0,"
            "\"limit\":null}],"
            "\"upstream\":\"192.0.2.1:80\",\"sessions\":0,\"limit\":7,\"opened\":0,"
            "\"bytes_in\":0,\"bytes_out\":0,\"datagrams_in\":0,\"datagrams_out\":0,\"dropped\":0,"
            "\"ended\":{},\"refused\":{}}",
            own_host(), PORT, own_host(), PORT, (unsigned)getpid());
}
END_TEST

START_TEST(a_rule_that_has_seen_much)
{
    struct rule *rule = w.set.rules[1];
    struct totals totals = {8, 9, 10, 11, 12, 13, 14};

    atomic_store(&rule->account.ended[END_DONE], 3);
    atomic_store(&rule->account.ended[END_ERROR], 1);
    atomic_store(&rule->account.refused[END_LIMIT], 5);
    rule_pause(rule);
    is_said(json_rule(rule, &totals),
            "{\"name\":\"some\",\"state\":\"paused\",\"listeners\":["
            "{\"address\":\"%s:%u\",\"state\":\"paused\",\"sessions\":0,\"limit\":3}],"
            "\"upstream\":\"backend.example:80\",\"sessions\":8,\"limit\":256,\"opened\":9,"
            "\"bytes_in\":10,\"bytes_out\":11,\"datagrams_in\":12,\"datagrams_out\":13,"
            "\"dropped\":14,\"ended\":{\"done\":3,\"error\":1},\"refused\":{\"limit\":5}}",
            own_host(), PORT + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, one_that_dials);
    tcase_add_test(tcase, one_that_is_open);
    tcase_add_test(tcase, one_of_datagrams);
    tcase_add_test(tcase, clients_of_unix_sockets);
    tcase_add_test(tcase, a_rule_without_clients);
    tcase_add_test(tcase, a_rule_that_has_seen_much);
    return suite_run(suite);
}
