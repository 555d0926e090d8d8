/* SPDX-License-Identifier: BSD-2-Clause */
/* All that snapshot.h says of what was read, checked again and by other means than the reader's;
 * for the unit test and the fuzzer. Walks every byte, so that the sanitizers see what is out of
 * bounds. */
#ifndef PENSTOCK_TESTS_SNAPSHOT_PROMISES_H
#define PENSTOCK_TESTS_SNAPSHOT_PROMISES_H

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/crc32.h"
#include "base/pack.h"
#include "daemon/snapshot.h"

/* Make the length and the checksum of a block right, which has a header. */
static inline void snapshot_mend(uint8_t *bytes, size_t size)
{
    struct packer p = {.bytes = bytes, .size = size, .room = size};

    pack_u64_at(&p, 12, size);
    pack_u32_at(&p, 20, crc32_of(bytes + 24, size - 24));
}

/* What is broken, or NULL. */
#define SNAPSHOT_HOLDS(condition)                                                                  \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return #condition;                                                                     \
    } while (0)

static inline bool is_text(const char *text)
{
    return text != NULL && strlen(text) <= UINT32_MAX;
}

static inline const char *promises_of_addr(const struct addr *a)
{
    struct sockaddr_storage kernel;
    char text[ADDR_TEXT_MAX];

    SNAPSHOT_HOLDS(a->family == AF_UNSPEC || a->family == AF_INET || a->family == AF_INET6 ||
                   a->family == AF_UNIX);
    addr_print(a, text, sizeof(text));
    SNAPSHOT_HOLDS(strlen(text) > 0);
    if (a->family == AF_UNIX && a->un.path != NULL)
        SNAPSHOT_HOLDS(strlen(a->un.path) > 0);
    if (a->family != AF_UNSPEC && (a->family != AF_UNIX || a->un.path != NULL))
        SNAPSHOT_HOLDS(addr_to_sockaddr(a, &kernel) > 0);
    return NULL;
}

static inline const char *promises_of_dial(const struct snap_session *s)
{
    const struct snap_dial *d = &s->dial;
    const struct half fresh = {0};

    SNAPSHOT_HOLDS(s->fd[UPSTREAM].cookie != 0 ? s->fd[UPSTREAM].number >= 0
                                               : s->fd[UPSTREAM].number == -1);
    SNAPSHOT_HOLDS(memcmp(&s->half, &fresh, sizeof(fresh)) == 0);
    SNAPSHOT_HOLDS(s->half_end[0] == '\0');
    for (int i = 0; i < 2; i++)
        SNAPSHOT_HOLDS(s->flow[i].kept == NULL && s->flow[i].kept_size == 0);
    SNAPSHOT_HOLDS(d->addr_count <= SNAP_ADDRS_MAX && d->next <= d->addr_count);
    SNAPSHOT_HOLDS((d->addrs == NULL) == (d->addr_count == 0));
    SNAPSHOT_HOLDS(d->attempt_ms <= SNAP_MS_MAX);
    SNAPSHOT_HOLDS(is_text(d->last_end));
    for (uint32_t i = 0; i < d->addr_count; i++)
        SNAPSHOT_HOLDS(promises_of_addr(&d->addrs[i]) == NULL);
    return NULL;
}

static inline const char *promises_of_relay(const struct snap_session *s)
{
    struct half h = s->half;

    SNAPSHOT_HOLDS(s->fd[UPSTREAM].cookie != 0 && s->fd[UPSTREAM].number >= 0);
    SNAPSHOT_HOLDS(h.dir[CLIENT] < DIR_STATES && h.dir[UPSTREAM] < DIR_STATES);
    SNAPSHOT_HOLDS(half_step(&h, EVENT_TIMEOUT) == ACT_RESET); /* no final phase takes it */
    SNAPSHOT_HOLDS(is_text(s->half_end));
    SNAPSHOT_HOLDS(s->dial.addrs == NULL && s->dial.addr_count == 0 && s->dial.next == 0);
    SNAPSHOT_HOLDS(s->dial.last_end[0] == '\0');
    for (int i = 0; i < 2; i++) {
        const struct snap_flow *f = &s->flow[i];
        struct buf kept = {0};

        SNAPSHOT_HOLDS((f->kept == NULL) == (f->kept_size == 0));
        SNAPSHOT_HOLDS(buf_fill(&kept, f->kept, f->kept_size) == 0);
        buf_clear(&kept);
        if (s->half.dir[i] == DIR_SHUT)
            SNAPSHOT_HOLDS(f->kept_size == 0);
    }
    return NULL;
}

static inline const char *promises_of_udp(const struct snap_session *s)
{
    const struct snap_udp *u = &s->udp;

    SNAPSHOT_HOLDS(s->fd[CLIENT].cookie == 0 && s->fd[CLIENT].number == -1);
    SNAPSHOT_HOLDS(s->client.family == AF_INET || s->client.family == AF_INET6);
    SNAPSHOT_HOLDS(u->local.family != AF_UNIX && promises_of_addr(&u->local) == NULL);
    SNAPSHOT_HOLDS((u->kept == NULL) == (u->kept_count == 0));
    SNAPSHOT_HOLDS(s->stage == SNAP_DIAL || u->kept_count == 0);
    for (uint32_t i = 0; i < u->kept_count; i++) {
        const struct snap_dgram *d = &u->kept[i];

        SNAPSHOT_HOLDS((d->bytes == NULL) == (d->size == 0));
        SNAPSHOT_HOLDS(d->size <= 65535 && d->segment <= d->size);
        volatile uint32_t walked = crc32_of(d->bytes, d->size);
        (void)walked;
    }
    for (int i = 0; i < 2; i++)
        SNAPSHOT_HOLDS(s->flow[i].kept == NULL && !s->flow[i].splicing);
    return NULL;
}

static inline const char *promises_of_tcp(const struct snap_session *s)
{
    SNAPSHOT_HOLDS(s->fd[CLIENT].cookie != 0 && s->fd[CLIENT].number >= 0);
    SNAPSHOT_HOLDS(s->udp.kept == NULL && s->udp.kept_count == 0);
    SNAPSHOT_HOLDS(s->udp.local.family == AF_UNSPEC);
    return NULL;
}

static inline const char *promises_of_session(const struct snapshot *snap, uint32_t index)
{
    const struct snap_session *s = &snap->sessions[index];
    const char *broken = promises_of_addr(&s->client);

    SNAPSHOT_HOLDS(broken == NULL);
    broken = promises_of_addr(&s->upstream);
    SNAPSHOT_HOLDS(broken == NULL);
    SNAPSHOT_HOLDS(s->rule < snap->rule_count && s->conf < snap->conf_count);
    SNAPSHOT_HOLDS(s->listener < snap->listener_count || s->listener == SNAP_NONE);
    SNAPSHOT_HOLDS(is_text(s->listen));
    SNAPSHOT_HOLDS(s->age_ms <= SNAP_MS_MAX && s->quiet_ms <= SNAP_MS_MAX);
    SNAPSHOT_HOLDS(s->drain_ms <= SNAP_MS_MAX || s->drain_ms == UINT64_MAX);
    broken = s->is_datagrams ? promises_of_udp(s) : promises_of_tcp(s);
    SNAPSHOT_HOLDS(broken == NULL);
    SNAPSHOT_HOLDS(s->fd[CLIENT].cookie != s->fd[UPSTREAM].cookie || s->is_datagrams);
    SNAPSHOT_HOLDS(s->id < snap->next_id);
    for (uint32_t i = 0; i < index; i++) {
        const struct snap_session *other = &snap->sessions[i];

        SNAPSHOT_HOLDS(other->id != s->id);
        for (int side = 0; side < 4; side++)
            SNAPSHOT_HOLDS(s->fd[side & 1].cookie == 0 ||
                           s->fd[side & 1].cookie != other->fd[side >> 1].cookie);
    }
    for (uint32_t i = 0; i < snap->listener_count; i++)
        SNAPSHOT_HOLDS(snap->listeners[i].fd.cookie != s->fd[CLIENT].cookie &&
                       snap->listeners[i].fd.cookie != s->fd[UPSTREAM].cookie);
    SNAPSHOT_HOLDS(s->stage == SNAP_DIAL || s->stage == SNAP_RELAY);
    return s->stage == SNAP_DIAL ? promises_of_dial(s) : promises_of_relay(s);
}

static inline const char *promises_of_rule(const struct snapshot *s, uint32_t index)
{
    const struct snap_rule *rule = &s->rules[index];

    SNAPSHOT_HOLDS(rule->name[0] != '\0' && rule->conf < s->conf_count);
    SNAPSHOT_HOLDS((rule->ended == NULL) == (rule->ended_count == 0));
    for (uint32_t i = 0; i < rule->ended_count; i++)
        SNAPSHOT_HOLDS(is_text(rule->ended[i].word));
    SNAPSHOT_HOLDS((rule->refused == NULL) == (rule->refused_count == 0));
    for (uint32_t i = 0; i < rule->refused_count; i++)
        SNAPSHOT_HOLDS(is_text(rule->refused[i].word));
    SNAPSHOT_HOLDS(rule->state <= SNAP_DRAINING && rule->drain_ms <= SNAP_MS_MAX);
    SNAPSHOT_HOLDS((rule->connect.buckets == NULL) == (rule->connect.bucket_count == 0));
    SNAPSHOT_HOLDS((rule->lasted.buckets == NULL) == (rule->lasted.bucket_count == 0));
    for (uint32_t i = 0; i < index; i++)
        SNAPSHOT_HOLDS(strcmp(s->rules[i].name, rule->name) != 0);
    return NULL;
}

static inline const char *promises_of_listener(const struct snapshot *s, uint32_t index)
{
    const struct snap_listener *l = &s->listeners[index];

    SNAPSHOT_HOLDS(l->rule < s->rule_count);
    SNAPSHOT_HOLDS(l->fd.cookie != 0 && l->fd.number >= 0);
    SNAPSHOT_HOLDS(is_text(l->text));
    for (uint32_t i = 0; i < index; i++)
        SNAPSHOT_HOLDS(s->listeners[i].fd.cookie != l->fd.cookie);
    return NULL;
}

static inline const char *promises_of_snapshot(const struct snapshot *s)
{
    const char *broken = NULL;

    SNAPSHOT_HOLDS(is_text(s->program));
    SNAPSHOT_HOLDS(s->current < s->conf_count && s->taken_ms <= SNAP_MS_MAX);
    for (uint32_t i = 0; i < s->conf_count; i++) {
        SNAPSHOT_HOLDS(is_text(s->confs[i].path));
        SNAPSHOT_HOLDS(strlen(s->confs[i].text) == s->confs[i].length);
    }
    for (uint32_t i = 0; broken == NULL && i < s->rule_count; i++)
        broken = promises_of_rule(s, i);
    for (uint32_t i = 0; broken == NULL && i < s->listener_count; i++)
        broken = promises_of_listener(s, i);
    for (uint32_t i = 0; broken == NULL && i < s->session_count; i++)
        broken = promises_of_session(s, i);
    return broken;
}

#endif
