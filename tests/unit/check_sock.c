/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that others hold too end all the same. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "sock_ends.h"
#include "suite.h"

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

/* --- what has come of an attempt to connect --------------------------------------------------- */

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
    TCase *ends = tcase_create("ends");
    int status;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    suite_add_tcase(suite, ends);
    tcase_set_timeout(ends, 60);
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
