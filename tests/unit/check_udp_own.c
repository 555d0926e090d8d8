/* SPDX-License-Identifier: BSD-2-Clause */
/* What sockets of ours have sent to a group is known by whom it is from. The memory of payloads
 * (udp_guard.h) is of no help here: each is sent by the session's socket without its knowledge, as
 * if it had been forgotten, or sent by the process before this one. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <net/if.h>

#include "carrier.h"
#include "dgram_words.h"
#include "flow/listener.h"
#include "namespace.h"
#include "suite.h"
#include "world.h"

/* IPv4 and IPv6, each in the process that has opened the session's socket, and in the next. */
#define WAYS 4

static struct world w;

static bool is_ipv6(int way)
{
    return way / 2 == 1;
}

static bool is_handed_over(int way)
{
    return way % 2 == 1;
}

static struct addr group_of(int way)
{
    struct addr a = {.family = is_ipv6(way) ? AF_INET6 : AF_INET, .port = 5000};

    if (is_ipv6(way))
        ck_assert_int_eq(inet_pton(AF_INET6, "ff15::1:2", &a.v6), 1);
    else
        ck_assert_int_eq(inet_pton(AF_INET, "239.1.2.3", &a.v4), 1);
    return a;
}

/* --- networks and rules ----------------------------------------------------------------------- */

static void add_interface(unsigned n)
{
    ip("link add eth%u type veth peer name p%u", n, n);
    ip("link set p%u up", n);
    ip("link set eth%u up", n);
    ip("addr add 10.%u.0.1/24 brd + dev eth%u", n, n);
    ip("addr add fd0%u::1/64 dev eth%u nodad", n, n);
}

static void begin(void)
{
    make_namespace();
    ip("link set lo up");
    add_interface(1);
    add_interface(2);
    world_begin(&w);
}

static void end(void)
{
    world_end(&w);
}

static void hand_over(void)
{
    struct inheritance in;
    struct inherited got;
    struct brought brought;

    carry_world(&w, &in, &brought);
    ck_assert_pstr_eq(handover_restore(&w.set, &in, &got), NULL);
    all_is_taken(&brought);
    ck_assert_uint_eq(got.sessions, 1);
    ck_assert_uint_eq(got.lost, 0);
    arena_free(in.arena);
}

/* --- who speaks and who is heard -------------------------------------------------------------- */

/* A socket of that port; 0: any, which is told. */
static int client(int way, in_port_t *port)
{
    const struct addr any = {.family = group_of(way).family, .port = *port};
    struct addr bound;
    int fd = open_at(&any, 0, &bound);

    *port = bound.port;
    return fd;
}

static bool has_route(void *to)
{
    int fd = dgram_connect(to);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* To the group, through that interface, of which all on this machine hear who have joined there. */
static void say(int way, int fd, const char *interface, const char *text)
{
    struct dgram_path path = {.peer = group_of(way), .interface = if_nametoindex(interface)};
    struct addr link = {.family = AF_INET6, .port = 9, .scope = path.interface};

    ck_assert_int_eq(inet_pton(AF_INET6, "ff02::1", &link.v6), 1);
    if (is_ipv6(way))
        world_await(&w, has_route, &link); /* it has one a while after the interface is up */
    send_text(fd, path.peer.family, text, &path);
}

/* The session of whoever has that port, or NULL. */
static struct session *session_of(in_port_t port)
{
    list_for_each (link, next, &w.worker.sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->client.port == port)
            return s;
    }
    return NULL;
}

static bool is_heard(void *port)
{
    const struct session *s = session_of(*(in_port_t *)port);

    return s && s->stage == STAGE_RELAY;
}

/* What is sent through an interface after all else comes out after it. */
static void await_all(int way, const char *interface)
{
    in_port_t port = 0;
    int fd = client(way, &port);

    say(way, fd, interface, "the last");
    world_await(&w, is_heard, &port);
    close(fd);
}

/* Two rules, each of which says on one interface what it hears on the other. The first has heard
 * something; returns its session. */
static struct session *make_session(int way)
{
    const struct addr to = group_of(way);
    char group[ADDR_TEXT_MAX];
    struct ruleset_changes changes;
    in_port_t port = 0;
    struct conf *conf;
    int fd;

    addr_print(&to, group, sizeof(group));
    conf = conf_of("rules = {"
                   "ab = { listen = \"udp:%s\"; interface = \"eth1\"; "
                   "       upstream = { address = \"%s\"; interface = \"eth2\"; }; };"
                   "ba = { listen = \"udp:%s\"; interface = \"eth2\"; "
                   "       upstream = { address = \"%s\"; interface = \"eth1\"; }; }; };",
                   group, group, group, group);
    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
    fd = client(way, &port);
    say(way, fd, "eth1", "the first");
    world_await(&w, is_heard, &port);
    close(fd);
    if (is_handed_over(way))
        hand_over();
    return session_of(port);
}

static in_port_t port_of(const struct session *s)
{
    struct addr own;

    ck_assert_int_eq(dgram_check(s->fd[UPSTREAM], &own), 0);
    return own.port;
}

/* --- tests ------------------------------------------------------------------------------------ */

START_TEST(what_a_session_has_sent_is_not_taken)
{
    struct session *s = make_session(_i);

    say(_i, s->fd[UPSTREAM], "eth2", "its own");
    await_all(_i, "eth2");
    ck_assert_ptr_null(session_of(port_of(s)));
    ck_assert_uint_eq(w.worker.live, 2);
}
END_TEST

START_TEST(what_has_its_port_afterwards_is_taken)
{
    struct session *s = make_session(_i);
    in_port_t port = port_of(s);
    int fd;

    await_all(_i, "eth2"); /* what it has sent */
    session_end_now(s, END_KILLED);
    fd = client(_i, &port);
    say(_i, fd, "eth2", "another one's");
    world_await(&w, is_heard, &port);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite;
    TCase *tcase;

    if (!may_make_namespaces())
        return 77; /* Automake: skipped */
    suite = suite_create("udp_own");
    tcase = tcase_create("udp_own");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, what_a_session_has_sent_is_not_taken, 0, WAYS);
    tcase_add_loop_test(tcase, what_has_its_port_afterwards_is_taken, 0, WAYS);
    return suite_run(suite);
}
