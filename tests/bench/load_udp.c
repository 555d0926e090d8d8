/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches of datagrams: made, sent, received, checked. */
#include "config.h"

#include "load_udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATTERNS    256 /* beginnings of different payloads */
#define BUFFER      (8 * 1024 * 1024)
#define OPEN_TRY_MS 100

/* Larger than a datagram should be: two that were merged show as one that does not fit. */
static size_t stride(const struct load_batch *b)
{
    return b->size + 64;
}

struct load_batch *load_batch_new(const struct load_options *o, struct load_shared *shared)
{
    struct load_batch *b = calloc(1, sizeof *b);
    unsigned size = o->request_size;
    uint32_t x = 2463534242;

    if (b) {
        b->size = size;
        b->runs = o->runs;
        b->shared = shared;
        b->received = malloc(LOAD_BATCH * stride(b));
        b->pattern = malloc(size + PATTERNS);
    }
    if (!b || !b->received || !b->pattern)
        load_die("out of memory");
    for (unsigned i = 0; i < size + PATTERNS; i++) {
        x ^= x << 13; /* xorshift32 */
        x ^= x >> 17;
        x ^= x << 5;
        b->pattern[i] = (uint8_t)x;
    }
    return b;
}

/* What follows the mark: neighbours differ, and so do clients. */
static uint8_t *payload(const struct load_batch *b, const struct load_mark *mark)
{
    return b->pattern + (mark->number + mark->client * 7U) % PATTERNS;
}

static void check(struct load_batch *b, unsigned i)
{
    const struct msghdr *header = &b->messages[i].msg_hdr;
    struct load_mark *mark = &b->marks[i];
    const uint8_t *bytes = b->received + i * stride(b);

    if (b->messages[i].msg_len == 0) {
        *mark = (struct load_mark){.slot = LOAD_EMPTY};
        atomic_fetch_add_explicit(&b->shared->empty, 1, memory_order_relaxed);
        return;
    }
    if (b->messages[i].msg_len != b->size || header->msg_flags & MSG_TRUNC)
        load_die("a datagram of %u bytes came with %u%s", b->size, b->messages[i].msg_len,
                 header->msg_flags & MSG_TRUNC ? " or more" : "");
    memcpy(mark, bytes, sizeof *mark);
    if (memcmp(bytes + sizeof *mark, payload(b, mark), b->size - sizeof *mark) != 0)
        load_die("a datagram came with other bytes than it was sent with");
}

unsigned load_receive(struct load_batch *b, int fd, unsigned most, bool named, int flags)
{
    int count;

    for (unsigned i = 0; i < most; i++) {
        b->parts[i][0] = (struct iovec){b->received + i * stride(b), stride(b)};
        b->messages[i].msg_hdr = (struct msghdr){
            .msg_name = named ? &b->names[i] : NULL,
            .msg_namelen = named ? sizeof b->names[i] : 0,
            .msg_iov = b->parts[i],
            .msg_iovlen = 1,
        };
    }
    count = recvmmsg(fd, b->messages, most, flags, NULL);
    if (count == -1 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
        load_die("recvmmsg: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        check(b, (unsigned)i);
    return count == -1 ? 0 : (unsigned)count;
}

static bool same_name(const struct load_batch *b, unsigned i, unsigned j)
{
    return b->messages[i].msg_hdr.msg_namelen == 0 ||
           (b->names[i].sin_port == b->names[j].sin_port &&
            b->names[i].sin_addr.s_addr == b->names[j].sin_addr.s_addr);
}

/* Makes out[] of messages[]: each as it is, or as a run. Returns how many. */
static unsigned gather(struct load_batch *b, unsigned first, unsigned end)
{
    uint16_t size = (uint16_t)b->size;
    unsigned count = 0;

    for (unsigned i = first, n; i < end; i += n) {
        struct msghdr *header = &b->out[count].msg_hdr;
        struct cmsghdr *c = (void *)b->control[count];

        *header = b->messages[i].msg_hdr;
        for (n = 1; b->runs && i + n < end && (n + 1) * b->size <= LOAD_MOST; n++)
            if (!same_name(b, i, i + n))
                break;
        header->msg_iovlen = 2 * n;
        count++;
        if (n == 1)
            continue;
        header->msg_control = c;
        header->msg_controllen = sizeof b->control[0];
        c->cmsg_level = IPPROTO_UDP;
        c->cmsg_type = UDP_SEGMENT;
        c->cmsg_len = CMSG_LEN(sizeof size);
        memcpy(CMSG_DATA(c), &size, sizeof size);
    }
    return count;
}

static void send_all(struct load_batch *b, int fd, unsigned first, unsigned end)
{
    unsigned all = gather(b, first, end);

    for (unsigned done = 0; done < all;) {
        int count = sendmmsg(fd, b->out + done, all - done, MSG_DONTWAIT);

        if (count == -1 && errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
            load_die("sendmmsg: %s", strerror(errno));
        done += count == -1 ? 1 : (unsigned)count;
    }
}

void load_send_back(struct load_batch *b, int fd, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        b->parts[i][0].iov_len = b->size;
        b->parts[i][1].iov_len = 0;
    }
    send_all(b, fd, first, first + count);
}

void load_send(struct load_batch *b, int fd, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        b->parts[i][0] = (struct iovec){&b->marks[i], sizeof b->marks[i]};
        b->parts[i][1] = (struct iovec){payload(b, &b->marks[i]), b->size - sizeof b->marks[i]};
        b->messages[i].msg_hdr = (struct msghdr){.msg_iov = b->parts[i]};
    }
    send_all(b, fd, 0, count);
}

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = BUFFER;

    if (fd == -1)
        load_die("socket: %s", strerror(errno));
    /* So that what is lost is lost by the proxy; the plain form needs no rights, but is bounded. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == -1)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

int load_open(struct load_batch *b, const struct load_options *o, unsigned client, uint64_t *number,
              uint64_t deadline_ns)
{
    struct timeval limit = {.tv_usec = OPEN_TRY_MS * 1000};
    struct timespec pause = {.tv_nsec = 2000000};
    int fd = new_socket();

    if (connect(fd, (const struct sockaddr *)&o->connect, sizeof o->connect) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == -1)
        load_die("connect: %s", strerror(errno));
    for (;;) {
        uint64_t start = load_now();

        if (start > deadline_ns)
            load_die("client %u of %u: its first datagram did not come back", client + 1, o->conns);
        b->marks[0] = (struct load_mark){(*number)++, client, LOAD_FIRST};
        load_send(b, fd, 1);
        if (load_receive(b, fd, 1, false, 0) == 1) {
            if (b->marks[0].slot == LOAD_EMPTY)
                continue;
            if (b->marks[0].client != client || b->marks[0].slot != LOAD_FIRST)
                load_die("client %u got the datagram of client %u", client + 1,
                         b->marks[0].client + 1);
            return fd;
        }
        if (load_now() - start < OPEN_TRY_MS * UINT64_C(500000)) /* refused at once */
            nanosleep(&pause, NULL);
    }
}

int load_udp_listen(const struct sockaddr_in *addr)
{
    int fd = new_socket();

    if (bind(fd, (const struct sockaddr *)addr, sizeof *addr) == -1)
        load_die("upstream: %s", strerror(errno));
    return fd;
}
