/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/api.h"
#include "ops/events.h"

struct answer *api_events(struct api_call *call)
{
    return answer_guarded(events_read(&call->api->events));
}
