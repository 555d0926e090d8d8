/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of datagram sockets share. */
#ifndef PENSTOCK_TESTS_DGRAM_WORDS_H
#define PENSTOCK_TESTS_DGRAM_WORDS_H

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/dgram.h"

#define WAIT_MS 20000

/* Datagrams that were received, one by one, whatever runs they came in. */
struct heard {
    unsigned count, runs;
    struct {
        uint32_t size;
        uint8_t *bytes;
    } list[1024];
};

static inline void heard_free(struct heard *h)
{
    for (unsigned i = 0; i < h->count; i++)
        free(h->list[i].bytes);
    free(h);
}

static inline struct heard *heard_new(void)
{
    struct heard *h = calloc(1, sizeof(*h));

    ck_assert_ptr_nonnull(h);
    return h;
}

/* Take one apart into what it is made of. */
static inline void heard_add(struct heard *h, const struct dgram *d)
{
    uint32_t offset = 0;

    h->runs += dgram_count(d) > 1;
    for (uint32_t i = 0; i < dgram_count(d); i++) {
        uint32_t size = dgram_count(d) == 1 ? d->size : d->segment;

        if (size > d->size - offset)
            size = d->size - offset;
        ck_assert_uint_lt(h->count, sizeof(h->list) / sizeof(h->list[0]));
        h->list[h->count].size = size;
        h->list[h->count].bytes = malloc(size + 1);
        ck_assert_ptr_nonnull(h->list[h->count].bytes);
        memcpy(h->list[h->count++].bytes, d->bytes + offset, size);
        offset += size;
    }
    ck_assert_uint_eq(offset, d->size);
}

static inline void heard_same(const struct heard *a, const struct heard *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (unsigned i = 0; i < a->count; i++) {
        ck_assert_uint_eq(a->list[i].size, b->list[i].size);
        ck_assert_mem_eq(a->list[i].bytes, b->list[i].bytes, a->list[i].size);
    }
}

static inline void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
}

/* Receive into the slots from `first`; waits until there is something. */
static inline unsigned receive(int fd, struct dgram_batch *b, unsigned first, unsigned most,
                               bool connected)
{
    int n;

    do {
        await(fd, POLLIN);
        n = dgram_receive(fd, b, first, most, connected);
    } while (n == -EAGAIN);
    ck_assert_int_gt(n, 0);
    ck_assert_uint_le((unsigned)n, most);
    return (unsigned)n;
}

/* The one that has come. */
static inline struct dgram *receive_one(int fd, struct dgram_batch *b)
{
    ck_assert_uint_eq(receive(fd, b, 0, DGRAM_BATCH, false), 1);
    return dgram_at(b, 0);
}

static inline bool is_silent(int fd, struct dgram_batch *b)
{
    return dgram_receive(fd, b, 0, DGRAM_BATCH, false) == -EAGAIN;
}

static inline struct dgram_batch *new_batch(void)
{
    struct dgram_batch *b = dgram_batch_new();

    ck_assert_ptr_nonnull(b);
    return b;
}

static inline int open_at(const struct addr *a, unsigned how, struct addr *bound)
{
    int fd = dgram_open(a, how);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dgram_check(fd, bound), 0);
    return fd;
}

static inline int connect_to(const struct addr *a)
{
    int fd = dgram_connect(a);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Send one on its way, all by itself. */
static inline void send_text(int fd, sa_family_t family, const char *text,
                             const struct dgram_path *path)
{
    struct dgram d = {.bytes = (const uint8_t *)text, .size = (uint32_t)strlen(text), .path = path};
    struct dgram *list[] = {&d};
    bool whole = dgram_sends_runs(fd);

    ck_assert_int_eq(dgram_send(fd, family, list, 1, &whole), 0);
    ck_assert_int_eq(d.error, 0);
    ck_assert_uint_eq(d.sent, 1);
}

static inline struct addr ipv4(uint32_t address, in_port_t port)
{
    return (struct addr){.family = AF_INET, .v4.s_addr = htonl(address), .port = port};
}

static inline struct addr ipv6(struct in6_addr address, in_port_t port)
{
    return (struct addr){.family = AF_INET6, .v6 = address, .port = port};
}

#endif
