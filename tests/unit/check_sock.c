/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that others hold too: what they are called, and that they end all the same. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/conf.h"
#include "os/sock.h"
#include "suite.h"

#define WAIT_MS 20000

static const struct sock_file file = {0600, (uid_t)-1, (gid_t)-1};
static char directory[] = "/tmp/penstock-check-sock-XXXXXX";

/* --- helpers ---------------------------------------------------------------------------------- */

static bool has_ipv6(void)
{
    struct addr loopback = {.family = AF_INET6, .v6 = in6addr_loopback};
    int fd = sock_listen(&loopback, 0, false, NULL);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Where a listener of each kind listens, by the number of the test: TCP, UNIX, abstract. */
enum { TCP, PATH, ABSTRACT, KINDS };

static struct addr address_of(int kind)
{
    static char path[ADDR_TEXT_MAX];
    struct addr a = {.family = AF_INET, .v4.s_addr = htonl(INADDR_LOOPBACK)};

    if (kind != TCP) {
        a = (struct addr){.family = AF_UNIX, .un.path = path};
        snprintf(path, sizeof(path), "%s%s/s", kind == ABSTRACT ? "@" : "", directory);
    }
    return a;
}

static int listen_on(struct addr *a)
{
    int fd = sock_listen(a, 0, false, &file);
    struct addr bound;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(sock_check_listening(fd, &bound), 0);
    a->port = bound.port;
    return fd;
}

static void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
}

/* 0, or why not. */
static int try_to_connect(const struct addr *a, int *fd)
{
    bool done = false;

    *fd = sock_connect(a, &done);
    if (*fd < 0)
        return -*fd;
    if (done)
        return 0;
    await(*fd, POLLOUT);
    return sock_error(*fd);
}

/* Two ends of a connection, and a duplicate of the near one. */
struct ends {
    int near, peer, duplicate;
};

static struct ends connect_ends(int kind)
{
    struct addr a = address_of(kind), from;
    int listener = listen_on(&a);
    struct ends e;

    ck_assert_int_eq(try_to_connect(&a, &e.peer), 0);
    await(listener, POLLIN);
    e.near = sock_accept(listener, &from);
    ck_assert_int_ge(e.near, 0);
    e.duplicate = dup(e.near);
    ck_assert_int_ge(e.duplicate, 0);
    close(listener);
    if (kind == PATH)
        unlink(a.un.path);
    return e;
}

/* Read to the end: how many bytes, and in *error what came then (0: end of file). */
static size_t read_to_end(int fd, int *error)
{
    char bytes[65536];
    size_t total = 0;
    ssize_t n;

    do {
        await(fd, POLLIN);
        n = read(fd, bytes, sizeof(bytes));
        total += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EAGAIN));
    *error = n < 0 ? errno : 0;
    return total;
}

/* --- identity --------------------------------------------------------------------------------- */

/* An inode would do for the rest of the test, and is no identity: its number comes round. */
static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
    ck_assert_uint_ne(cookie, 0);
    return cookie;
}

START_TEST(duplicates_are_one_socket)
{
    struct ends e = connect_ends(TCP);
    uint64_t near = 0, duplicate = 0, peer = 0;
    int fds[2];

    ck_assert_int_eq(sock_id(e.near, &near), 0);
    ck_assert_int_eq(sock_id(e.duplicate, &duplicate), 0);
    ck_assert_int_eq(sock_id(e.peer, &peer), 0);
    ck_assert_uint_eq(near, duplicate);
    ck_assert_uint_ne(near, peer);
    ck_assert_uint_eq(near, cookie_of(e.near));
    ck_assert_uint_eq(peer, cookie_of(e.peer));
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(sock_id(fds[0], &near), -ENOTSOCK);
    close(fds[0]);
    ck_assert_int_eq(sock_id(fds[0], &near), -EBADF);
}
END_TEST

/* --- the text --------------------------------------------------------------------------------- */

/* A port that is free in both families. */
static unsigned free_port(void)
{
    struct addr any = {.family = has_ipv6() ? AF_INET6 : AF_INET}, bound;
    int fd = sock_listen(&any, 0, true, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(sock_check_listening(fd, &bound), 0);
    close(fd);
    return bound.port;
}

/* Listen where the config says, and see that the socket has the config's name for it. False when
 * somebody else has the port. */
static bool has_text_of_config(const char *listen)
{
    char text[512], out[ADDR_TEXT_MAX];
    struct conf_errors errors;
    struct conf *conf;
    int fd;

    snprintf(text, sizeof(text),
             "rules = { r = { listen = \"%s\"; upstream = \"192.0.2.1:1\"; }; };", listen);
    conf = conf_load_text("c", text, strlen(text), &errors);
    ck_assert_msg(conf && errors.count == 0, "%s", listen);
    const struct conf_listen *l = &conf->rules[0].listens[0];

    fd = sock_listen(&l->address, 0, l->kind == ADDR_ANY, &file);
    ck_assert_msg(fd >= 0 || fd == -EADDRINUSE, "%s: %s", listen, strerror(-fd));
    if (fd >= 0) {
        ck_assert_msg(sock_text(fd, out, sizeof(out)), "%s", listen);
        ck_assert_str_eq(out, l->text);
        close(fd);
    }
    if (l->kind == ADDR_PATH && l->address.un.path[0] == '/')
        unlink(l->address.un.path);
    conf_errors_free(&errors);
    conf_unref(conf);
    return fd >= 0;
}

static void expect_inet(const char *host)
{
    char listen[ADDR_TEXT_MAX];
    int attempts = 0;

    do {
        ck_assert_int_lt(attempts++, 20);
        snprintf(listen, sizeof(listen), "%s:%u", host, free_port());
    } while (!has_text_of_config(listen));
}

START_TEST(an_address_has_the_text_of_the_config)
{
    static const char *const v4[] = {"0.0.0.0", "127.0.0.1", "127.0.0.2", "tcp:127.1.2.3"};
    static const char *const v6[] = {
        "*", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "tcp:[0::0]", "tcp:*"};

    for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
        expect_inet(v4[i]);
    for (size_t i = 0; has_ipv6() && i < sizeof(v6) / sizeof(v6[0]); i++)
        expect_inet(v6[i]);
}
END_TEST

START_TEST(a_zone_is_part_of_the_text)
{
    struct ifaddrs *all, *i;
    char host[ADDR_TEXT_MAX], name[INET6_ADDRSTRLEN];

    ck_assert_int_eq(getifaddrs(&all), 0);
    for (i = all; i; i = i->ifa_next) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)i->ifa_addr;

        if (!a || a->sin6_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr))
            continue;
        inet_ntop(AF_INET6, &a->sin6_addr, name, sizeof(name));
        snprintf(host, sizeof(host), "[%s%%%u]", name, (unsigned)a->sin6_scope_id);
        expect_inet(host);
    }
    freeifaddrs(all);
}
END_TEST

START_TEST(a_path_has_the_text_of_the_config)
{
    char text[256], fill[128];
    size_t most = sizeof(((struct sockaddr_un *)0)->sun_path);

    memset(fill, 'x', sizeof(fill));
    snprintf(text, sizeof(text), "unix:%s/s", directory);
    ck_assert(has_text_of_config(text));
    snprintf(text, sizeof(text), "unix:@%s/s", directory);
    ck_assert(has_text_of_config(text));
    /* As long as can be: a path with its NUL, and a name without. */
    snprintf(text, sizeof(text), "unix:%s/%.*s", directory, (int)(most - strlen(directory) - 2),
             fill);
    ck_assert_uint_eq(strlen(text), strlen("unix:") + most - 1);
    ck_assert(has_text_of_config(text));
    snprintf(text, sizeof(text), "unix:@%s%.*s", directory, (int)(most - strlen(directory) - 1),
             fill);
    ck_assert_uint_eq(strlen(text), strlen("unix:") + most);
    ck_assert(has_text_of_config(text));
}
END_TEST

START_TEST(some_sockets_have_no_text)
{
    static const struct sockaddr_un nul = {.sun_family = AF_UNIX, .sun_path = "\0penstock\0nul"};
    struct addr a = address_of(TCP);
    char out[ADDR_TEXT_MAX];
    int fds[2], fd;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert(!sock_text(fds[0], out, sizeof(out)));
    close(fds[0]);
    ck_assert(!sock_text(fds[0], out, sizeof(out)));
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&nul, sizeof(sa_family_t) + 13), 0);
    ck_assert(!sock_text(fd, out, sizeof(out)));
    close(fd);
    fd = listen_on(&a);
    ck_assert(sock_text(fd, out, sizeof(out)));
    ck_assert(sock_text(fd, out, strlen(out) + 1));
    ck_assert(!sock_text(fd, out, strlen(out)));
}
END_TEST

/* --- listening -------------------------------------------------------------------------------- */

START_TEST(nobody_listens_any_more_in_spite_of_a_duplicate)
{
    struct addr a = address_of(_i);
    int listener = listen_on(&a), duplicate = dup(listener);
    int before = -1, after, error;
    struct addr bound;
    char c;

    ck_assert_int_ge(duplicate, 0);
    ck_assert_int_eq(try_to_connect(&a, &before), 0);
    sock_stop_listening(listener);
    ck_assert_int_eq(try_to_connect(&a, &after), ECONNREFUSED);
    /* Who waited in the backlog does so no longer. */
    await(before, POLLIN);
    error = read(before, &c, 1) < 0 ? errno : 0;
    ck_assert_int_eq(error, _i == TCP ? ECONNRESET : 0);
    ck_assert_int_eq(sock_check_listening(duplicate, &bound), -EINVAL);
    close(listener);
    ck_assert_int_eq(try_to_connect(&a, &after), ECONNREFUSED);
    close(duplicate);
    if (_i == PATH)
        unlink(a.un.path);
}
END_TEST

/* tcp_info of a listening socket has its backlog in place of what is sacked (tcp_diag). */
static unsigned backlog_of(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_sacked;
}

static unsigned system_backlog(void)
{
    FILE *f = fopen("/proc/sys/net/core/somaxconn", "r");
    unsigned most = 0;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%u", &most), 1);
    fclose(f);
    return most;
}

START_TEST(the_backlog_can_be_changed)
{
    struct addr a = address_of(TCP);
    int fd = listen_on(&a), client;

    ck_assert_uint_eq(backlog_of(fd), system_backlog());
    ck_assert_int_eq(try_to_connect(&a, &client), 0);
    ck_assert_int_eq(sock_relisten(fd, 7), 0);
    ck_assert_uint_eq(backlog_of(fd), 7);
    ck_assert_int_eq(sock_relisten(fd, 0), 0);
    ck_assert_uint_eq(backlog_of(fd), system_backlog());
    /* Who waits goes on waiting. */
    ck_assert_int_ge(sock_accept(fd, &a), 0);
    ck_assert_int_eq(sock_relisten(-1, 1), -EBADF);
}
END_TEST

/* --- ending ----------------------------------------------------------------------------------- */

START_TEST(a_fin_leaves_in_spite_of_a_duplicate)
{
    struct ends e = connect_ends(_i);
    int error;

    ck_assert_int_eq(write(e.near, "last", 4), 4);
    sock_end(e.near);
    ck_assert_uint_eq(read_to_end(e.peer, &error), 4);
    ck_assert_int_eq(error, 0);
    ck_assert_int_ge(fcntl(e.duplicate, F_GETFD), 0);
    close(e.duplicate);
    close(e.peer);
}
END_TEST

/* What sock_reset() does alone, sock_abort() does beside a duplicate. */
static void reset_alone(struct ends *e)
{
    close(e->duplicate);
    e->duplicate = -1;
    sock_reset(e->near);
}

static void abort_beside(struct ends *e)
{
    sock_abort(e->near);
    ck_assert_int_ge(fcntl(e->duplicate, F_GETFD), 0);
}

static void (*const resets[])(struct ends *e) = {reset_alone, abort_beside};

static void close_ends(struct ends *e)
{
    close(e->peer);
    if (e->duplicate >= 0)
        close(e->duplicate);
}

START_TEST(a_reset_leaves_in_spite_of_a_duplicate)
{
    struct ends e = connect_ends(TCP);
    int error;

    resets[_i](&e);
    ck_assert_uint_eq(read_to_end(e.peer, &error), 0);
    ck_assert_int_eq(error, ECONNRESET);
    close_ends(&e);
}
END_TEST

START_TEST(a_reset_leaves_after_our_fin)
{
    struct ends e = connect_ends(TCP);
    int error;

    ck_assert_int_eq(shutdown(e.near, SHUT_WR), 0);
    ck_assert_uint_eq(read_to_end(e.peer, &error), 0);
    ck_assert_int_eq(error, 0);
    resets[_i](&e);
    await(e.peer, POLLERR);
    ck_assert_int_eq(sock_error(e.peer), EPIPE); /* so Linux calls it behind a FIN */
    close_ends(&e);
}
END_TEST

START_TEST(a_reset_leaves_after_the_peers_fin)
{
    struct ends e = connect_ends(TCP);
    char c;

    ck_assert_int_eq(shutdown(e.peer, SHUT_WR), 0);
    await(e.near, POLLIN);
    ck_assert_int_eq(read(e.near, &c, 1), 0);
    resets[_i](&e);
    await(e.peer, POLLERR);
    ck_assert_int_eq(sock_error(e.peer), ECONNRESET);
    close_ends(&e);
}
END_TEST

START_TEST(a_reset_throws_away_what_is_unsent)
{
    struct ends e = connect_ends(TCP);
    static char bytes[65536];
    size_t written = 0, got;
    ssize_t n;
    int error;

    for (n = 1; n > 0; written += n > 0 ? (size_t)n : 0)
        n = write(e.near, bytes, sizeof(bytes));
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_gt(sock_unsent(e.near), 0);
    resets[_i](&e);
    got = read_to_end(e.peer, &error);
    ck_assert_int_eq(error, ECONNRESET);
    ck_assert_uint_lt(got, written);
    close_ends(&e);
}
END_TEST

START_TEST(a_unix_peer_sees_an_end)
{
    struct ends e = connect_ends(PATH);
    int error;

    ck_assert_int_eq(write(e.near, "last", 4), 4);
    sock_abort(e.near);
    ck_assert_uint_eq(read_to_end(e.peer, &error), 4);
    ck_assert_int_eq(error, 0);
    ck_assert_int_ge(fcntl(e.duplicate, F_GETFD), 0);
    close_ends(&e);
}
END_TEST

/* --- exec ------------------------------------------------------------------------------------- */

START_TEST(a_descriptor_stays_or_goes)
{
    struct addr a = address_of(TCP);
    int fd = listen_on(&a);

    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(sock_keep_on_exec(fd, true), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
    ck_assert_int_eq(sock_keep_on_exec(fd, false), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(sock_keep_on_exec(-1, true), -EBADF);
}
END_TEST

/* --- what has come of an attempt to connect ----------------------------------------------------
 */

static int attempt(const struct addr *a)
{
    bool done;
    int fd = sock_connect(a, &done);

    ck_assert_int_ge(fd, 0);
    if (!done)
        await(fd, POLLOUT);
    return fd;
}

START_TEST(an_attempt_is_told_to_have_worked)
{
    struct addr a = address_of(TCP);
    int listening = listen_on(&a), fd = attempt(&a);

    ck_assert_int_eq(sock_connected(fd), 0);
    close(fd);
    close(listening);
}
END_TEST

/* The peer was quicker than we are. */
START_TEST(bytes_before_a_reset_are_left_and_so_is_the_reset)
{
    struct addr a = address_of(TCP);
    int listening = listen_on(&a), fd = attempt(&a), peer;
    char bytes[16];

    await(listening, POLLIN);
    peer = accept(listening, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    ck_assert_int_eq(send(peer, "last words", 10, 0), 10);
    await(fd, POLLIN);
    sock_reset(peer);
    await(fd, POLLERR);
    ck_assert_int_eq(sock_connected(fd), 0);
    ck_assert_int_eq(recv(fd, bytes, sizeof(bytes), 0), 10);
    ck_assert_int_eq(recv(fd, bytes, sizeof(bytes), 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
    close(fd);
    fd = attempt(&a);
    await(listening, POLLIN);
    sock_reset(accept(listening, NULL, NULL));
    await(fd, POLLERR);
    ck_assert_int_eq(sock_connected(fd), ECONNRESET); /* and nothing before */
    close(fd);
    close(listening);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sock");
    TCase *names = tcase_create("names"), *ends = tcase_create("ends");
    int status;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    suite_add_tcase(suite, names);
    suite_add_tcase(suite, ends);
    tcase_set_timeout(ends, 60);
    tcase_add_test(names, duplicates_are_one_socket);
    tcase_add_test(names, an_address_has_the_text_of_the_config);
    tcase_add_test(names, a_zone_is_part_of_the_text);
    tcase_add_test(names, a_path_has_the_text_of_the_config);
    tcase_add_test(names, some_sockets_have_no_text);
    tcase_add_loop_test(ends, nobody_listens_any_more_in_spite_of_a_duplicate, 0, KINDS);
    tcase_add_test(ends, the_backlog_can_be_changed);
    tcase_add_loop_test(ends, a_fin_leaves_in_spite_of_a_duplicate, 0, KINDS);
    tcase_add_loop_test(ends, a_reset_leaves_in_spite_of_a_duplicate, 0, 2);
    tcase_add_loop_test(ends, a_reset_leaves_after_our_fin, 0, 2);
    tcase_add_loop_test(ends, a_reset_leaves_after_the_peers_fin, 0, 2);
    tcase_add_loop_test(ends, a_reset_throws_away_what_is_unsent, 0, 2);
    tcase_add_test(ends, a_unix_peer_sees_an_end);
    tcase_add_test(ends, an_attempt_is_told_to_have_worked);
    tcase_add_test(ends, bytes_before_a_reset_are_left_and_so_is_the_reset);
    tcase_add_test(ends, a_descriptor_stays_or_goes);
    status = suite_run(suite);
    rmdir(directory);
    return status;
}
