/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's side of the daemon: one HTTP API, on a UNIX socket for everything, and if the
 * config says so on a TCP address for reading (penstock-api(7)). It runs in the daemon's loop,
 * in slices that no session notices; the relay knows nothing of it.
 */
#ifndef PENSTOCK_OPS_OPS_H
#define PENSTOCK_OPS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/daemon_now.h"
#include "flow/worker.h"
#include "os/sock_file.h"

struct ops;
struct rule;

/* Longer errors are cut where there is room for one line. */
#define OPS_ERROR_MAX 512

/* The last reload, or the one under way. */
enum ops_outcome { OPS_RELOAD_NONE, OPS_RELOAD_BUSY, OPS_RELOAD_OK, OPS_RELOAD_FAILED };

struct ops_reload {
    enum ops_outcome outcome;
    uint64_t number;                  /* of the last that is over, from 1; 0: none yet */
    int64_t at_ms;                    /* since the epoch, when it was over */
    uint64_t generation;              /* of the config at work: 1 at the start ... */
    int64_t loaded_at_ms;             /* ... and since when it is, since the epoch */
    size_t added, removed, changed;   /* rules */
    size_t failed;                    /* rules and parts of the daemon's options that could not */
    const struct conf_errors *errors; /* of the files, and of what could not change; NULL: none, or
                                         not read yet */
    const char *error;                /* FAILED: the first reason; else NULL */
};

/* What the daemon does for its operators. All pointers are borrowed and outlive the ops. */
struct ops_host {
    struct worker *worker;
    const char *config_path; /* from the root, to be told; it is read by the path of conf() */
    struct conf *(*conf)(void *arg); /* at work; to be referenced by who keeps it */
    /* The daemon's options at work. */
    const struct daemon_now *(*daemon)(void *arg);
    struct rule *const *(*rules)(void *arg, size_t *count); /* at work, in the config's order */
    const struct ops_reload *(*reloaded)(void *arg);
    /* Begin one, and return its number; or 0: no more. When it is over ops_reloaded() is called,
     * which may be at once. */
    uint64_t (*reload)(void *arg);
    void *arg;
};

bool ops_built_in(void);

/* What the config asks for in so many words and this build has not: the option's name; or NULL. */
const char *ops_missing(const struct conf *conf);

/* How many descriptors its sockets take. */
uint64_t ops_descriptors(const struct conf *conf);

/* Listening sockets of this side; -1: there is none. */
struct ops_sockets {
    int control, http;
    struct sock_file_id file;  /* that the control socket has made; ino 0: that is not known */
    bool had_owner, had_group; /* of a former one: that was as its config said, and no other's */
};

#define OPS_NO_SOCKETS ((struct ops_sockets){.control = -1, .http = -1})

/*
 * Open what the config asks for. `former`: sockets of a former process, bound to just that; they
 * are gone on with, or closed: so is a control socket whose file is not there any more. Why
 * something can't be had is added to the errors: as a warning if it is the socket at its default
 * place, without which one may be. Returns which parts of the daemon's options are not as the
 * config says (daemon_now.h); *out is to be stopped all the same, and may go on with what there is.
 * It is NULL without memory, and in a build without it.
 */
unsigned ops_start(struct ops **out, const struct ops_host *host, const struct conf *conf,
                   const struct ops_sockets *former, struct conf_errors *errors);

/* Those that are open now; borrowed. NULL is allowed in all that follow. */
struct ops_sockets ops_sockets(const struct ops *ops);

/* Another process goes on with them: who comes from here on waits for it. */
void ops_leave(struct ops *ops);

/* The config has changed: addresses and rights are as it says from here on. New sockets are open
 * before old ones close. What can't be had stays as it was. Returns as above; of a socket that is
 * open it is no warning. */
unsigned ops_change(struct ops *ops, const struct conf *conf, struct conf_errors *errors);

/* A reload is over, whoever has asked for it. */
void ops_reloaded(struct ops *ops);

/* There will be none any more: nobody is told what one would change. */
void ops_end_reloads(struct ops *ops);

/* Close it all at once; nobody is waited for. */
void ops_stop(struct ops *ops);

#endif
