/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Only what would harm whoever goes on with it is wrong: for one impossible session all others are
 * refused as well.
 */
#include "config.h"

#include "daemon/snapshot_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/table.h"
#include "daemon/snapshot.h"

static const char no_memory[] = "there is no memory to check it";

static bool is_duration(uint64_t ms)
{
    return ms <= SNAP_MS_MAX;
}

static bool is_open(const struct snap_fd *fd)
{
    return fd->cookie != 0 && fd->number >= 0;
}

static bool is_none(const struct snap_fd *fd)
{
    return fd->cookie == 0 && fd->number == -1;
}

static const char *check_addr(const struct addr *a)
{
    const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

    switch (a->family) {
    case AF_UNSPEC:
    case AF_INET:
    case AF_INET6:
        return NULL;
    case AF_UNIX:
        return a->un.path == NULL || strlen(a->un.path) < room ? NULL : "a UNIX path is too long";
    default:
        return "an address is of an unknown family";
    }
}

static const char *check_rule(const struct snapshot *s, const struct snap_rule *rule)
{
    if (rule->name[0] == '\0')
        return "a rule has no name";
    if (rule->conf >= s->conf_count)
        return "a rule's config is not there";
    if (rule->state > SNAP_DRAINING)
        return "a rule's state is unknown";
    return is_duration(rule->drain_ms) ? NULL : "a rule is drained too late";
}

static const char *check_rules(const struct snapshot *s)
{
    struct table *names = table_new();
    const char *wrong = names != NULL ? NULL : no_memory;

    for (uint32_t i = 0; wrong == NULL && i < s->rule_count; i++) {
        struct snap_rule *rule = &s->rules[i];
        int error;

        wrong = check_rule(s, rule);
        if (wrong == NULL && (error = table_insert(names, rule->name, rule)) != 0)
            wrong = error == -EEXIST ? "two rules have one name" : no_memory;
    }
    table_free(names);
    return wrong;
}

static const char *check_listener(const struct snapshot *s, const struct snap_listener *l)
{
    if (l->rule >= s->rule_count)
        return "a listener's rule is not there";
    if (!is_open(&l->fd))
        return "a listener has no socket";
    return NULL;
}

static const char *check_dial(const struct snap_session *s)
{
    const struct snap_dial *dial = &s->dial;
    const char *wrong = NULL;

    if (!is_open(&s->fd[UPSTREAM]) && !is_none(&s->fd[UPSTREAM]))
        return "a session's upstream has half a socket";
    if (dial->addr_count > SNAP_ADDRS_MAX)
        return "a session's upstream has too many addresses";
    if (dial->next > dial->addr_count)
        return "a session's next address is not there";
    if (!is_duration(dial->attempt_ms))
        return "a session's attempt has no end";
    for (uint32_t i = 0; wrong == NULL && i < dial->addr_count; i++)
        wrong = check_addr(&dial->addrs[i]);
    return wrong;
}

/* Nothing can be kept of a side whose FIN was passed on, or for a side that was reset. */
static bool may_keep(const struct half *h, enum side from)
{
    if (h->dir[from] == DIR_SHUT)
        return false;
    return h->phase != (from == CLIENT ? PHASE_FLUSHING_CLIENT : PHASE_FLUSHING_UPSTREAM);
}

static const char *check_relay(const struct snap_session *s)
{
    const struct half *h = &s->half;

    if (!is_open(&s->fd[UPSTREAM]))
        return "a session's upstream has no socket";
    if (h->dir[CLIENT] >= DIR_STATES || h->dir[UPSTREAM] >= DIR_STATES || h->phase >= PHASE_STATES)
        return "a session's half-close state is unknown";
    if (h->phase == PHASE_CLOSED || h->phase == PHASE_RESET)
        return "a session has ended already";
    if (h->phase == PHASE_RELAYING && h->dir[CLIENT] == DIR_SHUT && h->dir[UPSTREAM] == DIR_SHUT)
        return "a session is shut both ways and relays";
    for (enum side from = CLIENT; from <= UPSTREAM; from++) {
        if (s->flow[from].kept_size > BUF_MAX)
            return "a session keeps too much";
        if (s->flow[from].kept_size > 0 && !may_keep(h, from))
            return "a session keeps what nobody will take";
    }
    return NULL;
}

static const char *check_stage(const struct snap_session *s)
{
    switch (s->stage) {
    case SNAP_DIAL:
        return check_dial(s);
    case SNAP_RELAY:
        return check_relay(s);
    default:
        return "a session's stage is unknown";
    }
}

static bool is_inet(const struct addr *a)
{
    return a->family == AF_INET || a->family == AF_INET6;
}

static const char *check_kept(const struct snap_session *s)
{
    if (s->udp.kept_count > 0 && s->stage != SNAP_DIAL)
        return "a session keeps datagrams that can go";
    for (uint32_t i = 0; i < s->udp.kept_count; i++) {
        const struct snap_dgram *d = &s->udp.kept[i];

        if (d->size > SNAP_DGRAM_MOST || d->segment > d->size)
            return "a session keeps what is no datagram";
    }
    return NULL;
}

static const char *check_udp(const struct snap_session *s)
{
    if (!is_none(&s->fd[CLIENT]))
        return "a session of datagrams has its client's socket";
    if (!is_inet(&s->client))
        return "a client of datagrams has no address";
    if (s->udp.local.family != AF_UNSPEC && !is_inet(&s->udp.local))
        return "a client of datagrams has sent to no address";
    return check_kept(s);
}

static const char *check_session(const struct snapshot *snap, const struct snap_session *s)
{
    const char *wrong = check_addr(&s->client);

    if (wrong == NULL)
        wrong = check_addr(&s->upstream);
    if (wrong != NULL)
        return wrong;
    if (s->rule >= snap->rule_count)
        return "a session's rule is not there";
    if (s->listener >= snap->listener_count && s->listener != SNAP_NONE)
        return "a session's listener is not there";
    if (s->conf >= snap->conf_count)
        return "a session's config is not there";
    if (s->id >= snap->next_id)
        return "a session's id is yet to be given";
    if (!s->is_datagrams && !is_open(&s->fd[CLIENT]))
        return "a session's client has no socket";
    if (!is_duration(s->age_ms) || !is_duration(s->quiet_ms))
        return "a session is older than time";
    if (!is_duration(s->drain_ms) && s->drain_ms != UINT64_MAX)
        return "a session is drained too late";
    if (s->is_datagrams)
        wrong = check_udp(s);
    return wrong != NULL ? wrong : check_stage(s);
}

static int compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

/* Sorts them. */
static bool has_twins(uint64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    for (size_t i = 1; i < count; i++) {
        if (values[i - 1] == values[i])
            return true;
    }
    return false;
}

/* A socket belongs to one listener or one side of one session; an id to one session. */
static const char *check_twins(const struct snapshot *s)
{
    size_t most = (size_t)s->listener_count + 2 * (size_t)s->session_count, count = 0;
    uint64_t *values = calloc(most + 1, sizeof(*values));
    const char *wrong = NULL;

    if (values == NULL)
        return no_memory;
    for (uint32_t i = 0; i < s->session_count; i++)
        values[count++] = s->sessions[i].id;
    if (has_twins(values, count))
        wrong = "two sessions have one id";
    count = 0;
    for (uint32_t i = 0; i < s->listener_count; i++)
        values[count++] = s->listeners[i].fd.cookie;
    for (uint32_t i = 0; i < s->session_count; i++) {
        const struct snap_fd *fd = s->sessions[i].fd;

        for (enum side side = CLIENT; side <= UPSTREAM; side++) {
            if (fd[side].cookie != 0)
                values[count++] = fd[side].cookie;
        }
    }
    if (wrong == NULL && has_twins(values, count))
        wrong = "one socket is named twice";
    free(values);
    return wrong;
}

const char *snapshot_check(const struct snapshot *s)
{
    const char *wrong;

    if (s->current >= s->conf_count)
        return "the config at work is not there";
    if (!is_duration(s->taken_ms))
        return "it was taken at no time";
    wrong = check_rules(s);
    for (uint32_t i = 0; wrong == NULL && i < s->listener_count; i++)
        wrong = check_listener(s, &s->listeners[i]);
    for (uint32_t i = 0; wrong == NULL && i < s->session_count; i++)
        wrong = check_session(s, &s->sessions[i]);
    return wrong != NULL ? wrong : check_twins(s);
}
