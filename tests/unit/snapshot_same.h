/* SPDX-License-Identifier: BSD-2-Clause */
/* Are two snapshots the same in every field? */
#ifndef PENSTOCK_TESTS_SNAPSHOT_SAME_H
#define PENSTOCK_TESTS_SNAPSHOT_SAME_H

#include <check.h>

#include "daemon/snapshot.h"

static inline void same_addr(const struct addr *a, const struct addr *b)
{
    ck_assert_int_eq(a->family, b->family);
    ck_assert_uint_eq(a->port, b->port);
    ck_assert_uint_eq(a->scope, b->scope);
    if (a->family != AF_UNIX) {
        ck_assert(addr_equal(a, b));
        return;
    }
    ck_assert_pstr_eq(a->un.path, b->un.path);
    ck_assert_uint_eq(a->un.peer_pid, b->un.peer_pid);
    ck_assert_uint_eq(a->un.peer_uid, b->un.peer_uid);
}

static inline void same_fd(const struct snap_fd *a, const struct snap_fd *b)
{
    ck_assert_uint_eq(a->cookie, b->cookie);
    ck_assert_int_eq(a->number, b->number);
}

static inline void same_conf(const struct snap_conf *a, const struct snap_conf *b)
{
    ck_assert_str_eq(a->path, b->path);
    ck_assert_str_eq(a->text, b->text);
    ck_assert_uint_eq(a->length, b->length);
}

static inline void same_ends(const struct snap_ended *a, uint32_t count, const struct snap_ended *b)
{
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_str_eq(a[i].word, b[i].word);
        ck_assert_uint_eq(a[i].count, b[i].count);
    }
}

static inline void same_histogram(const struct snap_histogram *a, const struct snap_histogram *b)
{
    ck_assert_uint_eq(a->sum_ms, b->sum_ms);
    ck_assert_uint_eq(a->bucket_count, b->bucket_count);
    for (uint32_t i = 0; i < a->bucket_count; i++) {
        ck_assert_uint_eq(a->buckets[i].most_ms, b->buckets[i].most_ms);
        ck_assert_uint_eq(a->buckets[i].count, b->buckets[i].count);
    }
}

static inline void same_rule(const struct snap_rule *a, const struct snap_rule *b)
{
    ck_assert_str_eq(a->name, b->name);
    ck_assert_uint_eq(a->conf, b->conf);
    ck_assert_int_eq(a->running, b->running);
    ck_assert_uint_eq(a->bytes_in, b->bytes_in);
    ck_assert_uint_eq(a->bytes_out, b->bytes_out);
    ck_assert_uint_eq(a->datagrams_in, b->datagrams_in);
    ck_assert_uint_eq(a->datagrams_out, b->datagrams_out);
    ck_assert_uint_eq(a->dropped, b->dropped);
    ck_assert_uint_eq(a->ended_count, b->ended_count);
    same_ends(a->ended, a->ended_count, b->ended);
    ck_assert_uint_eq(a->refused_count, b->refused_count);
    same_ends(a->refused, a->refused_count, b->refused);
    ck_assert_uint_eq(a->state, b->state);
    ck_assert_uint_eq(a->drain_ms, b->drain_ms);
    same_histogram(&a->connect, &b->connect);
    same_histogram(&a->lasted, &b->lasted);
}

static inline void same_listener(const struct snap_listener *a, const struct snap_listener *b)
{
    same_fd(&a->fd, &b->fd);
    ck_assert_uint_eq(a->rule, b->rule);
    ck_assert_str_eq(a->text, b->text);
    ck_assert_int_eq(a->owns_file, b->owns_file);
    ck_assert_uint_eq(a->file_dev, b->file_dev);
    ck_assert_uint_eq(a->file_ino, b->file_ino);
}

static inline void same_dial(const struct snap_dial *a, const struct snap_dial *b)
{
    ck_assert_uint_eq(a->addr_count, b->addr_count);
    for (uint32_t i = 0; i < a->addr_count; i++)
        same_addr(&a->addrs[i], &b->addrs[i]);
    ck_assert_uint_eq(a->next, b->next);
    ck_assert_uint_eq(a->attempt_ms, b->attempt_ms);
    ck_assert_str_eq(a->last_end, b->last_end);
    ck_assert_int_eq(a->error, b->error);
}

static inline void same_udp(const struct snap_udp *a, const struct snap_udp *b)
{
    same_addr(&a->local, &b->local);
    ck_assert_uint_eq(a->interface, b->interface);
    ck_assert_int_eq(a->answered, b->answered);
    ck_assert_int_eq(a->refused, b->refused);
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        ck_assert_uint_eq(a->datagrams[side], b->datagrams[side]);
        ck_assert_uint_eq(a->dropped[side], b->dropped[side]);
    }
    ck_assert_uint_eq(a->kept_count, b->kept_count);
    for (uint32_t i = 0; i < a->kept_count; i++) {
        ck_assert_uint_eq(a->kept[i].segment, b->kept[i].segment);
        ck_assert_uint_eq(a->kept[i].size, b->kept[i].size);
        if (a->kept[i].size > 0)
            ck_assert_mem_eq(a->kept[i].bytes, b->kept[i].bytes, a->kept[i].size);
    }
}

static inline void same_session(const struct snap_session *a, const struct snap_session *b)
{
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->rule, b->rule);
    ck_assert_uint_eq(a->listener, b->listener);
    ck_assert_uint_eq(a->conf, b->conf);
    ck_assert_str_eq(a->listen, b->listen);
    ck_assert_uint_eq(a->stage, b->stage);
    same_addr(&a->client, &b->client);
    same_addr(&a->upstream, &b->upstream);
    ck_assert_uint_eq(a->age_ms, b->age_ms);
    ck_assert_uint_eq(a->quiet_ms, b->quiet_ms);
    ck_assert_uint_eq(a->drain_ms, b->drain_ms);
    ck_assert_uint_eq(a->connect_ms, b->connect_ms);
    ck_assert_int_eq(a->error, b->error);
    ck_assert_int_eq(a->keepalive, b->keepalive);
    ck_assert_uint_eq(a->half.phase, b->half.phase);
    ck_assert_str_eq(a->half_end, b->half_end);
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        same_fd(&a->fd[side], &b->fd[side]);
        ck_assert_int_eq(a->reset[side], b->reset[side]);
        ck_assert_uint_eq(a->half.dir[side], b->half.dir[side]);
        ck_assert_uint_eq(a->flow[side].bytes, b->flow[side].bytes);
        ck_assert_int_eq(a->flow[side].splicing, b->flow[side].splicing);
        ck_assert_uint_eq(a->flow[side].kept_size, b->flow[side].kept_size);
        if (a->flow[side].kept_size > 0)
            ck_assert_mem_eq(a->flow[side].kept, b->flow[side].kept, a->flow[side].kept_size);
    }
    same_dial(&a->dial, &b->dial);
    ck_assert_int_eq(a->is_datagrams, b->is_datagrams);
    same_udp(&a->udp, &b->udp);
}

static inline void same_snapshot(const struct snapshot *a, const struct snapshot *b)
{
    ck_assert_str_eq(a->program, b->program);
    ck_assert_uint_eq(a->taken_ms, b->taken_ms);
    ck_assert_uint_eq(a->next_id, b->next_id);
    ck_assert_uint_eq(a->served, b->served);
    ck_assert_uint_eq(a->refused, b->refused);
    ck_assert_uint_eq(a->current, b->current);
    ck_assert_uint_eq(a->conf_count, b->conf_count);
    ck_assert_uint_eq(a->rule_count, b->rule_count);
    ck_assert_uint_eq(a->listener_count, b->listener_count);
    ck_assert_uint_eq(a->session_count, b->session_count);
    for (uint32_t i = 0; i < a->conf_count; i++)
        same_conf(&a->confs[i], &b->confs[i]);
    for (uint32_t i = 0; i < a->rule_count; i++)
        same_rule(&a->rules[i], &b->rules[i]);
    for (uint32_t i = 0; i < a->listener_count; i++)
        same_listener(&a->listeners[i], &b->listeners[i]);
    for (uint32_t i = 0; i < a->session_count; i++)
        same_session(&a->sessions[i], &b->sessions[i]);
}

#endif
