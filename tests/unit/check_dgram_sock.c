/* SPDX-License-Identifier: BSD-2-Clause */
/* What datagram sockets are, who may be beside them, and what they hear. */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>

#include "dgram_ends.h"
#include "os/sock.h"
#include "suite.h"

static void is_ready_made(int fd)
{
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int buffer_of(int fd, int option)
{
    int size;
    socklen_t len = sizeof(size);

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, option, &size, &len), 0);
    return size;
}

static int raw_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(sockets_never_wait_and_are_not_passed_on)
{
    struct addr a = ipv4(INADDR_LOOPBACK, 0), bound, path = {.family = AF_UNIX, .un.path = "/"};
    int fd = open_at(&a, 0, &bound), to = connect_to(&bound);

    is_ready_made(fd);
    is_ready_made(to);
    ck_assert_uint_eq(ntohl(bound.v4.s_addr), INADDR_LOOPBACK);
    ck_assert_uint_ne(bound.port, 0);
    ck_assert_int_eq(dgram_connect(&path), -ECONNREFUSED);
    path.un.path = "/nonexistent/socket";
    ck_assert_int_eq(dgram_connect(&path), -ENOENT);
    path.family = AF_UNSPEC;
    ck_assert_int_eq(dgram_connect(&path), -EINVAL);
    ck_assert_int_eq(dgram_open(&path, 0), -EINVAL);
    a = ipv4(0xc0000201, 0);
    ck_assert_int_eq(dgram_open(&a, 0), -EADDRNOTAVAIL);
    close(fd);
    close(to);
}
END_TEST

START_TEST(buffers_are_no_smaller_than_by_default)
{
    struct addr a = ipv4(INADDR_LOOPBACK, 0), bound;
    int fd = open_at(&a, 0, &bound), to = connect_to(&bound);
    int plain = raw_socket(AF_INET, SOCK_DGRAM);

    ck_assert_int_ge(buffer_of(fd, SO_RCVBUF), buffer_of(plain, SO_RCVBUF));
    ck_assert_int_ge(buffer_of(fd, SO_SNDBUF), buffer_of(plain, SO_SNDBUF));
    ck_assert_int_ge(buffer_of(to, SO_RCVBUF), buffer_of(plain, SO_RCVBUF));
    ck_assert_int_ge(buffer_of(to, SO_SNDBUF), buffer_of(plain, SO_SNDBUF));
    close(fd);
    close(to);
    close(plain);
}
END_TEST

START_TEST(a_port_is_one_socket_s_unless_all_share_it)
{
    struct addr a = ipv4(INADDR_LOOPBACK, 0);
    int fd = open_at(&a, 0, &a), other;

    ck_assert_int_eq(dgram_open(&a, 0), -EADDRINUSE);
    ck_assert_int_eq(dgram_open(&a, DGRAM_SHARED), -EADDRINUSE);
    ck_assert_int_eq(dgram_open(&a, DGRAM_BESIDE), -EADDRINUSE);
    close(fd);
    fd = open_at(&a, DGRAM_SHARED, &a);
    ck_assert_int_eq(dgram_open(&a, 0), -EADDRINUSE);
    other = open_at(&a, DGRAM_SHARED, &a);
    close(other);
    close(fd);
}
END_TEST

START_TEST(another_of_ours_may_be_bound_beside_it)
{
    struct addr a = ipv4(INADDR_LOOPBACK, 0);
    int fd = open_at(&a, 0, &a), other;

    ck_assert_int_eq(sock_share_port(fd, true), 0);
    ck_assert_int_eq(dgram_open(&a, 0), -EADDRINUSE);
    other = open_at(&a, DGRAM_BESIDE, &a);
    ck_assert_int_eq(sock_share_port(fd, false), 0);
    ck_assert_int_eq(dgram_open(&a, DGRAM_BESIDE), -EADDRINUSE);
    close(fd);
    ck_assert_int_eq(dgram_open(&a, DGRAM_BESIDE), -EADDRINUSE);
    close(other);
}
END_TEST

START_TEST(it_takes_ipv4_only_if_it_shall)
{
    struct addr a = ipv6(in6addr_any, 0), bound, v4;
    int fd, other;

    if (!has_ipv6())
        return;
    fd = open_at(&a, 0, &bound);
    v4 = ipv4(INADDR_ANY, bound.port);
    other = open_at(&v4, 0, &v4);
    close(other);
    close(fd);
    fd = open_at(&a, DGRAM_DUAL, &bound);
    v4 = ipv4(INADDR_ANY, bound.port);
    ck_assert_int_eq(dgram_open(&v4, 0), -EADDRINUSE);
    close(fd);
}
END_TEST

START_TEST(only_bound_udp_sockets_will_do)
{
    static const struct {
        int family, type, result;
    } sockets[] = {
        {AF_INET, SOCK_DGRAM, -EINVAL}, /* not bound */
        {AF_INET, SOCK_STREAM, -EINVAL},
        {AF_UNIX, SOCK_DGRAM, -EINVAL},
        {AF_UNIX, SOCK_STREAM, -EINVAL},
    };
    struct addr loopback = ipv4(INADDR_LOOPBACK, 0), bound;
    int tcp = sock_listen(&loopback, 0, 0, NULL), fds[2];

    ck_assert_int_ge(tcp, 0);
    ck_assert_int_eq(dgram_check(tcp, &bound), -EINVAL);
    close(tcp);
    for (unsigned i = 0; i < COUNT_OF(sockets); i++) {
        int fd = raw_socket(sockets[i].family, sockets[i].type);

        ck_assert_int_eq(dgram_check(fd, &bound), sockets[i].result);
        close(fd);
    }
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(dgram_check(fds[0], &bound), -ENOTSOCK);
    close(fds[0]);
    close(fds[1]);
    ck_assert_int_eq(dgram_check(fds[0], &bound), -ENOTSOCK);
}
END_TEST

/* What one sends to itself, and hears about it. */
static void tells(int fd, struct dgram_batch *b, const struct addr *to, bool paths, bool ttl)
{
    struct dgram_path path = {.peer = *to};
    const struct dgram *d;

    send_text(fd, AF_INET, "x", &path);
    d = receive_one(fd, b);
    ck_assert_uint_eq(d->path->peer.port, to->port);
    ck_assert_int_eq(d->path->local.family, paths ? AF_INET : AF_UNSPEC);
    ck_assert_int_eq(d->dest.family, paths ? AF_INET : AF_UNSPEC);
    ck_assert_int_eq(d->path->interface != 0, paths);
    ck_assert_int_eq(d->ttl != 0, ttl);
    ck_assert(!d->is_to_many);
    if (paths)
        ck_assert_uint_eq(d->dest.v4.s_addr, to->v4.s_addr);
}

START_TEST(one_that_was_passed_tells_what_it_shall)
{
    struct addr a = ipv4(INADDR_ANY, 0);
    int fd = open_at(&a, 0, &a);
    struct addr to = ipv4(0x7f000003, a.port);
    struct dgram_batch *b = new_batch();

    tells(fd, b, &to, false, false);
    dgram_set(fd, &a, DGRAM_PATHS);
    tells(fd, b, &to, true, false);
    dgram_set(fd, &a, DGRAM_PATHS | DGRAM_TTL);
    tells(fd, b, &to, true, true);
    close(fd);
    dgram_batch_free(b);
}
END_TEST

START_TEST(a_path_without_an_address_goes_as_the_routes_say)
{
    struct addr a = ipv4(INADDR_ANY, 0);
    int fd = open_at(&a, DGRAM_PATHS, &a);
    struct dgram_path path = {.peer = ipv4(0x7f000003, a.port)};
    struct dgram_batch *b = new_batch();

    send_text(fd, AF_INET, "x", &path);
    ck_assert_uint_eq(ntohl(receive_one(fd, b)->path->peer.v4.s_addr), INADDR_LOOPBACK);
    path.local = ipv4(0x7f000004, 0);
    send_text(fd, AF_INET, "x", &path);
    ck_assert_uint_eq(ntohl(receive_one(fd, b)->path->peer.v4.s_addr), 0x7f000004);
    close(fd);
    dgram_batch_free(b);
}
END_TEST

/* Whoever is handed a socket must know, or runs would be taken for single datagrams. */
START_TEST(it_tells_whether_it_hears_runs)
{
    struct addr a = ipv4(INADDR_LOOPBACK, 0), b = a;
    int fd = open_at(&a, 0, &a), other = open_at(&b, DGRAM_RUNS, &b);
    int pair[2];

    dgram_receive_many(fd);
    ck_assert(!dgram_hears_runs(fd));
    ck_assert(dgram_hears_runs(other));
    dgram_receive_runs(fd);
    ck_assert(dgram_hears_runs(fd));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    ck_assert(!dgram_hears_runs(pair[0]));
    close(pair[0]);
    close(pair[1]);
    close(fd);
    close(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dgram_sock");
    TCase *tcase = tcase_create("dgram_sock");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, count_before, count_after);
    tcase_add_test(tcase, sockets_never_wait_and_are_not_passed_on);
    tcase_add_test(tcase, buffers_are_no_smaller_than_by_default);
    tcase_add_test(tcase, a_port_is_one_socket_s_unless_all_share_it);
    tcase_add_test(tcase, another_of_ours_may_be_bound_beside_it);
    tcase_add_test(tcase, it_takes_ipv4_only_if_it_shall);
    tcase_add_test(tcase, only_bound_udp_sockets_will_do);
    tcase_add_test(tcase, one_that_was_passed_tells_what_it_shall);
    tcase_add_test(tcase, a_path_without_an_address_goes_as_the_routes_say);
    tcase_add_test(tcase, it_tells_whether_it_hears_runs);
    return suite_run(suite);
}
