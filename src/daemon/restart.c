/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/restart.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The manager answers in milliseconds, unless it is in trouble itself. */
#define ASK_MS 2000

/* The thread's until it is done. */
struct answer {
    struct restart *restart;
    struct systemd_unit unit;
    int error;
};

void restart_init(struct restart *r, struct ruleset *set, struct store *store,
                  restart_decided_fn *decided, void *arg)
{
    *r = (struct restart){.set = set, .store = store, .decided = decided, .arg = arg};
}

static struct log *log_of(const struct restart *r)
{
    return r->set->worker->log;
}

static void not_handed_over(const struct restart *r, const char *why)
{
    log_fields(log_of(r), LEVEL_WARNING, "not handed over",
               (struct log_field[]){LOG_TEXT("error", why)}, 1);
}

static bool has_room(const struct restart *r, const struct systemd_unit *unit)
{
    uint64_t needed = 2 * r->set->worker->live + 1;

    if (unit->store_most >= needed && unit->store_most - needed >= unit->stored)
        return true;
    log_fields(log_of(r), LEVEL_WARNING,
               "not handed over: the store has no room (FileDescriptorStoreMax= of the unit)",
               (struct log_field[]){LOG_NUMBER("needed", needed),
                                    LOG_NUMBER("stored", unit->stored),
                                    LOG_NUMBER("most", unit->store_most)},
               3);
    return false;
}

static bool hand_over(struct restart *r)
{
    uint64_t sessions = r->set->worker->live;
    struct handover h;
    int error = handover_save(r->set, &h);

    if (error == 0) {
        error = store_handover(r->store, &h);
        handover_free(&h);
    }
    if (error) {
        not_handed_over(r, strerror(-error));
        return false;
    }
    log_fields(log_of(r), LEVEL_INFO, "handed over",
               (struct log_field[]){LOG_TEXT("to", "the service manager's store"),
                                    LOG_NUMBER("sessions", sessions),
                                    LOG_NUMBER("listeners", r->set->listeners)},
               3);
    return true;
}

static void work(void *arg)
{
    struct answer *a = arg;

    a->error = systemd_ask(&a->unit, ASK_MS);
}

static void done(void *arg)
{
    struct answer *a = arg;
    struct restart *r = a->restart;
    bool handed_over = false;

    r->task = NULL;
    r->answer = NULL;
    if (a->error == 0 && a->unit.restarting)
        handed_over = has_room(r, &a->unit) && hand_over(r);
    else if (a->error && a->error != -ENXIO)
        log_fields(log_of(r), LEVEL_WARNING,
                   "the service manager does not say whether this is a restart: it is a stop",
                   (struct log_field[]){LOG_TEXT("error", strerror(-a->error))}, 1);
    free(a);
    r->decided(r->arg, handed_over);
}

static bool has_manager(void)
{
    return systemd_built_in() && getenv("NOTIFY_SOCKET");
}

void restart_request(struct restart *r)
{
    struct answer *a = has_manager() ? calloc(1, sizeof(*a)) : NULL;
    struct task *task;

    if (!a) {
        r->decided(r->arg, false);
        return;
    }
    a->restart = r;
    r->answer = a;
    task = task_start(r->set->worker->loop, work, done, a);
    if (task)
        r->task = task;
}

void restart_cancel(struct restart *r)
{
    if (!r->task)
        return;
    task_abandon(r->task);
    free(r->answer);
    r->task = NULL;
    r->answer = NULL;
}
