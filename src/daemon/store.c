/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "flow/listener.h"
#include "flow/udp.h"
#include "os/parcel.h"
#include "os/systemd.h"

/* The manager's queue is full for a moment only. */
#define AGAIN_MS 20

/* A name that the manager is to let go of. */
struct forget {
    struct list link;
    char name[];
};

void store_init(struct store *st, const struct ruleset *set)
{
    *st = (struct store){.set = set, .conf_fd = -1, .serial = (uint32_t)clock_monotonic_us()};
    list_init(&st->forget);
}

/* It works without a store, but not as the administrator thinks that it does. */
static void warn(struct store *st, int error)
{
    if (!st->warned)
        log_fields(st->set->worker->log, LEVEL_WARNING,
                   "the service manager does not keep the listeners over a crash",
                   (struct log_field[]){LOG_TEXT("error", strerror(-error))}, 1);
    st->warned = true;
}

/* --- telling the manager --------------------------------------------------------------------- */

int store_parcel(const char *name, const int *fds, size_t count)
{
    int parcel, packed = parcel_pack(fds, count, &parcel), error;

    if (packed == -ETOOMANYREFS || packed == -EMFILE || packed == -ENFILE)
        return -EAGAIN;
    if (packed < 0)
        return packed;
    error = systemd_store(name, &parcel, 1);
    close(parcel);
    return error ? error : packed;
}

/* The new ones are there before the old ones go: a crash between the two must not find nothing. */
static int store_more(struct store *st)
{
    while (st->next < st->count) {
        int stored = store_parcel(st->name, st->fds + st->next, st->count - st->next);

        if (stored < 0)
            return stored;
        st->next += (size_t)stored;
    }
    st->storing = false;
    if (st->before[0])
        store_drop(st, st->before);
    st->before[0] = '\0';
    return 0;
}

static int forget_more(struct store *st)
{
    list_for_each (link, next, &st->forget) {
        struct forget *f = container_of(link, struct forget, link);

        if (systemd_store_remove(f->name) == -EAGAIN)
            return -EAGAIN;
        list_remove(&f->link);
        free(f);
    }
    return 0;
}

static void on_timer(struct timer *t);

static void go_on(struct store *st)
{
    int error = st->storing ? store_more(st) : 0;

    if (error && error != -EAGAIN) {
        warn(st, error);
        st->storing = false;
        error = 0;
    }
    if (error == 0)
        error = store_conf_tell(st);
    if (error == 0)
        error = forget_more(st);
    if (error)
        loop_timer(st->set->worker->loop, &st->timer, AGAIN_MS, on_timer);
}

static void on_timer(struct timer *t)
{
    go_on(container_of(t, struct store, timer));
}

bool store_is_told(const struct store *st)
{
    return !st->storing && st->conf_fd < 0 && list_empty(&st->forget);
}

void store_tell(struct store *st)
{
    go_on(st);
}

/* --- what we keep there ---------------------------------------------------------------------- */

void store_drop(struct store *st, const char *name)
{
    struct forget *f;

    list_for_each (link, next, &st->forget) {
        if (strcmp(container_of(link, struct forget, link)->name, name) == 0)
            return;
    }
    f = malloc(sizeof(*f) + strlen(name) + 1);
    if (!f)
        return; /* the manager keeps them until the service has stopped */
    memcpy(f->name, name, strlen(name) + 1);
    list_append(&st->forget, &f->link);
}

void store_drop_passed(struct store *st, const struct passed *passed)
{
    for (int i = 0; i < passed->count; i++) {
        if (passed_is_stored(&passed->sockets[i]))
            store_drop(st, passed->sockets[i].name);
    }
}

void store_names(const struct store *st, char *out, size_t size)
{
    const char *const names[] = {st->name, st->before, st->conf_name, st->conf_before};
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i][0] && at + strlen(names[i]) + 2 <= size)
            at += (size_t)snprintf(out + at, size - at, ":%s", names[i]);
    }
}

/* Only such as we give ourselves. */
void store_drop_names(struct store *st, const char *names)
{
    while (*names == ':') {
        size_t length = strcspn(++names, ":");
        char name[sizeof(st->name)];

        if (*names == '.' && length < sizeof(name)) {
            snprintf(name, sizeof(name), "%.*s", (int)length, names);
            store_drop(st, name);
        }
        names += length;
    }
}

/* Whose address alone does not tell what it takes, is opened anew: what is sent to a group or to
 * all is not kept for anybody. */
static bool is_kept(const struct listener *l)
{
    return l->conf->kind != ADDR_SYSTEMD && !(l->udp && l->udp->is_picky);
}

static size_t collect_listeners(const struct store *st, int *fds)
{
    size_t count = 0;

    for (size_t i = 0; i < st->set->count; i++) {
        list_for_each (link, next, &st->set->rules[i]->listeners) {
            const struct listener *l = container_of(link, struct listener, link);

            if (is_kept(l))
                fds[count++] = l->fd;
        }
    }
    return count;
}

/* Sockets of before can't be had under numbers of now: a new one opens before an old one closes. */
static bool is_same(const struct store *st, const int *fds, size_t count)
{
    return st->name[0] && count == st->count && memcmp(fds, st->fds, count * sizeof(*fds)) == 0;
}

void store_listeners(struct store *st, const struct ops_sockets *more)
{
    int *fds = calloc(st->set->listeners + 3, sizeof(*fds));
    size_t count = fds ? collect_listeners(st, fds) : 0;

    char file[SOCK_FILE_ID_TEXT] = "";

    if (fds && more->control >= 0)
        fds[count++] = more->control;
    if (fds && more->http >= 0)
        fds[count++] = more->http;

    if (!fds || is_same(st, fds, count)) {
        free(fds);
        go_on(st);
        return;
    }
    if (st->storing) /* what is there under this name is not all */
        store_drop(st, st->name);
    else
        memcpy(st->before, st->name, sizeof(st->before));
    if (more->control >= 0)
        sock_file_id_print(&more->file, file);
    snprintf(st->name, sizeof(st->name), "%s%" PRIx32 "%s", PASSED_LISTENING, st->serial++, file);
    free(st->fds);
    st->fds = fds;
    st->count = count;
    st->next = 0;
    st->storing = true;
    go_on(st);
}

void store_stop(struct store *st)
{
    struct list *link;

    if (!st->set)
        return;
    loop_timer_stop(st->set->worker->loop, &st->timer);
    while ((link = list_take_first(&st->forget)))
        free(container_of(link, struct forget, link));
    store_conf_stop(st);
    free(st->fds);
    st->fds = NULL;
    st->storing = false;
}
