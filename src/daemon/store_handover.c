/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions into the service manager's store, and out of it in the next process. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/table.h"
#include "daemon/store.h"
#include "os/memfile.h"
#include "os/sock.h"
#include "os/systemd.h"

#define AGAIN_MS 20

/* For a handover it is worth waiting, but the stop has its own timeout (TimeoutStopSec=). */
#define PATIENCE_MS 10000

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

    while (!store_is_told(st) && wait_a_little(&left_ms)) /* what is still to be told comes first */
        store_tell(st);
    fd = memfile_new("penstock-snapshot", h->bytes, h->size);
    if (fd < 0)
        return fd;
    reset_at_end(h, true);
    error = store_all(PASSED_SESSION, h->sessions, h->session_count, &left_ms);
    if (error == 0)
        error = store_snapshot(fd, &left_ms);
    if (error == 0)
        error = systemd_barrier(PATIENCE_MS);
    if (error) { /* the manager may read of it yet: nobody must go on with what it says then */
        memfile_spoil(fd);
        reset_at_end(h, false);
        systemd_store_remove_now(PASSED_SNAPSHOT);
        systemd_store_remove_now(PASSED_SESSION);
    }
    close(fd);
    return error;
}

/* --- taking up ------------------------------------------------------------------------------- */

/* The sockets passed, by their cookies. */
struct found {
    struct passed *passed;
    struct table *by_cookie;
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

    snprintf(text, sizeof(text), "%" PRIu64, fd->cookie);
    key = table_remove(f->by_cookie, text);
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
    f->by_cookie = table_new();
    f->keys = calloc((size_t)passed->count + 1, sizeof(*f->keys));
    for (int i = 0; f->by_cookie && f->keys && i < passed->count; i++) {
        struct found_key *key = &f->keys[i];
        uint64_t cookie;

        if (passed->sockets[i].fd < 0 || sock_id(passed->sockets[i].fd, &cookie))
            continue;
        key->index = i;
        snprintf(key->text, sizeof(key->text), "%" PRIu64, cookie);
        table_insert(f->by_cookie, key->text, key);
    }
    return f;
}

void store_forget(struct inheritance *in)
{
    struct found *f = in->arg;

    arena_free(in->arena);
    if (f) {
        table_free(f->by_cookie);
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

/* The snapshot, once: those that have been taken or given up are empty. */
static int take_snapshot(struct passed *passed, struct inheritance *in, const char **why)
{
    int index = passed_named(passed, PASSED_SNAPSHOT, 0), error = -ENOENT;

    for (; index >= 0; index = passed_named(passed, PASSED_SNAPSHOT, index + 1)) {
        int fd = passed->sockets[index].fd;

        passed->sockets[index].fd = -1;
        if (error == -ENOENT && !memfile_is_spoilt(fd))
            error = read_snapshot(fd, in, why);
        memfile_spoil(fd);
        close(fd);
    }
    return error;
}

int store_take(struct passed *passed, struct inheritance *in, const char **why)
{
    int error;

    *in = (struct inheritance){0};
    *why = NULL;
    error = take_snapshot(passed, in, why);
    if (error == 0) {
        struct found *f = find_sockets(passed);

        in->take = take;
        in->arg = f;
        if (!f || !f->by_cookie || !f->keys) {
            *why = "out of memory";
            error = -ENOMEM;
        }
    }
    if (error)
        store_forget(in); /* the sockets go with what else nobody takes */
    return error;
}
