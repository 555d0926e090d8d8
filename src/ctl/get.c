/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <time.h>

#include "ctl/ctl.h"
#include "ctl/text.h"

typedef void printer(struct ctl *ctl, const json_t *body);

static void show(struct ctl *ctl, const struct reply *reply, printer *print)
{
    if (ctl->screen.json)
        screen_json(&ctl->screen, reply->body);
    else
        print(ctl, reply->body);
}

void ctl_rest(int64_t ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&span, NULL);
}

/* One look. With --watch the daemon may be away for a while once it was there: at a restart. */
static int look(struct ctl *ctl, struct reply (*get)(struct ctl *ctl), printer *print, bool first)
{
    struct reply reply = get(ctl);
    int status = reply.status;

    if (reply.status == STATUS_OK)
        show(ctl, &reply, print);
    else if (reply.status == STATUS_UNREACHED && !first && !ctl->screen.json)
        text_line(ctl->screen.to, "penstock: %s", reply.error);
    else if (reply.status != STATUS_UNREACHED || first)
        reply_tell(&reply);
    if (reply.status == STATUS_UNREACHED && !first)
        status = STATUS_OK;
    reply_free(&reply);
    return status;
}

int ctl_get(struct ctl *ctl, struct reply (*get)(struct ctl *ctl), printer *print)
{
    int64_t every = ctl->args.watch_ms;
    int status;

    if (every == 0)
        return look(ctl, get, print, true);
    for (bool first = true;; first = false) {
        screen_begin(&ctl->screen);
        status = look(ctl, get, print, first);
        screen_show(&ctl->screen);
        if (status != STATUS_OK || !screen_flush(&ctl->screen))
            return status;
        ctl_rest(every);
    }
}

int ctl_change(struct ctl *ctl, const char *method, const char *path, printer *print)
{
    struct reply reply = client_call(ctl->client, method, path);
    int status = reply_tell(&reply);

    if (status == STATUS_OK)
        show(ctl, &reply, print);
    reply_free(&reply);
    return status;
}
