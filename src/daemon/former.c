/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/former.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/reexec.h"
#include "daemon/store.h"
#include "flow/admit.h"

/* As they are booked: those that a session may have. */
static uint64_t count_fds(const struct snapshot *snap)
{
    uint64_t count = snap->listener_count;

    for (uint32_t i = 0; i < snap->session_count; i++)
        count += snap->sessions[i].is_datagrams ? SESSION_FDS_DATAGRAMS : SESSION_FDS;
    return count;
}

void former_find(struct former *f, struct passed *passed)
{
    int error = reexec_take(&f->in, passed, &f->problem);

    f->forget = reexec_forget;
    if (error == -ENOENT) {
        error = store_take(passed, &f->in, &f->problem);
        f->forget = store_forget;
    }
    if (error)
        f->forget = NULL;
    else if (f->forget == reexec_forget)
        f->inherited = count_fds(&f->in.snapshot);
}

struct conf *former_conf(const struct former *f)
{
    const struct snap_conf *from;
    struct conf_errors errors;
    struct conf *conf;

    if (!f->forget)
        return NULL;
    from = &f->in.snapshot.confs[f->in.snapshot.current];
    conf = conf_load_text(from->path, from->text, from->length, &errors);
    conf_errors_free(&errors);
    return conf;
}

static void forget(struct former *f)
{
    f->forget(&f->in);
    f->forget = NULL;
}

/* Who waits in their backlogs shall not be refused for it. Those of the store are in `passed`. */
static void keep_listeners(const struct former *f, struct passed *passed)
{
    const struct snapshot *snap = &f->in.snapshot;
    int *fds, count = 0;

    if (f->forget != reexec_forget)
        return;
    fds = calloc((size_t)snap->listener_count + 1, sizeof(*fds));
    for (uint32_t i = 0; i < snap->listener_count; i++) {
        int fd = f->in.take(f->in.arg, &snap->listeners[i].fd);

        if (fd >= 0 && fds)
            fds[count++] = fd;
        else if (fd >= 0)
            close(fd);
    }
    passed_add_listening(passed, PASSED_LISTENING, fds, count);
    free(fds);
}

void former_take_over(struct former *f, struct ruleset *set, struct passed *passed)
{
    struct log *log = set->worker->log;
    struct inherited taken;

    if (f->forget) {
        f->problem = handover_restore(set, &f->in, &taken);
        if (!f->problem)
            log_fields(log, LEVEL_INFO, "taken over",
                       (struct log_field[]){LOG_NUMBER("sessions", taken.sessions),
                                            LOG_NUMBER("listeners", taken.listeners),
                                            LOG_NUMBER("lost", taken.lost),
                                            LOG_TEXT("from", f->in.snapshot.program)},
                       4);
        else
            keep_listeners(f, passed);
        forget(f);
    }
    if (f->problem)
        log_fields(log, LEVEL_ERROR, "what was handed over is lost",
                   (struct log_field[]){LOG_TEXT("error", f->problem)}, 1);
}

void former_drop(struct former *f)
{
    if (!f->forget)
        return;
    handover_refuse(&f->in);
    forget(f);
}
