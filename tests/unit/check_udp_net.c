/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners of groups and broadcasts: where they are joined, and what is for them. */
#include "config.h"

#include <check.h>
#include <net/if.h>
#include <sys/resource.h>

#include "descriptors.h"
#include "flow/listener.h"
#include "flow/udp_net_inside.h"
#include "memory.h"
#include "namespace.h"
#include "suite.h"
#include "world.h"

static struct world w;
static int descriptors;

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
    descriptors = count_descriptors();
    world_begin(&w);
}

static void end(void)
{
    world_end(&w);
    ck_assert_int_eq(count_descriptors(), descriptors);
}

/* The one rule's listener, under this config. */
static struct listener *listener_of(const char *listen, const char *options)
{
    struct conf *conf = conf_of("rules = { r = { listen = \"udp:%s\"; %s }; };", listen, options);
    struct ruleset_changes changes;

    ck_assert_int_eq(world_apply(&w, conf, &changes), 0);
    ck_assert_uint_eq(changes.failed, 0);
    conf_unref(conf);
    return container_of(w.set.rules[0]->listeners.next, struct listener, link);
}

static struct listener *to_a_host(const char *listen, const char *options)
{
    char more[256];

    snprintf(more, sizeof(more), "upstream = \"10.1.0.99:7000\"; %s", options);
    return listener_of(listen, more);
}

static struct addr address(const char *text, in_port_t port)
{
    struct addr a = {.family = AF_INET, .port = port};

    if (inet_pton(AF_INET, text, &a.v4) == 1)
        return a;
    a.family = AF_INET6;
    ck_assert_int_eq(inet_pton(AF_INET6, text, &a.v6), 1);
    return a;
}

/* Would it take a datagram that came so? */
static bool takes_from(struct listener *l, const struct addr *from, const char *to,
                       const char *interface, const char *text)
{
    struct dgram_path path = {.peer = *from, .interface = if_nametoindex(interface)};
    struct dgram d = {.bytes = (const uint8_t *)text,
                      .size = (uint32_t)strlen(text),
                      .dest = address(to, 0),
                      .path = &path};

    ck_assert_uint_ne(path.interface, 0);
    d.is_to_many = addr_is_group(&d.dest) || strstr(to, "255") != NULL;
    if (!l->udp->is_picky)
        return !d.is_to_many; /* as udp_listener.c has it */
    return udp_net_takes(l, &d) == l;
}

static bool takes(struct listener *l, const char *from, const char *to, const char *interface)
{
    struct addr peer = address(from, 3000);
    char text[128];

    snprintf(text, sizeof(text), "from %s to %s on %s", from, to, interface);
    return takes_from(l, &peer, to, interface, text);
}

/* --- what is for them --------------------------------------------------------------------------
 */

START_TEST(a_host_takes_what_is_for_it_alone)
{
    struct listener *l = to_a_host("0.0.0.0:5000", "");

    ck_assert(!l->udp->is_picky);
    ck_assert(!udp_net_is_deaf(l));
    l = to_a_host("0.0.0.0:5000", "interface = \"eth1\";");
    ck_assert(takes(l, "10.1.0.9", "10.1.0.1", "eth1"));
    ck_assert(takes(l, "10.1.0.9", "10.1.0.1", "eth1")); /* however often */
    ck_assert(!takes(l, "10.2.0.9", "10.2.0.1", "eth2"));
    ck_assert(!takes(l, "10.1.0.9", "10.1.0.255", "eth1"));
    ck_assert(!takes(l, "10.1.0.9", "239.1.2.3", "eth1"));
}
END_TEST

START_TEST(broadcasts_are_taken_by_who_wants_them)
{
    struct listener *l = to_a_host("0.0.0.0:5000", "");

    ck_assert(!takes(l, "10.1.0.9", "10.1.0.255", "eth1"));
    l = to_a_host("0.0.0.0:5000", "broadcast = true;");
    ck_assert(takes(l, "10.1.0.9", "10.1.0.255", "eth1"));
    ck_assert(takes(l, "10.1.0.9", "255.255.255.255", "eth2"));
    ck_assert(takes(l, "10.1.0.9", "10.1.0.1", "eth1"));
    ck_assert(!takes(l, "10.1.0.9", "239.1.2.3", "eth1"));
    /* the way back */
    l = to_a_host("0.0.0.0:5000", "");
    ck_assert(!l->udp->is_picky);
    ck_assert(!takes(l, "10.1.0.8", "10.1.0.255", "eth1"));
}
END_TEST

START_TEST(a_group_is_taken_where_it_was_joined_and_of_whom)
{
    struct listener *l = to_a_host("239.1.2.3:5000", "interface = \"eth1\";");

    ck_assert(takes(l, "10.1.0.9", "239.1.2.3", "eth1"));
    ck_assert(!takes(l, "10.1.0.9", "239.1.2.3", "eth2"));
    ck_assert(!takes(l, "10.1.0.9", "239.1.2.4", "eth1"));
    ck_assert(!takes(l, "10.1.0.9", "10.1.0.1", "eth1"));
    l = to_a_host("239.1.2.3:5000", "interface = [\"eth1\", \"eth2\"]; "
                                    "source = [\"10.1.0.7\", \"10.1.0.8\"];");
    ck_assert(takes(l, "10.1.0.7", "239.1.2.3", "eth1"));
    ck_assert(takes(l, "10.1.0.8", "239.1.2.3", "eth2"));
    ck_assert(!takes(l, "10.1.0.6", "239.1.2.3", "eth1"));
    ip("route add 239.0.0.0/8 dev eth2");
    l = to_a_host("239.1.2.4:5000", "");
    ck_assert(takes(l, "10.2.0.9", "239.1.2.4", "eth2"));
    ck_assert(!takes(l, "10.1.0.9", "239.1.2.4", "eth1"));
    l = to_a_host("[ff02::1:2]:5000", "interface = \"eth2\";");
    ck_assert(takes(l, "fd02::9", "ff02::1:2", "eth2"));
    ck_assert(!takes(l, "fd02::9", "ff02::1:2", "eth1"));
    ck_assert(!takes(l, "fd02::9", "fd02::1", "eth2"));
}
END_TEST

START_TEST(copies_are_not_taken)
{
    struct listener *l = to_a_host("0.0.0.0:5000", "broadcast = true;");
    struct addr one = address("10.1.0.8", 3000), other = address("10.1.0.9", 3000);

    ck_assert(takes_from(l, &one, "10.1.0.255", "eth1", "x"));
    ck_assert(takes_from(l, &one, "10.1.0.255", "eth1", "x"));
    ck_assert(!takes_from(l, &other, "10.1.0.255", "eth1", "x"));
    ck_assert(!takes_from(l, &other, "255.255.255.255", "eth1", "x"));
    ck_assert(takes_from(l, &other, "10.2.0.255", "eth2", "x"));
    ck_assert(takes_from(l, &other, "10.1.0.1", "eth1", "x"));
}
END_TEST

static struct session *the_session(void)
{
    return container_of(w.worker.sessions.prev, struct session, link);
}

static bool has_one(void *arg)
{
    (void)arg;
    return w.worker.live == 1 && the_session()->stage == STAGE_RELAY;
}

/* A datagram to the group that is listened to has made a session. */
static void make_session(void)
{
    struct ip_mreqn out = {.imr_ifindex = (int)if_nametoindex("eth1")};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5000)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(inet_pton(AF_INET, "239.1.2.3", &to.sin_addr), 1);
    ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out)), 0);
    ck_assert_int_eq(sendto(fd, "a", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    world_await(&w, has_one, NULL);
    close(fd);
}

START_TEST(what_was_sent_from_here_is_not_taken)
{
    static const char *const ways[] = {"", "source_port = 5353;"};
    struct addr own, other;
    char options[200];
    struct listener *l;

    snprintf(options, sizeof(options),
             "interface = \"eth1\"; upstream = { address = \"239.1.2.4:6000\"; interface = "
             "\"eth2\"; %s };",
             ways[_i]);
    l = listener_of("239.1.2.3:5000", options);
    make_session();
    ck_assert_int_eq(dgram_check(the_session()->fd[UPSTREAM], &own), 0);
    if (_i == 1)
        ck_assert_uint_eq(own.port, 5353);
    own = address("10.1.0.1", own.port);
    other = address("10.1.0.9", own.port);
    ck_assert(!takes_from(l, &own, "239.1.2.3", "eth1", "one"));
    ck_assert(takes_from(l, &other, "239.1.2.3", "eth1", "two"));
    own.port++;
    ck_assert(takes_from(l, &own, "239.1.2.3", "eth1", "three"));
    own.port--;
    session_end_now(the_session(), END_KILLED);
    ck_assert(takes_from(l, &own, "239.1.2.3", "eth1", "four"));
}
END_TEST

/* Others of this machine who have the same port, as mDNS has it, hear what is sent to them. */
START_TEST(a_port_that_is_chosen_is_not_taken_from_others)
{
    const struct addr any = {.family = AF_INET, .port = 5353};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5353)};
    int other = dgram_open(&any, DGRAM_SHARED), fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char byte;

    ck_assert_int_ge(other, 0);
    ck_assert_int_ge(fd, 0);
    listener_of("239.1.2.3:5000", "interface = \"eth1\"; upstream = { address = "
                                  "\"239.1.2.4:5353\"; interface = \"eth2\"; source_port = 5353; "
                                  "};");
    make_session();
    ck_assert_int_eq(inet_pton(AF_INET, "10.1.0.1", &to.sin_addr), 1);
    ck_assert_int_eq(sendto(fd, "a", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    ck_assert_int_eq(recv(other, &byte, 1, MSG_DONTWAIT), 1); /* over lo it is there at once */
    close(fd);
    close(other);
}
END_TEST

/* --- where they are joined ---------------------------------------------------------------------
 */

static struct udp_place *place(struct listener *l, size_t n)
{
    ck_assert_ptr_nonnull(l->udp->membership);
    ck_assert_uint_lt(n, l->udp->membership->place_count);
    return &l->udp->membership->places[n];
}

/* As the kernel has it. */
static bool is_member(const char *interface, const char *group)
{
    char line[200];

    snprintf(line, sizeof(line), "ip maddr show dev %s 2> /dev/null | grep -qwF %s", interface,
             group);
    return system(line) == 0;
}

static bool is_joined(void *arg)
{
    return ((struct udp_place *)arg)->joined;
}

static bool is_out(void *arg)
{
    return !((struct udp_place *)arg)->joined;
}

static void limit_groups(unsigned most)
{
    FILE *f = fopen("/proc/sys/net/ipv4/igmp_max_memberships", "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, "%u", most), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(groups_go_with_the_listener)
{
    to_a_host("239.1.2.3:5000", "interface = [\"eth1\", \"eth2\"];");
    ck_assert(is_member("eth1", "239.1.2.3"));
    ck_assert(is_member("eth2", "239.1.2.3"));
    to_a_host("239.1.2.4:5000", "interface = \"eth1\";");
    ck_assert(!is_member("eth1", "239.1.2.3"));
    ck_assert(!is_member("eth2", "239.1.2.3"));
    ck_assert(is_member("eth1", "239.1.2.4"));
}
END_TEST

/* However often: what the kernel allows in groups is not used up by those that are gone. */
START_TEST(an_interface_that_comes_back_is_joined_again)
{
    static const struct {
        const char *listen, *group, *options;
    } ways[] = {
        {"239.1.2.3:5000", "239.1.2.3", "interface = \"eth1\";"},
        {"232.1.2.3:5000", "232.1.2.3", "interface = \"eth1\"; source = \"10.1.0.9\";"},
        {"[ff15::1:2]:5000", "ff15::1:2", "interface = \"eth1\";"},
        {"[ff02::1:2]:5000", "ff02::1:2", "interface = \"eth1\";"},
    };
    struct listener *l;

    limit_groups(2);
    l = to_a_host(ways[_i].listen, ways[_i].options);
    for (int round = 0; round < 3; round++) {
        ck_assert(place(l, 0)->joined);
        ck_assert(is_member("eth1", ways[_i].group));
        ip("link del eth1");
        world_await(&w, is_out, place(l, 0));
        ck_assert(udp_net_is_deaf(l));
        add_interface(1);
        world_await(&w, is_joined, place(l, 0));
        ck_assert(!udp_net_is_deaf(l));
    }
}
END_TEST

START_TEST(one_that_is_not_there_is_no_error)
{
    struct listener *l = to_a_host("239.1.2.3:5000", "interface = [\"eth1\", \"eth3\"];");

    ck_assert(place(l, 0)->joined);
    ck_assert(!place(l, 1)->joined);
    ck_assert(!udp_net_is_deaf(l)); /* it hears on the other */
    add_interface(3);
    world_await(&w, is_joined, place(l, 1));
    ck_assert(is_member("eth3", "239.1.2.3"));
    ip("link set eth3 down");
    world_await(&w, is_out, place(l, 1));
    ip("link set eth3 up");
    world_await(&w, is_joined, place(l, 1));
    ck_assert(is_member("eth3", "239.1.2.3"));
    ck_assert(place(l, 0)->joined);
}
END_TEST

START_TEST(too_many_groups_are_joined_when_there_is_room)
{
    struct listener *l;

    limit_groups(1);
    l = to_a_host("239.1.2.3:5000", "interface = [\"eth1\", \"eth2\"];");
    ck_assert(place(l, 0)->joined);
    ck_assert(!place(l, 1)->joined);
    ck_assert_int_eq(place(l, 1)->told, -ENOBUFS);
    ck_assert_uint_ne(w.worker.udp->net->retry.place, 0);
    limit_groups(2);
    ip("addr add 10.3.0.1/24 dev lo"); /* whatever news */
    world_await(&w, is_joined, place(l, 1));
    ck_assert(is_member("eth2", "239.1.2.3"));
}
END_TEST

START_TEST(without_an_interface_it_is_where_the_routes_lead)
{
    struct listener *l = to_a_host("239.1.2.3:5000", "");

    ck_assert(!place(l, 0)->joined);
    ip("route add 239.0.0.0/8 dev eth2");
    ip("addr add 10.3.0.1/24 dev lo");
    world_await(&w, is_joined, place(l, 0));
    ck_assert(is_member("eth2", "239.1.2.3"));
    ip("route change 239.0.0.0/8 dev eth1");
    ip("link set eth2 down");
    while (place(l, 0)->index != if_nametoindex("eth1"))
        world_turn(&w);
    ck_assert(is_member("eth1", "239.1.2.3"));
    ck_assert(!is_member("eth2", "239.1.2.3"));
}
END_TEST

START_TEST(without_a_descriptor_it_stays_where_it_is)
{
    struct rlimit before, none;
    struct listener *l;

    ip("route add 239.0.0.0/8 dev eth2");
    l = to_a_host("239.1.2.3:5000", "");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    udp_group_update(w.worker.udp->net);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(place(l, 0)->told, -EMFILE);
    ck_assert_uint_ne(w.worker.udp->net->retry.place, 0);
    ck_assert(is_member("eth2", "239.1.2.3"));
    ck_assert(takes(l, "10.2.0.9", "239.1.2.3", "eth2"));
    udp_group_update(w.worker.udp->net);
    ck_assert(place(l, 0)->joined);
    ck_assert_int_eq(place(l, 0)->told, PLACE_JOINED);
    ck_assert(is_member("eth2", "239.1.2.3"));
}
END_TEST

/* As of a socket that was passed to us, which stays when the config has other interfaces for it. */
START_TEST(a_socket_that_stays_is_joined_as_the_config_has_it)
{
    struct listener *l = to_a_host("239.1.2.3:5000", "interface = \"eth1\";");
    const struct conf_listen *before = l->conf;
    const char *why = NULL;
    struct conf *conf = conf_of("rules = { r = { listen = \"udp:239.1.2.3:5000\"; interface = "
                                "\"eth2\"; upstream = \"10.1.0.99:7000\"; }; };");

    l->conf = &conf->rules[0].listens[0];
    ck_assert_int_eq(udp_net_change(l, &why), 0);
    ck_assert(!is_member("eth1", "239.1.2.3"));
    ck_assert(is_member("eth2", "239.1.2.3"));
    l->conf = before;
    ck_assert_int_eq(udp_net_change(l, &why), 0);
    ck_assert(is_member("eth1", "239.1.2.3"));
    ck_assert(!is_member("eth2", "239.1.2.3"));
    conf_unref(conf);
}
END_TEST

/* As in the process after this one: it has been joined, and that is well. */
START_TEST(what_is_joined_already_is_well)
{
    static const char *const ways[] = {"", "source = \"10.1.0.9\";"};
    char options[100];
    const char *why = NULL;
    struct addr bound = address("239.1.2.3", 5000);
    struct listener *l;

    snprintf(options, sizeof(options), "interface = \"eth1\"; %s", ways[_i]);
    l = to_a_host("239.1.2.3:5000", options);
    udp_net_leave(l);
    ck_assert_int_eq(udp_net_join(l, &bound, &why), 0);
    ck_assert(place(l, 0)->joined);
}
END_TEST

START_TEST(without_memory_nothing_is_left_behind)
{
    struct conf *conf = conf_of("rules = { r = { listen = \"udp:239.1.2.3:5000\"; interface = "
                                "\"eth1\"; source = \"10.1.0.9\"; upstream = \"10.1.0.99:7000\"; "
                                "}; };");
    bool refused = true;

    for (long until = 0; refused; until++) {
        struct ruleset_changes changes;
        int error;

        memory_runs_out(until, true);
        error = world_apply(&w, conf, &changes);
        refused = memory_is_back();
        if (refused && (error < 0 || changes.failed > 0))
            ck_assert(!is_member("eth1", "239.1.2.3"));
        else
            ck_assert(is_member("eth1", "239.1.2.3"));
        ruleset_close(&w.set);
        ruleset_free(&w.set);
        ruleset_init(&w.set, &w.worker);
    }
    conf_unref(conf);
}
END_TEST

int main(void)
{
    Suite *suite;
    TCase *tcase;

    if (!may_make_namespaces())
        return 77; /* Automake: skipped */
    suite = suite_create("udp_net");
    tcase = tcase_create("udp_net");
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, a_host_takes_what_is_for_it_alone);
    tcase_add_test(tcase, broadcasts_are_taken_by_who_wants_them);
    tcase_add_test(tcase, a_group_is_taken_where_it_was_joined_and_of_whom);
    tcase_add_test(tcase, copies_are_not_taken);
    tcase_add_loop_test(tcase, what_was_sent_from_here_is_not_taken, 0, 2);
    tcase_add_test(tcase, a_port_that_is_chosen_is_not_taken_from_others);
    tcase_add_test(tcase, groups_go_with_the_listener);
    tcase_add_loop_test(tcase, an_interface_that_comes_back_is_joined_again, 0, 4);
    tcase_add_test(tcase, one_that_is_not_there_is_no_error);
    tcase_add_test(tcase, too_many_groups_are_joined_when_there_is_room);
    tcase_add_test(tcase, without_an_interface_it_is_where_the_routes_lead);
    tcase_add_test(tcase, without_a_descriptor_it_stays_where_it_is);
    tcase_add_test(tcase, a_socket_that_stays_is_joined_as_the_config_has_it);
    tcase_add_loop_test(tcase, what_is_joined_already_is_well, 0, 2);
    tcase_add_test(tcase, without_memory_nothing_is_left_behind);
    return suite_run(suite);
}
