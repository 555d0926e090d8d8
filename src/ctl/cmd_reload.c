/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <inttypes.h>

#include "ctl/ctl.h"
#include "ctl/findings.h"
#include "ctl/text.h"
#include "ctl/value.h"

int reload_print(struct ctl *ctl, const json_t *body)
{
    int64_t failed = value_number(body, "failed");

    text_line(ctl->screen.to,
              "reloaded: %" PRId64 " added, %" PRId64 " removed, %" PRId64 " changed, %" PRId64
              " failed (generation %" PRId64 ")",
              value_number(body, "added"), value_number(body, "removed"),
              value_number(body, "changed"), failed, value_number(body, "generation"));
    if (failed == 0)
        return STATUS_OK;
    text_line(stderr, "penstock: %" PRId64 " %s could not change", failed,
              failed == 1 ? "rule or option" : "rules or options");
    return STATUS_REFUSED;
}

int cmd_reload(struct ctl *ctl)
{
    struct reply reply = client_call(ctl->client, "POST", "/v1/reload", "generation");
    int status = reply.status;

    findings_tell(ctl, &reply);
    if (status == STATUS_OK && !ctl->screen.json)
        status = reload_print(ctl, reply.body);
    else if (status == STATUS_OK && value_number(reply.body, "failed") > 0)
        status = STATUS_REFUSED;
    reply_free(&reply);
    return status;
}
