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

static int get_once(struct ctl *ctl, struct reply (*get)(struct ctl *ctl), printer *print)
{
    struct reply reply = get(ctl);
    int status = reply_tell(&reply);

    if (status == STATUS_OK)
        show(ctl, &reply, print);
    reply_free(&reply);
    return status;
}

/* What is seen until the next look: nothing, for programs, while there is no answer. */
static void show_frame(struct ctl *ctl, const struct reply *reply, printer *print)
{
    screen_begin(&ctl->screen);
    if (reply->status == STATUS_OK)
        show(ctl, reply, print);
    else if (!ctl->screen.json)
        text_line(ctl->screen.to, "penstock: %s", reply->error);
    screen_show(&ctl->screen);
    if (reply->status != STATUS_OK && ctl->screen.json)
        reply_tell(reply);
}

/* The daemon may be away for a while once it was there: at a restart. */
static int get_again(struct ctl *ctl, struct reply (*get)(struct ctl *ctl), printer *print)
{
    for (bool first = true;; first = false) {
        struct reply reply = get(ctl);
        int status = reply.status;

        if (status == STATUS_UNREACHED && !first)
            status = STATUS_OK;
        /* What is wrong for good is said below what was seen last, and both stay. */
        if (status == STATUS_OK)
            show_frame(ctl, &reply, print);
        else
            reply_tell(&reply);
        reply_free(&reply);
        if (status != STATUS_OK || !screen_flush(&ctl->screen))
            return status;
        ctl_rest(ctl->args.watch_ms);
    }
}

int ctl_get(struct ctl *ctl, struct reply (*get)(struct ctl *ctl), printer *print)
{
    return ctl->args.watch_ms > 0 ? get_again(ctl, get, print) : get_once(ctl, get, print);
}

int ctl_change(struct ctl *ctl, const char *method, const char *path, const char *key,
               printer *print)
{
    struct reply reply = client_call(ctl->client, method, path, key);
    int status = reply_tell(&reply);

    if (status == STATUS_OK)
        show(ctl, &reply, print);
    reply_free(&reply);
    return status;
}
