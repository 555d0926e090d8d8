/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/move.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "flow/worker.h"

/*
 * relay = "auto": a direction that fills the scratch buffer this many times in a row is bulk, and
 * splices; one that moves less than THIN bytes in this many turns in a row is chatty, and copies.
 */
#define STREAK 3
#define THIN   (16u << 10)

size_t move_held(const struct session *s, enum side from)
{
    const struct flow *f = &s->flow[from];

    return buf_size(&f->kept) + (f->pipe ? f->pipe->held : 0);
}

void move_drop(struct session *s, enum side from)
{
    struct flow *f = &s->flow[from];

    buf_clear(&f->kept);
    if (f->pipe)
        pipe_give(&s->worker->pipes, f->pipe);
    f->pipe = NULL;
}

int move_keep(struct session *s, enum side from)
{
    struct flow *f = &s->flow[from];
    uint8_t *bytes;
    size_t size;
    int error;

    if (!f->pipe || f->pipe->held == 0)
        return 0;
    size = f->pipe->held;
    bytes = malloc(size);
    if (!bytes)
        return -ENOMEM;
    error = pipe_read(f->pipe, bytes);
    if (error == 0)
        error = buf_take(&f->kept, bytes, size);
    if (error)
        free(bytes);
    pipe_give(&s->worker->pipes, f->pipe);
    f->pipe = NULL;
    return error;
}

static bool would_block(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void moved(struct session *s, struct flow *f, size_t bytes)
{
    f->bytes += bytes;
    s->active = loop_now(s->worker->loop);
}

/* Send up to `size` bytes. Returns how many were taken (0: none would be just now) or a negative
 * errno. */
static ssize_t send_some(struct session *s, enum side from, const void *bytes, size_t size)
{
    ssize_t n = send(s->fd[other_side(from)], bytes, size, MSG_NOSIGNAL);

    if (n < 0)
        return would_block(errno) ? 0 : -errno;
    moved(s, &s->flow[from], (size_t)n);
    return n;
}

/* The kernel being out of memory is no fault of either side. */
static bool is_shortage(int error)
{
    return error == ENOMEM || error == ENOBUFS;
}

static enum move send_failed(int send_errno, int *error)
{
    *error = send_errno;
    return is_shortage(send_errno) ? MOVE_FAILED : MOVE_DST_RST;
}

static enum move send_kept(struct session *s, enum side from, int *error)
{
    struct flow *f = &s->flow[from];
    ssize_t n = send_some(s, from, buf_bytes(&f->kept), buf_size(&f->kept));

    if (n < 0)
        return send_failed((int)-n, error);
    buf_consume(&f->kept, (size_t)n);
    return buf_size(&f->kept) > 0 ? MOVE_BLOCKED : MOVE_MORE;
}

static enum move read_failed(int read_errno, int *error)
{
    if (would_block(read_errno))
        return MOVE_DRY;
    *error = read_errno;
    return is_shortage(read_errno) ? MOVE_FAILED : MOVE_SRC_RST;
}

/* Read once into the scratch buffer and send; keep what is not taken. */
static enum move copy_once(struct session *s, enum side from, size_t *count, int *error)
{
    struct flow *f = &s->flow[from];
    uint8_t *scratch = s->worker->scratch;
    ssize_t got = recv(s->fd[from], scratch, SCRATCH_SIZE, 0);
    ssize_t sent;

    if (got == 0)
        return MOVE_EOF;
    if (got < 0)
        return read_failed(errno, error);
    *count = (size_t)got;
    sent = send_some(s, from, scratch, (size_t)got);
    if (sent < 0)
        return send_failed((int)-sent, error);
    if (sent < got) {
        *error = ENOMEM;
        return buf_fill(&f->kept, scratch + sent, (size_t)(got - sent)) ? MOVE_FAILED
                                                                        : MOVE_BLOCKED;
    }
    /* A short read has emptied the socket: asking once more would only say so. */
    return (size_t)got < SCRATCH_SIZE ? MOVE_DRY : MOVE_MORE;
}

static enum move drain(struct session *s, enum side from, int *error)
{
    struct flow *f = &s->flow[from];

    while (f->pipe->held > 0) {
        ssize_t n = pipe_drain(f->pipe, s->fd[other_side(from)]);

        if (n == -EAGAIN || n == -EINTR)
            return MOVE_BLOCKED;
        if (n <= 0)
            return send_failed(n < 0 ? (int)-n : EPIPE, error);
        moved(s, f, (size_t)n);
    }
    return MOVE_MORE;
}

static enum move splice_once(struct session *s, enum side from, size_t *count, int *error)
{
    ssize_t got = pipe_fill(s->flow[from].pipe, s->fd[from]);

    if (got == 0)
        return MOVE_EOF;
    if (got == -EINVAL) { /* not every kind of socket can be spliced */
        s->flow[from].splicing = false;
        return MOVE_MORE;
    }
    if (got < 0)
        return read_failed((int)-got, error);
    *count = (size_t)got;
    return drain(s, from, error);
}

/* A direction that splices has a pipe while it moves. With none to be had it copies this time. */
static bool has_pipe(struct session *s, struct flow *f)
{
    if (!f->splicing)
        return false;
    if (!f->pipe)
        f->pipe = pipe_take(&s->worker->pipes);
    return f->pipe != NULL;
}

static void give_pipe(struct session *s, struct flow *f)
{
    if (f->pipe && f->pipe->held == 0) {
        pipe_give(&s->worker->pipes, f->pipe);
        f->pipe = NULL;
    }
}

/* Count what tells bulk from chat, and change over. */
static void choose_mode(struct session *s, struct flow *f, bool telling)
{
    int relay = session_options(s)->relay;

    if (relay != RELAY_AUTO) {
        f->splicing = relay == RELAY_SPLICE && pipe_built_in();
        return;
    }
    f->streak = telling ? (uint8_t)(f->streak + 1) : 0;
    if (f->streak >= STREAK) {
        f->splicing = !f->splicing && pipe_built_in();
        f->streak = 0;
    }
}

/* Read and send until the source is dry, the destination full, or the turn over. */
static enum move move_new(struct session *s, enum side from, int *error)
{
    struct flow *f = &s->flow[from];
    size_t turn = 0;
    enum move result;

    do {
        bool spliced = has_pipe(s, f);
        size_t count = 0;

        result = spliced ? splice_once(s, from, &count, error) : copy_once(s, from, &count, error);
        /* splice(2) stops before a byte sent as urgent, and would for ever: recv(2) takes it. */
        if (spliced && result == MOVE_DRY && turn == 0)
            result = copy_once(s, from, &count, error);
        turn += count;
        if (!spliced && !f->splicing)
            choose_mode(s, f, count == SCRATCH_SIZE);
    } while (result == MOVE_MORE && turn < MOVE_TURN);
    if (f->splicing && result == MOVE_DRY)
        choose_mode(s, f, turn < THIN);
    return result;
}

enum move move_bytes(struct session *s, enum side from, bool may_read, int *error)
{
    struct flow *f = &s->flow[from];
    enum move result = MOVE_MORE;

    if (buf_size(&f->kept) > 0)
        result = send_kept(s, from, error);
    else if (f->pipe && f->pipe->held > 0)
        result = drain(s, from, error);
    if (result == MOVE_MORE)
        result = may_read ? move_new(s, from, error) : MOVE_DRY;
    give_pipe(s, f);
    return result;
}
