/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients and upstreams of datagrams for a world (world.h). */
#ifndef PENSTOCK_TESTS_WORLD_UDP_H
#define PENSTOCK_TESTS_WORLD_UDP_H

#include "world.h"

/* A socket of an address of this test's own; port 0: any. */
static inline int udp_at(unsigned port)
{
    struct sockaddr_in own = own_address(port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0, "port %u: %s", port,
                  strerror(errno));
    return fd;
}

struct datagram {
    int fd;
    char text[64];
    struct sockaddr_in from;
};

static inline bool has_come(void *arg)
{
    struct datagram *d = arg;
    socklen_t len = sizeof(d->from);
    ssize_t n = recvfrom(d->fd, d->text, sizeof(d->text) - 1, 0, (struct sockaddr *)&d->from, &len);

    if (n < 0)
        return false;
    d->text[n] = '\0';
    return true;
}

/* The next datagram says so. Returns from whom it is. */
static inline struct sockaddr_in await_text(struct world *w, int fd, const char *text)
{
    struct datagram d = {.fd = fd};

    world_await(w, has_come, &d);
    ck_assert_str_eq(d.text, text);
    return d.from;
}

static inline void send_to(int fd, const struct sockaddr_in *to, const char *text)
{
    ck_assert_int_eq(sendto(fd, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to)),
                     (int)strlen(text));
}

#endif
