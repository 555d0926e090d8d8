/* SPDX-License-Identifier: BSD-2-Clause */
/* Two ends that datagrams go between. */
#ifndef PENSTOCK_TESTS_DGRAM_ENDS_H
#define PENSTOCK_TESTS_DGRAM_ENDS_H

#include "descriptors.h"
#include "dgram_words.h"

/* Every way that two ends can be, by the number of the test. */
enum { V4, V6, DUAL_V4, DUAL_V6, KINDS };
#define SENDS_RUNS    (KINDS)
#define RECEIVES_RUNS (2 * KINDS)
#define WAYS          (4 * KINDS)

struct ends {
    int server, client;
    sa_family_t family; /* of the server's socket */
    bool whole[2];
    struct dgram_batch *batch;
    struct dgram_path back; /* to the client */
};

static inline bool has_ipv6(void)
{
    struct addr a = ipv6(in6addr_loopback, 0);
    int fd = dgram_open(&a, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* False: there is no IPv6. */
static inline bool make_ends(struct ends *e, int way)
{
    int kind = way % KINDS, room = 1 << 22;
    struct addr any = kind == V4 ? ipv4(INADDR_ANY, 0) : ipv6(in6addr_any, 0), bound;
    unsigned how = DGRAM_PATHS | (kind >= DUAL_V4 ? DGRAM_DUAL : 0);

    if (kind != V4 && !has_ipv6())
        return false;
    *e = (struct ends){.family = any.family, .batch = new_batch()};
    e->server = open_at(&any, how | (way & RECEIVES_RUNS ? DGRAM_RUNS : 0), &bound);
    bound = kind == V4 || kind == DUAL_V4 ? ipv4(0x7f000002, bound.port)
                                          : ipv6(in6addr_loopback, bound.port);
    e->client = connect_to(&bound);
    setsockopt(e->client, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    if (way & RECEIVES_RUNS)
        dgram_receive_runs(e->client);
    if (way & SENDS_RUNS) {
        e->whole[0] = dgram_sends_runs(e->server);
        e->whole[1] = dgram_sends_runs(e->client);
    }
    send_text(e->client, bound.family, "hello", NULL);
    e->back = *receive_one(e->server, e->batch)->path;
    e->back.interface = 0;
    return true;
}

static inline void close_ends(struct ends *e)
{
    close(e->server);
    close(e->client);
    dgram_batch_free(e->batch);
}

static inline uint8_t *make_bytes(size_t size, unsigned seed)
{
    uint8_t *bytes = malloc(size + 1);

    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
    return bytes;
}

static int descriptors_before;

static inline void count_before(void)
{
    descriptors_before = count_descriptors();
}

static inline void count_after(void)
{
    ck_assert_int_eq(count_descriptors(), descriptors_before);
}

#endif
