/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving: what the kernel fills is made ready once and again when it has been used. */
#include "config.h"

#include "os/dgram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/dgram_kernel.h"

/* More than any UDP datagram has. What is cut to this has a size that no UDP socket sends. */
#define ROOM 65535u

/* Slots are some cache lines more than a power of two apart (an odd number of them), or the
 * beginnings of all would be in the same few sets of the cache. */
#define STRIDE (ROOM + 1 + 17 * 64)

/* For what we ask for, and what a socket that was passed to us may have been set to tell. */
#define CONTROL 256

struct dgram_batch {
    bool connected; /* nobody asks for names, which cost a tenth of the system call */
    struct dgram dgrams[DGRAM_BATCH];
    struct dgram_path paths[DGRAM_BATCH];
    struct mmsghdr headers[DGRAM_BATCH];
    struct iovec vecs[DGRAM_BATCH];
    struct sockaddr_storage names[DGRAM_BATCH];
    _Alignas(struct cmsghdr) uint8_t control[DGRAM_BATCH][CONTROL];
    uint8_t bytes[DGRAM_BATCH][STRIDE];
};

static void make_ready(struct dgram_batch *b, unsigned slot)
{
    struct msghdr *h = &b->headers[slot].msg_hdr;

    h->msg_name = b->connected ? NULL : &b->names[slot];
    h->msg_namelen = b->connected ? 0 : sizeof(b->names[slot]);
    h->msg_controllen = sizeof(b->control[slot]);
}

struct dgram_batch *dgram_batch_new(void)
{
    struct dgram_batch *b = malloc(sizeof(*b));

    if (b == NULL)
        return NULL;
    memset(b, 0, offsetof(struct dgram_batch, bytes));
    for (unsigned i = 0; i < DGRAM_BATCH; i++) {
        struct msghdr *h = &b->headers[i].msg_hdr;

        b->vecs[i] = (struct iovec){.iov_base = b->bytes[i], .iov_len = ROOM};
        h->msg_iov = &b->vecs[i];
        h->msg_iovlen = 1;
        h->msg_control = b->control[i];
        make_ready(b, i);
    }
    return b;
}

void dgram_batch_free(struct dgram_batch *b)
{
    free(b);
}

struct dgram *dgram_at(struct dgram_batch *b, unsigned slot)
{
    return &b->dgrams[slot];
}

/* ip(7): ipi_addr is the header's destination, ipi_spec_dst the address of ours that it came to:
 * they differ when it was sent to many. */
static void take_info4(const struct in_pktinfo *info, struct dgram *d, struct dgram_path *p)
{
    struct in_addr ours = info->ipi_spec_dst;

    /* What came before somebody asked for this does not have it: in a socket that is passed to us
     * lies what has made somebody start us. */
    if (ours.s_addr == htonl(INADDR_ANY) && info->ipi_ifindex == 0)
        ours = info->ipi_addr;
    d->dest = (struct addr){.family = AF_INET, .v4 = info->ipi_addr};
    d->is_to_many = info->ipi_addr.s_addr != ours.s_addr || addr_is_group(&d->dest) ||
                    addr_is_broadcast(&d->dest);
    p->local = (struct addr){.family = AF_INET, .v4 = ours};
    p->interface = (uint32_t)info->ipi_ifindex;
}

/* RFC 3542 section 6.2. Of IPv4 on a socket for both families IP_PKTINFO, which comes too, tells
 * more. */
static void take_info6(const struct in6_pktinfo *info, struct dgram *d, struct dgram_path *p)
{
    struct addr dest = {.family = AF_INET6, .v6 = info->ipi6_addr};

    if (IN6_IS_ADDR_V4MAPPED(&info->ipi6_addr)) {
        if (d->dest.family == AF_INET)
            return;
        dest = (struct addr){.family = AF_INET};
        memcpy(&dest.v4, &info->ipi6_addr.s6_addr[12], sizeof(dest.v4));
    }
    d->dest = dest;
    d->is_to_many = addr_is_group(&dest) || addr_is_broadcast(&dest);
    p->interface = info->ipi6_ifindex;
    if (d->is_to_many)
        return;
    p->local = dest;
    if (dest.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&dest.v6))
        p->local.scope = info->ipi6_ifindex;
}

static int int_of(const struct cmsghdr *c)
{
    int value;

    memcpy(&value, CMSG_DATA(c), sizeof(value));
    return value;
}

static void take_about_ip(const struct cmsghdr *c, struct dgram *d, struct dgram_path *p)
{
    struct in_pktinfo info4;
    struct in6_pktinfo info6;

    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        memcpy(&info4, CMSG_DATA(c), sizeof(info4));
        take_info4(&info4, d, p);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        memcpy(&info6, CMSG_DATA(c), sizeof(info6));
        take_info6(&info6, d, p);
    } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
               (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
        d->ttl = (uint8_t)int_of(c);
    }
}

static void take(struct dgram_batch *b, unsigned slot, bool connected)
{
    struct msghdr *h = &b->headers[slot].msg_hdr;
    struct dgram *d = &b->dgrams[slot];
    struct dgram_path *p = &b->paths[slot];

    *d = (struct dgram){.bytes = b->bytes[slot], .size = b->headers[slot].msg_len};
    if (!connected) {
        *p = (struct dgram_path){0};
        addr_from_sockaddr(&p->peer, &b->names[slot], h->msg_namelen);
        d->path = p;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == DGRAM_UDP_GRO)
            d->segment = (uint32_t)int_of(c);
        else if (!connected)
            take_about_ip(c, d, p);
    }
    d->interface = connected ? 0 : p->interface;
    if (d->segment >= d->size)
        d->segment = 0;
    make_ready(b, slot);
}

int dgram_receive(int fd, struct dgram_batch *b, unsigned first, unsigned most, bool connected)
{
    int n;

    if (b->connected != connected) {
        b->connected = connected;
        for (unsigned i = 0; i < DGRAM_BATCH; i++)
            make_ready(b, i);
    }
    n = recvmmsg(fd, b->headers + first, most, MSG_DONTWAIT, NULL);
    if (n < 0)
        return -errno;
    for (unsigned i = 0; i < (unsigned)n; i++)
        take(b, first + i, connected);
    return n;
}

int dgram_receive_one(int fd, struct dgram_batch *b, unsigned slot)
{
    ssize_t n = recv(fd, b->bytes[slot], ROOM, MSG_DONTWAIT);

    if (n < 0)
        return -errno;
    b->dgrams[slot] = (struct dgram){.bytes = b->bytes[slot], .size = (uint32_t)n};
    return 1;
}
