/* SPDX-License-Identifier: BSD-2-Clause */
/* Two ends of a connection, of which the near one has a duplicate. */
#ifndef PENSTOCK_TESTS_SOCK_ENDS_H
#define PENSTOCK_TESTS_SOCK_ENDS_H

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "os/sock.h"

#define WAIT_MS 20000

static const struct sock_file file = {0600, (uid_t)-1, (gid_t)-1};
static char directory[] = "/tmp/penstock-check-sock-XXXXXX";

/* Where a listener of each kind listens, by the number of the test: TCP, UNIX, abstract. */
enum { TCP, PATH, ABSTRACT, KINDS };

static inline struct addr address_of(int kind)
{
    static char path[ADDR_TEXT_MAX];
    struct addr a = {.family = AF_INET, .v4.s_addr = htonl(INADDR_LOOPBACK)};

    if (kind != TCP) {
        a = (struct addr){.family = AF_UNIX, .un.path = path};
        snprintf(path, sizeof(path), "%s%s/s", kind == ABSTRACT ? "@" : "", directory);
    }
    return a;
}

static inline int listen_on(struct addr *a)
{
    int fd = sock_listen(a, 0, false, &file);
    struct addr bound;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(sock_check_listening(fd, &bound), 0);
    a->port = bound.port;
    return fd;
}

static inline void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
}

/* 0, or why not. */
static inline int try_to_connect(const struct addr *a, int *fd)
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

static inline struct ends connect_ends(int kind)
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

#endif
