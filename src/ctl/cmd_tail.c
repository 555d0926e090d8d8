/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdlib.h>

#include "ctl/ctl.h"
#include "ctl/event.h"
#include "ctl/text.h"

static bool print(void *arg, const char *line)
{
    struct ctl *ctl = arg;
    json_t *event = json_loads(line, 0, NULL);

    if (!event) {
        text_line(stderr, "penstock: no event: %s", line);
        return true;
    }
    if (ctl->screen.json) {
        screen_json(&ctl->screen, event);
    } else {
        enum style style;
        char *text = event_text(event, &style), *safe = text_safe(text);
        const char *begin = ctl->screen.colour ? style_begin(style) : "";

        fprintf(ctl->screen.to, "%s%s%s\n", begin, safe, begin[0] ? STYLE_END : "");
        free(safe);
        free(text);
    }
    json_decref(event);
    return screen_flush(&ctl->screen);
}

int cmd_tail(struct ctl *ctl)
{
    struct reply reply = client_stream(ctl->client, "/v1/events", print, ctl);
    int status = reply_tell(&reply);

    reply_free(&reply);
    return status;
}
