/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/findings.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/value.h"

static void print(const char *file, int64_t line, bool warning, const char *text)
{
    const char *kind = warning ? "warning: " : "";

    if (line > 0)
        text_line(stderr, "%s:%" PRId64 ": %s%s", file, line, kind, text);
    else
        text_line(stderr, "%s: %s%s", file, kind, text);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool was_said(const json_t *error, const struct conf_errors *said)
{
    const char *file = last_part(value_text(error, "file")), *text = value_text(error, "text");

    for (size_t i = 0; said && i < said->count; i++) {
        const struct conf_error *e = &said->list[i];

        if (e->at.line == value_number(error, "line") && strcmp(e->text, text) == 0 &&
            strcmp(last_part(e->at.file), file) == 0)
            return true;
    }
    return false;
}

void findings_print(const json_t *errors, const struct conf_errors *said)
{
    const json_t *e;
    size_t i;

    json_array_foreach(errors, i, e)
    {
        if (was_said(e, said))
            continue;
        print(value_text(e, "file"), value_number(e, "line"),
              json_is_true(json_object_get(e, "warning")), value_text(e, "text"));
    }
}

void findings_tell(struct ctl *ctl, const struct reply *reply)
{
    const json_t *errors = json_object_get(reply->body, "errors"), *e;
    size_t i, fatal = 0;

    if (ctl->screen.json) {
        if (reply->body)
            screen_json(&ctl->screen, reply->body);
        reply_tell(reply);
        return;
    }
    findings_print(errors, NULL);
    json_array_foreach(errors, i, e) fatal += !json_is_true(json_object_get(e, "warning"));
    if (reply->status == STATUS_REFUSED && fatal > 0)
        text_line(stderr, "penstock: the config has %zu error%s", fatal, fatal == 1 ? "" : "s");
    else
        reply_tell(reply);
}

void findings_print_own(const struct conf_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct conf_error *e = &errors->list[i];

        print(e->at.file, e->at.line, e->warning, e->text);
    }
}
