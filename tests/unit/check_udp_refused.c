/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of datagrams that must not be, or can't. */
#include "config.h"

#include <check.h>

#include "descriptors.h"
#include "flow/listener.h"
#include "flow/udp.h"
#include "namespace.h"
#include "suite.h"
#include "world_udp.h"

#define PORT    24301
#define PORT_UP 24302
#define CLIENTS 8

static struct world w;
static int up, clients[CLIENTS], descriptors;

static void begin(void)
{
    struct sockaddr_in in = own_address(PORT);

    descriptors = count_descriptors();
    world_begin(&w);
    up = udp_at(PORT_UP);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = udp_at(0);
        ck_assert_int_eq(connect(clients[i], (struct sockaddr *)&in, sizeof(in)), 0);
    }
}

static void end(void)
{
    world_end(&w);
    close(up);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    ck_assert_int_eq(count_descriptors(), descriptors);
}

static void apply(const char *rest)
{
    struct ruleset_changes changes;
    struct conf *conf =
        conf_of("rules = { r = { listen = \"udp:%s:%u\"; %s }; };", own_host(), PORT, rest);

    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
}

static void apply_with(const char *options)
{
    char rest[256];

    snprintf(rest, sizeof(rest), "upstream = \"%s:%u\"; %s", own_host(), PORT_UP, options);
    apply(rest);
}

/* As a session, or as a client that never had one. */
static uint64_t ended(enum end end)
{
    const struct account *a = &w.set.rules[0]->account;

    return atomic_load(&a->ended[end]) + atomic_load(&a->refused[end]);
}

struct awaited_end {
    enum end end;
    uint64_t count;
};

static bool have_ended(void *arg)
{
    const struct awaited_end *a = arg;

    return ended(a->end) >= a->count;
}

static void await_end(enum end end, uint64_t count)
{
    struct awaited_end a = {end, count};

    world_await(&w, have_ended, &a);
    ck_assert_uint_eq(ended(end), count);
}

static void say(int client, const char *text)
{
    ck_assert_int_eq(send(client, text, strlen(text), 0), (int)strlen(text));
    await_text(&w, up, text);
}

/* What it answers would come back to it as a question, for ever. */
START_TEST(the_upstream_is_no_client)
{
    struct sockaddr_in to = own_address(PORT);

    apply_with("");
    for (int i = 0; i < 5; i++)
        send_to(up, &to, "round and round");
    await_end(END_DENIED, 1);
    ck_assert_uint_eq(atomic_load(&w.set.rules[0]->account.datagrams_in), 0);
    ck_assert_uint_eq(atomic_load(&w.set.rules[0]->account.dropped), 5);
    say(clients[0], "marker");
}
END_TEST

/* Of what is forged the loopback network lets this through; elsewhere IPv6 does. */
START_TEST(a_listener_is_no_client)
{
    struct sockaddr_in to = own_address(PORT);
    const struct listener *l;

    apply_with("");
    l = container_of(w.set.rules[0]->listeners.next, struct listener, link);
    send_to(l->fd, &to, "to myself");
    await_end(END_DENIED, 1);
    ck_assert_uint_eq(w.worker.live, 0);
    say(clients[0], "marker");
}
END_TEST

START_TEST(a_lowered_limit_is_kept_by_evicting)
{
    apply_with("max_connections = 6; on_limit = \"evict\";");
    for (int i = 0; i < 6; i++)
        say(clients[i], "hello");
    apply_with("max_connections = 2; on_limit = \"evict\";");
    say(clients[6], "new");
    ck_assert_uint_eq(w.worker.live, 2);
    await_end(END_EVICTED, 5);
}
END_TEST

/* Each datagram would be an attempt of its own, and a line in the log. */
START_TEST(one_attempt_where_no_socket_can_be_had)
{
    unsigned port = 26000u + (unsigned)getpid() % 6000u; /* nobody else's on any address */
    char rest[128];

    close(up);
    up = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    ck_assert_int_eq(bind(up, (struct sockaddr *)&any, sizeof(any)), 0);
    snprintf(rest, sizeof(rest), "upstream = { address = \"239.1.2.3:%u\"; source_port = %u; };",
             PORT_UP, port);
    apply(rest);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(send(clients[0], "x", 1, 0), 1);
        world_turn(&w);
    }
    await_end(END_CONNECT_FAILED, 1);
    ck_assert_uint_eq(w.worker.served, 1);
}
END_TEST

/* --- no port is left -------------------------------------------------------------------------- */

static void begin_with_few_ports(void)
{
    FILE *f;

    make_namespace();
    ip("link set lo up");
    f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "w");
    if (f) { /* else the test can't tell, and says so */
        fputs("40000 40003", f);
        fclose(f);
    }
    descriptors = count_descriptors();
    world_begin(&w);
    up = udp_at(PORT_UP);
    for (int i = 0; i < CLIENTS; i++) {
        struct sockaddr_in in = own_address(PORT);

        clients[i] = udp_at(41000 + (unsigned)i);
        ck_assert_int_eq(connect(clients[i], (struct sockaddr *)&in, sizeof(in)), 0);
    }
}

/* They are as many as ports, and nobody asks for more again and again. */
START_TEST(when_no_port_is_left_clients_are_refused)
{
    apply_with("");
    for (int i = 0; i < 4; i++)
        say(clients[i], "hello");
    for (int i = 4; i < CLIENTS; i++)
        ck_assert_int_eq(send(clients[i], "no", 2, 0), 2);
    await_end(END_NO_DESCRIPTORS, CLIENTS - 4);
    ck_assert_uint_eq(w.worker.live, 4);
    say(clients[0], "still there");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("udp_refused");
    TCase *tc = tcase_create("refused");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, the_upstream_is_no_client);
    tcase_add_test(tc, a_listener_is_no_client);
    tcase_add_test(tc, a_lowered_limit_is_kept_by_evicting);
    tcase_add_test(tc, one_attempt_where_no_socket_can_be_had);
    suite_add_tcase(suite, tc);
    if (may_make_namespaces()) {
        tc = tcase_create("ports");
        tcase_set_timeout(tc, 60);
        tcase_add_checked_fixture(tc, begin_with_few_ports, end);
        tcase_add_test(tc, when_no_port_is_left_clients_are_refused);
        suite_add_tcase(suite, tc);
    }
    return suite_run(suite);
}
