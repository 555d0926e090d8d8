/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/table.h"
#include "flow/listener.h"
#include "os/memfile.h"
#include "os/parcel.h"
#include "os/sock.h"
#include "os/systemd.h"

/* The manager's queue is full for a moment only. */
#define AGAIN_MS 20

/* For a handover it is worth waiting, but the stop has its own timeout (TimeoutStopSec=). */
#define PATIENCE_MS 10000

/* In the order in which they are done. The manager ignores a descriptor that it has under another
 * name, so that listeners are removed first and stored again, all at once. */
enum step {
    REMOVE_SNAPSHOT = 1 << 0,
    REMOVE_SESSIONS = 1 << 1,
    REMOVE_LISTENERS = 1 << 2,
    STORE_LISTENERS = 1 << 3
};

/* --- what we keep there ---------------------------------------------------------------------- */

static void on_timer(struct timer *t);

/* All of them, or as many as a parcel holds, as one descriptor. Returns how many, or a negative
 * errno. */
static int store_parcel(const char *name, const int *fds, size_t count)
{
    int parcel, packed = parcel_pack(fds, count, &parcel), error;

    if (packed < 0)
        return packed == -ETOOMANYREFS ? -EAGAIN : packed;
    error = systemd_store(name, &parcel, 1);
    close(parcel);
    return error ? error : packed;
}

static int store_more_listeners(struct store *st)
{
    int stored = store_parcel(PASSED_LISTENING, st->fds + st->next, st->count - st->next);

    if (stored < 0)
        return stored;
    st->next += (size_t)stored;
    return 0;
}

static int do_step(struct store *st, enum step step)
{
    int error = 0;

    switch (step) {
    case REMOVE_SNAPSHOT:
        return systemd_store_remove(PASSED_SNAPSHOT);
    case REMOVE_SESSIONS:
        return systemd_store_remove(PASSED_SESSION);
    case REMOVE_LISTENERS:
        return systemd_store_remove(PASSED_LISTENING);
    case STORE_LISTENERS:
        while (st->next < st->count && error == 0)
            error = store_more_listeners(st);
        return error;
    }
    return 0;
}

/* Steps that fail for good are given up: the service works without a store. */
static void go_on(struct store *st)
{
    for (unsigned step = REMOVE_SNAPSHOT; step <= STORE_LISTENERS; step <<= 1) {
        if (!(st->steps & step))
            continue;
        if (do_step(st, (enum step)step) == -EAGAIN &&
            loop_timer(st->set->worker->loop, &st->timer, AGAIN_MS, on_timer) == 0)
            return;
        st->steps &= ~step;
    }
}

static void on_timer(struct timer *t)
{
    go_on(container_of(t, struct store, timer));
}

bool store_is_there(void)
{
    return systemd_built_in() && getenv("NOTIFY_SOCKET");
}

void store_init(struct store *st, const struct ruleset *set)
{
    *st = (struct store){.set = set};
}

void store_taken(struct store *st)
{
    st->steps |= REMOVE_SNAPSHOT | REMOVE_SESSIONS;
    go_on(st);
}

static void collect_listeners(struct store *st)
{
    for (size_t i = 0; i < st->set->count; i++) {
        list_for_each (link, next, &st->set->rules[i]->listeners) {
            const struct listener *l = container_of(link, struct listener, link);

            if (l->conf->kind != ADDR_SYSTEMD)
                st->fds[st->count++] = l->fd;
        }
    }
}

void store_listeners(struct store *st)
{
    free(st->fds);
    st->count = st->next = 0;
    st->fds = calloc(st->set->listeners + 1, sizeof(int));
    if (!st->fds)
        return;
    collect_listeners(st);
    st->steps |= REMOVE_LISTENERS | STORE_LISTENERS;
    go_on(st);
}

void store_stop(struct store *st)
{
    if (!st->set)
        return;
    loop_timer_stop(st->set->worker->loop, &st->timer);
    free(st->fds);
    st->fds = NULL;
    st->steps = 0;
}

/* --- handing over ---------------------------------------------------------------------------- */

static bool wait_a_little(int *left_ms)
{
    const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};

    if (*left_ms <= 0)
        return false;
    *left_ms -= AGAIN_MS;
    nanosleep(&pause, NULL);
    return true;
}

static int store_all(const char *name, const int *fds, size_t count, int *left_ms)
{
    while (count > 0) {
        int stored = store_parcel(name, fds, count);

        if (stored == -EAGAIN && wait_a_little(left_ms))
            continue;
        if (stored < 0)
            return stored;
        fds += stored;
        count -= (size_t)stored;
    }
    return 0;
}

static int store_snapshot(int fd, int *left_ms)
{
    int error;

    do
        error = systemd_store(PASSED_SNAPSHOT, &fd, 1);
    while (error == -EAGAIN && wait_a_little(left_ms));
    return error;
}

/* If no process takes them up, the manager closes them: a stream that is cut must not look whole.
 */
static void reset_at_end(const struct handover *h, bool reset)
{
    for (size_t i = 0; i < h->session_count; i++)
        sock_reset_at_end(h->sessions[i], reset);
}

int store_handover(struct store *st, const struct handover *h)
{
    int left_ms = PATIENCE_MS, fd, error;

    while (st->steps && wait_a_little(&left_ms)) /* what is still to be told comes first */
        go_on(st);
    fd = memfile_new("penstock-snapshot", h->bytes, h->size);
    if (fd < 0)
        return fd;
    reset_at_end(h, true);
    error = store_all(PASSED_SESSION, h->sessions, h->session_count, &left_ms);
    if (error == 0)
        error = store_snapshot(fd, &left_ms);
    if (error == 0)
        error = systemd_barrier(PATIENCE_MS);
    close(fd);
    if (error) {
        reset_at_end(h, false);
        systemd_store_remove_now(PASSED_SNAPSHOT);
        systemd_store_remove_now(PASSED_SESSION);
    }
    return error;
}

/* --- taking up ------------------------------------------------------------------------------- */

/* The sockets passed, by their inode. */
struct found {
    struct passed *passed;
    struct table *by_ino;
    struct found_key {
        char text[24];
        int index;
    } * keys;
};

static int take(void *arg, const struct snap_fd *fd)
{
    struct found *f = arg;
    const struct found_key *key;
    char text[24];
    int taken;

    snprintf(text, sizeof(text), "%" PRIu64, fd->ino);
    key = table_remove(f->by_ino, text);
    if (!key)
        return -1;
    taken = f->passed->sockets[key->index].fd;
    f->passed->sockets[key->index].fd = -1;
    sock_reset_at_end(taken, false);
    return taken;
}

static struct found *find_sockets(struct passed *passed)
{
    struct found *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->passed = passed;
    f->by_ino = table_new();
    f->keys = calloc((size_t)passed->count + 1, sizeof(*f->keys));
    for (int i = 0; f->by_ino && f->keys && i < passed->count; i++) {
        struct found_key *key = &f->keys[i];
        uint64_t ino;

        if (passed->sockets[i].fd < 0 || sock_id(passed->sockets[i].fd, &ino))
            continue;
        key->index = i;
        snprintf(key->text, sizeof(key->text), "%" PRIu64, ino);
        table_insert(f->by_ino, key->text, key);
    }
    return f;
}

void store_forget(struct inheritance *in)
{
    struct found *f = in->arg;

    arena_free(in->arena);
    if (f) {
        table_free(f->by_ino);
        free(f->keys);
        free(f);
    }
    *in = (struct inheritance){0};
}

static int read_snapshot(int fd, struct inheritance *in, const char **why)
{
    uint8_t *bytes;
    size_t size;
    int error = memfile_read(fd, SNAPSHOT_SIZE_MOST, &bytes, &size);

    *why = "it can't be read";
    if (error)
        return error;
    in->arena = arena_new();
    *why = in->arena ? snapshot_read(&in->snapshot, bytes, size, in->arena) : "out of memory";
    free(bytes);
    return *why ? -EBADMSG : 0;
}

int store_take(struct passed *passed, struct inheritance *in, const char **why)
{
    int index = passed_named(passed, PASSED_SNAPSHOT, 0), error;

    *in = (struct inheritance){0};
    *why = NULL;
    if (index < 0)
        return -ENOENT;
    error = read_snapshot(passed->sockets[index].fd, in, why);
    close(passed->sockets[index].fd);
    passed->sockets[index].fd = -1;
    if (error == 0) {
        struct found *f = find_sockets(passed);

        in->take = take;
        in->arg = f;
        if (!f || !f->by_ino || !f->keys) {
            *why = "out of memory";
            error = -ENOMEM;
        }
    }
    if (error)
        store_forget(in); /* the sockets go with what else nobody takes */
    return error;
}
