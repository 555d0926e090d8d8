/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sending: datagrams become messages, one or several of the same size (UDP_SEGMENT) each, and many
 * messages go with one sendmmsg(2). A message is sent as a whole or not at all.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "os/dgram.h"
#include "os/dgram_kernel.h"

/* Datagrams in one packet (UDP_MAX_SEGMENTS of the first kernels that had it). */
#define RUN_MOST 64u

/* Messages in one call, and pieces of datagrams' memory in all of them: a piece ends where a
 * datagram or a message does. */
#define MESSAGES DGRAM_BATCH
#define VECS     (2 * DGRAM_BATCH)

#define CONTROL (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)))

/* Where in the list: the datagram of this number in this element. */
struct place {
    unsigned index;
    uint32_t nth;
};

struct sending {
    int fd;
    sa_family_t family;
    struct dgram *const *list;
    unsigned count;
    bool *whole;
    struct place at; /* those before it are done with */
    uint32_t apart;  /* so many from there go each by itself: as a run they were refused */
    int pending;     /* what is to be returned */
    unsigned messages, vecs;
    uint32_t datagrams[MESSAGES]; /* in each message */
    struct mmsghdr headers[MESSAGES];
    struct iovec vec[VECS];
    struct sockaddr_storage names[MESSAGES];
    _Alignas(struct cmsghdr) uint8_t control[MESSAGES][CONTROL];
};

/* --- composing -------------------------------------------------------------------------------- */

static void *add_control(struct msghdr *h, int level, int type, size_t size)
{
    struct cmsghdr *c = (void *)((uint8_t *)h->msg_control + h->msg_controllen);

    memset(c, 0, CMSG_SPACE(size));
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    h->msg_controllen += CMSG_SPACE(size);
    return CMSG_DATA(c);
}

/* A socket for both families knows IPv4 by its mapped form (RFC 4291 section 2.5.5.2). */
static void set_name(struct sending *s, struct msghdr *h, const struct addr *peer)
{
    struct sockaddr_storage *name = &s->names[s->messages];
    struct addr mapped = {.family = AF_INET6, .port = peer->port};

    if (s->family == AF_INET6 && peer->family == AF_INET) {
        mapped.v6.s6_addr[10] = mapped.v6.s6_addr[11] = 0xff;
        memcpy(&mapped.v6.s6_addr[12], &peer->v4, sizeof(peer->v4));
        peer = &mapped;
    }
    h->msg_name = name;
    h->msg_namelen = addr_to_sockaddr(peer, name);
}

static void set_source(struct msghdr *h, const struct dgram_path *p)
{
    bool known = p->local.family == p->peer.family;
    struct in_pktinfo info4 = {.ipi_ifindex = (int)p->interface};
    struct in6_pktinfo info6 = {.ipi6_ifindex = p->interface};

    if (!known && p->interface == 0)
        return;
    if (p->peer.family == AF_INET) {
        if (known)
            info4.ipi_spec_dst = p->local.v4;
        memcpy(add_control(h, IPPROTO_IP, IP_PKTINFO, sizeof(info4)), &info4, sizeof(info4));
    } else if (p->peer.family == AF_INET6) {
        if (known)
            info6.ipi6_addr = p->local.v6;
        memcpy(add_control(h, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info6)), &info6, sizeof(info6));
    }
}

static bool is_run(const struct dgram *d)
{
    return dgram_count(d) > 1;
}

/* The size of the first of it. */
static uint32_t unit_of(const struct dgram *d)
{
    return is_run(d) ? d->segment : d->size;
}

/* May it follow datagrams of this size in one packet? The last may be shorter, but not empty. */
static bool may_follow(const struct dgram *d, uint32_t size)
{
    return unit_of(d) == size || (!is_run(d) && d->size > 0 && d->size < size);
}

/* How many go from here if a packet takes so many datagrams of its size and so many bytes. A single
 * one that is too large goes too, so that the kernel says so. */
static uint32_t piece(const struct dgram *d, uint32_t nth, uint32_t most, uint32_t room,
                      struct iovec *out)
{
    uint32_t unit = unit_of(d), left = dgram_count(d) - nth, offset = nth * unit, n = left;

    if (n > most)
        n = most;
    if (n > 1 && n > room / unit)
        n = room / unit > 0 ? room / unit : 1;
    out->iov_base = (void *)(uintptr_t)(d->bytes + offset);
    out->iov_len = n == left ? d->size - offset : n * unit;
    return n;
}

/* Make one message of what is at *p, and move *p behind it. */
static void compose_one(struct sending *s, struct place *p, uint32_t most)
{
    const struct dgram *d = s->list[p->index];
    const struct dgram_path *path = d->path;
    uint32_t unit = unit_of(d), n = 0, room = DGRAM_MOST;
    struct msghdr *h = &s->headers[s->messages].msg_hdr;
    uint16_t segment = (uint16_t)unit;

    *h = (struct msghdr){.msg_iov = &s->vec[s->vecs], .msg_control = s->control[s->messages]};
    do {
        struct iovec *v = &s->vec[s->vecs++];
        uint32_t taken = piece(d, p->nth, most - n, room, v);

        h->msg_iovlen++;
        n += taken;
        p->nth += taken;
        room -= v->iov_len < room ? (uint32_t)v->iov_len : room;
        if (p->nth < dgram_count(d))
            break;
        *p = (struct place){.index = p->index + 1};
        if (v->iov_len % (unit ? unit : 1) != 0 || p->index == s->count)
            break;
        d = s->list[p->index];
    } while (n < most && s->vecs < VECS && unit > 0 && d->path == path && may_follow(d, unit) &&
             unit_of(d) <= room);
    if (path != NULL) {
        set_name(s, h, &path->peer);
        set_source(h, path);
    }
    if (n > 1)
        memcpy(add_control(h, IPPROTO_UDP, DGRAM_UDP_SEGMENT, sizeof(segment)), &segment,
               sizeof(segment));
    if (h->msg_controllen == 0)
        h->msg_control = NULL;
    s->datagrams[s->messages++] = n;
}

/* Make messages of what is left, as many as there is room for. */
static void compose(struct sending *s)
{
    struct place p = s->at;
    uint32_t apart = s->apart;

    s->messages = s->vecs = 0;
    while (p.index < s->count && s->messages < MESSAGES && s->vecs < VECS) {
        compose_one(s, &p, *s->whole && apart == 0 ? RUN_MOST : 1);
        apart -= apart > 0;
    }
}

/* --- what became of it ------------------------------------------------------------------------ */

/* So many from s->at on have been sent, or can't be for this reason. */
static void done(struct sending *s, uint32_t datagrams, int error)
{
    s->apart -= s->apart < datagrams ? s->apart : datagrams;
    while (datagrams > 0) {
        struct dgram *d = s->list[s->at.index];
        uint32_t left = dgram_count(d) - s->at.nth, n = left < datagrams ? left : datagrams;

        if (error == 0)
            d->sent += n;
        d->error = d->sent > 0 ? 0 : error;
        datagrams -= n;
        s->at.nth += n;
        if (n == left)
            s->at = (struct place){.index = s->at.index + 1};
    }
}

/* Nothing of what is left can be sent now. */
static void all_done(struct sending *s, int error)
{
    while (s->at.index < s->count)
        done(s, dgram_count(s->list[s->at.index]) - s->at.nth, error);
}

/* Did it fail because it was a run? By the size of its datagrams (the path's MTU; of others it may
 * be larger), or for good: there is no checksum offload or the packets are encrypted. */
static bool is_about_runs(struct sending *s, int error)
{
    if (error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT)
        *s->whole = false;
    return !*s->whole || error == EINVAL || error == EMSGSIZE;
}

/* Errors that are always of this datagram and never of an earlier one. */
static bool is_own(int error)
{
    return error == ENOBUFS || error == ENOMEM || error == EPERM || error == EINVAL;
}

/* Send messages from this one on: how many went, or -1. When there is only one, sendmmsg(2) has no
 * use and a price. */
static int call(struct sending *s, unsigned first)
{
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    struct mmsghdr *headers = &s->headers[first];
    const struct msghdr *h = &headers->msg_hdr;
    ssize_t n;

    if (s->messages - first > 1)
        return sendmmsg(s->fd, headers, s->messages - first, flags);
    if (h->msg_name == NULL && h->msg_control == NULL)
        n = send(s->fd, h->msg_iov->iov_base, h->msg_iov->iov_len, flags);
    else
        n = sendmsg(s->fd, h, flags);
    return n < 0 ? -1 : 1;
}

/* Send the messages. Returns early when what is left is to be composed anew. */
static void transmit(struct sending *s)
{
    unsigned i = 0;
    int before = 0; /* what this message was refused with before */

    while (i < s->messages) {
        int n = call(s, i);
        int error = n < 0 ? errno : 0;
        bool connected = s->headers[i].msg_hdr.msg_name == NULL;

        if (before != 0 && before != error)
            s->pending = -before;
        if (error == EAGAIN) {
            all_done(s, EAGAIN);
            return;
        }
        if (n < 0 && s->datagrams[i] > 1 && is_about_runs(s, error)) {
            s->apart = s->datagrams[i];
            return;
        }
        if (n < 0 && connected && before == 0 && !is_own(error)) {
            before = error;
            continue;
        }
        before = 0;
        for (int k = 0; k < n; k++)
            done(s, s->datagrams[i++], 0);
        if (n < 0)
            done(s, s->datagrams[i++], error);
    }
}

int dgram_send(int fd, sa_family_t family, struct dgram *const *list, unsigned count, bool *whole)
{
    struct sending s;

    s.fd = fd;
    s.family = family;
    s.list = list;
    s.count = count;
    s.whole = whole;
    s.at = (struct place){0};
    s.apart = 0;
    s.pending = 0;
    for (unsigned i = 0; i < count; i++) {
        list[i]->sent = 0;
        list[i]->error = 0;
    }
    while (s.at.index < count) {
        compose(&s);
        transmit(&s);
    }
    return s.pending;
}
