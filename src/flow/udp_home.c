/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/udp_home.h"

#include <unistd.h>

#include "flow/session.h"
#include "flow/udp.h"
#include "flow/udp_net_inside.h"
#include "flow/worker.h"
#include "os/dgram.h"
#include "os/interfaces.h"

/* From where a new socket would send; AF_UNSPEC: there is no way now. */
static struct addr source_now(const struct session *s)
{
    struct addr source = {.family = AF_UNSPEC};
    int fd = dgram_connect(&s->upstream);

    if (fd < 0)
        return source;
    if (dgram_check(fd, &source))
        source.family = AF_UNSPEC;
    close(fd);
    return source;
}

bool udp_home_is_gone(const struct session *s, const struct interfaces *is)
{
    struct addr local, now;
    bool is_ours;

    if (s->conf->rule->target_count > 0 || s->upstream.family == AF_UNIX ||
        dgram_check(s->fd[UPSTREAM], &local))
        return false;
    is_ours = interfaces_has(is, &local);
    if (is_ours && s->udp->answered)
        return false;
    /* One that no interface has may be local by a route; and while an address was new (RFC 4862
     * section 5.4) another was used for it, to which no answer may find its way. */
    now = source_now(s);
    return now.family == AF_UNSPEC ? !is_ours : !udp_is_same_host(&now, &local);
}

void udp_home_update(struct worker *w, const struct interfaces *is)
{
    list_for_each (link, next, &w->sessions) {
        struct session *s = container_of(link, struct session, link);

        if (s->udp && !s->udp->failed && s->stage == STAGE_RELAY && udp_home_is_gone(s, is))
            session_end_now(s, END_ADDRESS_GONE);
    }
}
