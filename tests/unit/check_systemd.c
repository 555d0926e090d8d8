/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to a service manager, played by the test; and one that does not answer. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/sock.h"
#include "os/systemd.h"
#include "suite.h"

#define TEXT 1024

/* --- a manager ------------------------------------------------------------------------------- */

static int bind_name(int type, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    return fd;
}

static int open_manager(void)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/tmp/penstock-check-systemd-%d", (int)getpid());
    fd = bind_name(SOCK_DGRAM | SOCK_NONBLOCK, path);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

static void close_manager(int fd)
{
    unlink(getenv("NOTIFY_SOCKET"));
    close(fd);
}

/* The next message, -1 without one; the descriptors that came with it, and their number. */
static int receive(int fd, char *text, int *fds)
{
    char control[CMSG_SPACE(sizeof(int) * SYSTEMD_STORE_BATCH)] = {0};
    struct iovec line = {text, TEXT - 1};
    struct msghdr m = {.msg_iov = &line,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    size_t bytes = c ? c->cmsg_len - CMSG_LEN(0) : 0;

    if (n < 0)
        return -1;
    text[n] = '\0';
    if (bytes > 0)
        memcpy(fds, CMSG_DATA(c), bytes);
    return (int)(bytes / sizeof(int));
}

static bool has_line(const char *text, const char *line)
{
    char around[TEXT + 2], wanted[128];

    snprintf(around, sizeof(around), "\n%s\n", text);
    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    return strstr(around, wanted) != NULL;
}

/* --- the store ------------------------------------------------------------------------------- */

START_TEST(a_full_batch_arrives)
{
    int manager = open_manager(), sent[SYSTEMD_STORE_BATCH + 1], got[SYSTEMD_STORE_BATCH];
    uint64_t a, b;
    char text[TEXT];

    for (int i = 0; i <= SYSTEMD_STORE_BATCH; i++)
        sent[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(systemd_store(".s", sent, SYSTEMD_STORE_BATCH), 0);
    ck_assert_int_eq(receive(manager, text, got), SYSTEMD_STORE_BATCH);
    ck_assert_msg(has_line(text, "FDSTORE=1") && has_line(text, "FDPOLL=0") &&
                      has_line(text, "FDNAME=.s"),
                  "%s", text);
    for (int i = 0; i < SYSTEMD_STORE_BATCH; i++) {
        ck_assert_int_eq(sock_id(sent[i], &a), 0);
        ck_assert_int_eq(sock_id(got[i], &b), 0);
        ck_assert_uint_eq(a, b);
    }
    ck_assert_int_eq(systemd_store(".s", sent, SYSTEMD_STORE_BATCH + 1), -EINVAL);
    ck_assert_int_eq(systemd_store(".s", sent, 0), 0);
    ck_assert_int_eq(receive(manager, text, got), -1);
    close_manager(manager);
}
END_TEST

START_TEST(removal_goes_by_name)
{
    int manager = open_manager(), none;
    char text[TEXT];

    ck_assert_int_eq(systemd_store_remove(".l"), 0);
    ck_assert_int_eq(receive(manager, text, &none), 0);
    ck_assert(has_line(text, "FDSTOREREMOVE=1") && has_line(text, "FDNAME=.l"));
    close_manager(manager);
}
END_TEST

START_TEST(a_name_that_the_manager_would_not_take_is_refused)
{
    int manager = open_manager();
    char name[257];

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    ck_assert_int_eq(systemd_store_remove(name), -EINVAL);
    name[255] = '\0';
    ck_assert_int_eq(systemd_store_remove(name), 0);
    ck_assert_int_eq(systemd_store_remove(""), -EINVAL);
    ck_assert_int_eq(systemd_store_remove("a:b"), -EINVAL);
    ck_assert_int_eq(systemd_store("a\nREADY=1", &manager, 1), -EINVAL);
    close_manager(manager);
}
END_TEST

START_TEST(a_manager_that_does_not_read_stops_nobody)
{
    int manager = open_manager(), error = 0, sent = 0, none;
    char text[TEXT];

    for (; error == 0; sent += error == 0) {
        ck_assert_int_lt(sent, 1000000);
        error = systemd_store(".s", &manager, 1);
    }
    ck_assert_int_eq(error, -EAGAIN);
    ck_assert_int_eq(systemd_notify("STATUS=x"), -EAGAIN);
    ck_assert_int_eq(systemd_barrier(50), -ETIMEDOUT);
    ck_assert_int_eq(receive(manager, text, &none), 1);
    ck_assert_int_eq(systemd_notify("STATUS=x"), 0);
    close_manager(manager);
}
END_TEST

START_TEST(without_a_manager_all_is_well)
{
    int fd = 0;

    ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
    ck_assert_int_eq(systemd_notify("READY=1"), 0);
    ck_assert_int_eq(systemd_store(".s", &fd, 1), 0);
    ck_assert_int_eq(systemd_store_remove(".s"), 0);
    ck_assert_int_eq(systemd_barrier(0), 0);
}
END_TEST

START_TEST(a_manager_that_is_gone_is_an_error)
{
    int manager = open_manager();

    close_manager(manager);
    ck_assert_int_eq(systemd_store(".s", &manager, 0), 0);
    ck_assert_int_eq(systemd_store_remove(".s"), -ENOENT);
    ck_assert_int_eq(systemd_barrier(1000), -ENOENT);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", "relative", 1), 0);
    ck_assert_int_eq(systemd_store_remove(".s"), -EINVAL);
}
END_TEST

/* --- the barrier ----------------------------------------------------------------------------- */

struct reader {
    int manager;
    int messages; /* read before the barrier */
};

/* Reads as the manager does, with a blocking socket, up to the barrier, which it lets go. */
static void *read_to_barrier(void *arg)
{
    struct reader *r = arg;
    char text[TEXT] = "";
    int fd = -1;

    while (receive(r->manager, text, &fd) >= 0 && strcmp(text, "BARRIER=1") != 0)
        r->messages++;
    close(fd);
    return NULL;
}

START_TEST(a_barrier_comes_after_all_before_it)
{
    struct reader r = {.manager = open_manager()};
    pthread_t thread;

    ck_assert_int_eq(fcntl(r.manager, F_SETFL, 0), 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(systemd_notify("STATUS=x"), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_to_barrier, &r), 0);
    ck_assert_int_eq(systemd_barrier(60000), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(r.messages, 5);
    close_manager(r.manager);
}
END_TEST

START_TEST(a_barrier_that_nobody_reads_is_given_up)
{
    int manager = open_manager();

    ck_assert_int_eq(systemd_barrier(50), -ETIMEDOUT);
    close_manager(manager);
}
END_TEST

/* --- asking ---------------------------------------------------------------------------------- */

/* As a service of a user's manager that has its sockets here. */
static void set_directory(const char *directory)
{
    char address[128];

    snprintf(address, sizeof(address), "unix:path=%s/bus", directory);
    ck_assert_int_eq(setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef", 1), 0);
    ck_assert_int_eq(setenv("MANAGERPID", "1", 1), 0);
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", directory, 1), 0);
    ck_assert_int_eq(setenv("DBUS_SESSION_BUS_ADDRESS", address, 1), 0);
}

/* Sockets at which nobody ever accepts or answers, or (backlog -1) nobody listens. */
static void bind_both(const char *directory, int private_backlog, int bus_backlog)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/systemd", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/systemd/private", directory);
    fd = bind_name(SOCK_STREAM, path);
    if (private_backlog >= 0)
        ck_assert_int_eq(listen(fd, private_backlog), 0);
    snprintf(path, sizeof(path), "%s/bus", directory);
    fd = bind_name(SOCK_STREAM, path);
    if (bus_backlog >= 0)
        ck_assert_int_eq(listen(fd, bus_backlog), 0);
}

static void remove_both(const char *directory)
{
    static const char *const names[] = {"/systemd/private", "/bus", "/systemd", ""};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", directory, names[i]);
        ck_assert_int_eq(remove(path), 0);
    }
}

static int ask_at(int private_backlog, int bus_backlog)
{
    char directory[] = "/tmp/penstock-check-systemd-XXXXXX";
    struct systemd_unit unit;
    int error;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    bind_both(directory, private_backlog, bus_backlog);
    set_directory(directory);
    error = systemd_ask(&unit, 100);
    remove_both(directory);
    return error;
}

START_TEST(who_does_not_answer_is_not_waited_for)
{
    ck_assert_int_eq(ask_at(5, -1), -ETIMEDOUT);
    ck_assert_int_eq(ask_at(-1, 5), -ETIMEDOUT);
}
END_TEST

START_TEST(who_does_not_listen_is_not_asked)
{
    ck_assert_int_eq(ask_at(-1, -1), -ECONNREFUSED);
}
END_TEST

START_TEST(who_is_no_unit_does_not_ask)
{
    struct systemd_unit unit;

    ck_assert_int_eq(unsetenv("INVOCATION_ID"), 0);
    ck_assert_int_eq(systemd_ask(&unit, 60000), -ENXIO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("systemd");
    TCase *tcase = tcase_create("with or without libsystemd");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, without_a_manager_all_is_well);
    tcase_add_test(tcase, who_is_no_unit_does_not_ask);
    if (systemd_built_in()) {
        TCase *with = tcase_create("with");

        suite_add_tcase(suite, with);
        tcase_set_timeout(with, 60);
        tcase_add_test(with, a_full_batch_arrives);
        tcase_add_test(with, removal_goes_by_name);
        tcase_add_test(with, a_name_that_the_manager_would_not_take_is_refused);
        tcase_add_test(with, a_manager_that_does_not_read_stops_nobody);
        tcase_add_test(with, a_manager_that_is_gone_is_an_error);
        tcase_add_test(with, a_barrier_comes_after_all_before_it);
        tcase_add_test(with, a_barrier_that_nobody_reads_is_given_up);
        tcase_add_test(with, who_does_not_answer_is_not_waited_for);
        tcase_add_test(with, who_does_not_listen_is_not_asked);
    }
    return suite_run(suite);
}
