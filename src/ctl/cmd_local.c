/* SPDX-License-Identifier: BSD-2-Clause */
/* What needs a penstockd that isn't there yet. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/at_work.h"
#include "ctl/ctl.h"
#include "ctl/must.h"
#include "ctl/text.h"

#define PROGRAM    "penstockd"
#define BETWEEN_MS 50
#define ANSWER_MS  1000 /* for a daemon that is there but stuck */
#define UNLIMITED  INT64_MAX

/* --- check -------------------------------------------------------------------------------------
 */

/* Set *config to the one that the daemon runs with, or to NULL for the default when the daemon
 * doesn't say. It is said which, unless there is no daemon to ask. Returns the exit status. */
static int find_config(struct ctl *ctl, char **config)
{
    struct reply reply;
    int status = STATUS_OK;

    *config = NULL;
    client_limit(ctl->client, ANSWER_MS);
    reply = client_call(ctl->client, "GET", "/v1/status", "config");
    if (reply.status == STATUS_OK) {
        *config = at_work_config(reply.body);
        if (!*config)
            status = at_work_unknown();
    } else if (!at_work_is_down(&reply)) {
        reply_tell(&reply);
        text_line(stderr, "penstock: the default config is checked, which may not be that of "
                          "penstockd");
    }
    reply_free(&reply);
    return status;
}

int cmd_check(struct ctl *ctl)
{
    char *config = ctl->args.config ? must(strdup(ctl->args.config)) : NULL;
    char program[] = PROGRAM, check[] = "--check", option[] = "--config";
    char *argv[] = {program, check, NULL, NULL, NULL};

    if (!config && find_config(ctl, &config) != STATUS_OK)
        return STATUS_REFUSED;
    argv[2] = config ? option : NULL;
    argv[3] = config;
    execvp(PROGRAM, argv);
    /* The PATH of who isn't root may lack it. */
    if (errno == ENOENT)
        execv(SBINDIR "/" PROGRAM, argv);
    text_line(stderr, "penstock: can't run " PROGRAM ": %s", strerror(errno));
    free(config);
    return STATUS_REFUSED;
}

/* --- wait-ready --------------------------------------------------------------------------------
 */

/* How much of the time is left; UNLIMITED when there is no end. */
static int64_t time_left(const struct args *a, int64_t began)
{
    int64_t left = a->timeout_ms - (clock_monotonic_ms() - began);

    if (a->timeout_ms == 0)
        return UNLIMITED;
    return left > 0 ? left : 0;
}

int cmd_wait_ready(struct ctl *ctl)
{
    int64_t began = clock_monotonic_ms(), left = time_left(&ctl->args, began);
    struct reply reply;
    int status;

    for (;;) {
        client_limit(ctl->client, left > ANSWER_MS ? ANSWER_MS : left + 1);
        reply = client_call(ctl->client, "GET", "/healthz", "status");
        left = time_left(&ctl->args, began);
        /* A socket that we may not use yet is perhaps just being made. */
        if (reply.status == STATUS_OK || left == 0)
            break;
        reply_free(&reply);
        ctl_rest(left < BETWEEN_MS ? left : BETWEEN_MS);
    }
    status = reply_tell(&reply) == STATUS_OK ? STATUS_OK : STATUS_UNREACHED;
    reply_free(&reply);
    return status;
}
