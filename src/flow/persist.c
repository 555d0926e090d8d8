/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/persist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "flow/move.h"
#include "os/memfile.h"
#include "os/parcel.h"
#include "os/sock.h"
#include "os/systemd.h"

/* The manager's queue is full for a moment only. */
#define AGAIN_MS 20

/* Nothing is relayed while it is waited for. */
#define SUSPEND_MS 500
#define PAUSE_MS   5

enum owed { OWED_NOTHING, OWED_STORE, OWED_REMOVE };

/* What the worker has. The slots of those to do something about are not given away. */
struct persist {
    struct worker *worker;
    int fd;
    struct persist_file *file;
    struct session *sessions[PERSIST_SLOTS];
    uint8_t owed[PERSIST_SLOTS]; /* enum owed: the manager was not ready for it */
    bool file_owed;
    bool warned; /* that there are no more slots */
    struct timer timer;
};

static void on_timer(struct timer *t);

static void again(struct persist *p)
{
    if (p->timer.place == 0)
        loop_timer(p->worker->loop, &p->timer, AGAIN_MS, on_timer);
}

static void warn(struct persist *p, const struct session *s, const char *why)
{
    if (!p->warned)
        log_fields(p->worker->log, LEVEL_WARNING, "sessions that would not survive a crash",
                   (struct log_field[]){LOG_TEXT("rule", s->rule->conf->name),
                                        LOG_NUMBER("slots", PERSIST_SLOTS), LOG_TEXT("error", why)},
                   3);
    p->warned = true;
}

/* --- the store ------------------------------------------------------------------------------- */

static int tell_slot(struct persist *p, unsigned slot)
{
    char name[PERSIST_NAME_MAX];
    int parcel, error;

    snprintf(name, sizeof(name), PERSIST_SLOT_NAME, p->file->generation, slot);
    if (p->owed[slot] == OWED_REMOVE)
        return systemd_store_remove(name);
    error = parcel_pack(p->sessions[slot]->fd, 2, &parcel);
    if (error < 0)
        return error == -ETOOMANYREFS || error == -EMFILE || error == -ENFILE ? -EAGAIN : error;
    error = systemd_store(name, &parcel, 1);
    close(parcel);
    return error;
}

static void do_slot(struct persist *p, unsigned slot, enum owed owed)
{
    int error;

    p->owed[slot] = (uint8_t)owed;
    error = tell_slot(p, slot);
    if (error == -EAGAIN) {
        again(p);
        return;
    }
    p->owed[slot] = OWED_NOTHING;
    if (error && owed == OWED_STORE)
        warn(p, p->sessions[slot], strerror(-error));
}

static void do_file(struct persist *p)
{
    char name[PERSIST_NAME_MAX];

    snprintf(name, sizeof(name), PERSIST_FILE_NAME, p->file->generation);
    p->file_owed = systemd_store(name, &p->fd, 1) == -EAGAIN;
    if (p->file_owed)
        again(p);
}

static void on_timer(struct timer *t)
{
    struct persist *p = container_of(t, struct persist, timer);

    if (p->file_owed)
        do_file(p);
    for (unsigned i = 0; i < PERSIST_SLOTS && !p->file_owed; i++) {
        if (p->owed[i] != OWED_NOTHING)
            do_slot(p, i, (enum owed)p->owed[i]);
    }
}

/* --- the file -------------------------------------------------------------------------------- */

static struct persist *make(struct worker *w)
{
    struct persist *p = calloc(1, sizeof(*p));
    void *map;

    if (!p)
        return NULL;
    p->fd = memfile_shared("penstock-sessions", sizeof(struct persist_file), &map);
    if (p->fd < 0) {
        free(p);
        return NULL;
    }
    p->worker = w;
    p->file = map;
    memcpy(p->file->magic, PERSIST_MAGIC, sizeof(p->file->magic));
    p->file->version = PERSIST_VERSION;
    p->file->slot_size = sizeof(p->file->slots[0]);
    p->file->generation = (uint32_t)clock_monotonic_us() | 1;
    do_file(p);
    return p;
}

static struct persist_slot *find_slot(struct persist *p, unsigned *number)
{
    for (unsigned i = 0; i < PERSIST_SLOTS; i++) {
        if (!p->sessions[i] && p->owed[i] == OWED_NOTHING) {
            *number = i;
            return &p->file->slots[i];
        }
    }
    return NULL;
}

static struct addr without_path(const struct addr *a)
{
    struct addr copy = *a;

    if (copy.family == AF_UNIX)
        copy.un.path = NULL;
    return copy;
}

static int fill(struct persist_slot *slot, const struct session *s)
{
    int error = sock_id(s->fd[CLIENT], &slot->cookie[CLIENT]);

    if (error == 0)
        error = sock_id(s->fd[UPSTREAM], &slot->cookie[UPSTREAM]);
    if (error)
        return error;
    slot->id = s->id;
    slot->started = s->started;
    slot->connect_ms = s->connect_ms;
    slot->client = without_path(&s->client);
    slot->upstream = without_path(&s->upstream);
    snprintf(slot->rule, sizeof(slot->rule), "%s", s->rule->conf->name);
    snprintf(slot->listen, sizeof(slot->listen), "%s", s->conf->text);
    return 0;
}

/* --- sessions -------------------------------------------------------------------------------- */

void persist_before(struct session *s)
{
    atomic_store(&s->slot->held, 1);
}

/* Once nothing is in our hands all of it is in the kernel's, and this is where it stands. A side
 * that was reset can't be told twice: such a session stays marked until it ends. */
void persist_after(struct session *s)
{
    struct persist_slot *slot = s->slot;

    if (s->half.phase != PHASE_RELAYING || move_held(s, CLIENT) > 0 || move_held(s, UPSTREAM) > 0)
        return;
    slot->active = s->active;
    slot->bytes[CLIENT] = s->flow[CLIENT].bytes;
    slot->bytes[UPSTREAM] = s->flow[UPSTREAM].bytes;
    slot->half = s->half;
    slot->keepalive = s->keepalive;
    atomic_store(&slot->held, 0);
}

void persist_begin(struct session *s)
{
    struct worker *w = s->worker;
    struct persist_slot *slot;
    unsigned number;

    if (session_options(s)->persist != PERSIST_CRASH || !systemd_is_there())
        return;
    if (!w->persist)
        w->persist = make(w);
    if (!w->persist)
        return;
    slot = find_slot(w->persist, &number);
    if (!slot || fill(slot, s)) {
        warn(w->persist, s, slot ? "its sockets can't be told" : "no slot is free");
        return;
    }
    s->slot = slot;
    w->persist->sessions[number] = s;
    w->persist->file->next_id = w->next_id;
    atomic_store(&slot->held, 1);
    atomic_store(&slot->used, 1);
    persist_after(s);
    do_slot(w->persist, number, OWED_STORE);
}

static unsigned number_of(const struct persist *p, const struct session *s)
{
    return (unsigned)(s->slot - p->file->slots);
}

void persist_end(struct session *s)
{
    struct persist *p = s->worker->persist;
    unsigned number;

    if (!s->slot)
        return;
    number = number_of(p, s);
    atomic_store(&s->slot->used, 0);
    p->sessions[number] = NULL;
    p->warned = false;
    s->slot = NULL;
    do_slot(p, number, OWED_REMOVE);
}

/* One deadline for all of them. */
static void remove_name(const char *name, int *left_ms)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    while (systemd_store_remove(name) == -EAGAIN && *left_ms > 0) {
        nanosleep(&pause, NULL);
        *left_ms -= PAUSE_MS;
    }
}

bool persist_suspend(struct worker *w)
{
    struct persist *p = w->persist;
    int left_ms = SUSPEND_MS;
    uint32_t generation;
    char name[PERSIST_NAME_MAX];

    if (!p)
        return true;
    generation = p->file->generation;
    p->file->generation = 0;
    for (unsigned i = 0; i < PERSIST_SLOTS; i++) {
        if (!p->sessions[i] && p->owed[i] != OWED_REMOVE)
            continue;
        snprintf(name, sizeof(name), PERSIST_SLOT_NAME, generation, i);
        remove_name(name, &left_ms);
        if (p->sessions[i])
            p->sessions[i]->slot = NULL;
    }
    snprintf(name, sizeof(name), PERSIST_FILE_NAME, generation);
    remove_name(name, &left_ms);
    persist_free(w);
    return left_ms > 0;
}

void persist_resume(struct worker *w)
{
    list_for_each (link, next, &w->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->stage == STAGE_RELAY && !s->slot)
            persist_begin(s);
    }
}

void persist_free(struct worker *w)
{
    struct persist *p = w->persist;

    if (!p)
        return;
    loop_timer_stop(w->loop, &p->timer);
    memfile_unmap(p->file, sizeof(*p->file));
    close(p->fd);
    free(p);
    w->persist = NULL;
}
