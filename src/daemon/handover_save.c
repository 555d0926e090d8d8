/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/handover.h"
#include "daemon/handover_account.h"
#include "flow/dial.h"
#include "flow/listener.h"
#include "flow/move.h"
#include "flow/session.h"
#include "flow/udp.h"
#include "os/sock.h"

/* A config that something alive refers to, and which of its rules. */
struct used_conf {
    struct conf *conf;
    bool *used; /* conf->rule_count of them */
};

struct saving {
    struct ruleset *set;
    struct handover *h;
    struct snapshot snap;
    struct used_conf *confs;
    size_t conf_room;
};

/* --- configs --------------------------------------------------------------------------------- */

static int add_conf(struct saving *sv, struct conf *conf)
{
    struct used_conf *c;

    if (sv->snap.conf_count == sv->conf_room) {
        size_t room = sv->conf_room ? 2 * sv->conf_room : 8;
        struct used_conf *grown = realloc(sv->confs, room * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        sv->confs = grown;
        sv->conf_room = room;
    }
    c = &sv->confs[sv->snap.conf_count];
    *c = (struct used_conf){.conf = conf, .used = calloc(conf->rule_count, sizeof(bool))};
    if (!c->used)
        return -ENOMEM;
    sv->snap.conf_count++;
    return 0;
}

/* Its index. There are few: the last ones are asked for most. */
static int find_conf(struct saving *sv, struct conf *conf, uint32_t *index)
{
    for (uint32_t i = sv->snap.conf_count; i > 0; i--) {
        if (sv->confs[i - 1].conf == conf) {
            *index = i - 1;
            return 0;
        }
    }
    *index = sv->snap.conf_count;
    return add_conf(sv, conf);
}

static int use_rule(struct saving *sv, const struct conf_rule *rule, uint32_t *index)
{
    int error = find_conf(sv, rule->conf, index);

    if (error == 0)
        sv->confs[*index].used[rule - rule->conf->rules] = true;
    return error;
}

/* A config needs a rule to be one. */
static int write_conf(const struct used_conf *c, struct snap_conf *out)
{
    const struct conf_rule **rules = calloc(c->conf->rule_count, sizeof(*rules));
    size_t count = 0, size = 0;
    char *text = NULL;
    FILE *f;

    if (!rules)
        return -ENOMEM;
    for (size_t i = 0; i < c->conf->rule_count; i++) {
        if (c->used[i])
            rules[count++] = &c->conf->rules[i];
    }
    if (count == 0)
        rules[count++] = &c->conf->rules[0];
    f = open_memstream(&text, &size);
    if (f)
        conf_dump_rules(c->conf, rules, count, f);
    free(rules);
    if (!f || fclose(f)) {
        free(text);
        return -ENOMEM;
    }
    *out = (struct snap_conf){.path = c->conf->path, .text = text, .length = size};
    return 0;
}

static int save_confs(struct saving *sv)
{
    int error = 0;

    sv->snap.confs = calloc(sv->snap.conf_count, sizeof(*sv->snap.confs));
    if (!sv->snap.confs)
        return -ENOMEM;
    for (uint32_t i = 0; i < sv->snap.conf_count && error == 0; i++)
        error = write_conf(&sv->confs[i], &sv->snap.confs[i]);
    return error;
}

/* --- rules and listeners --------------------------------------------------------------------- */

static const uint8_t snap_states[] = {
    [RULE_RUNNING] = SNAP_RUNNING, [RULE_PAUSED] = SNAP_PAUSED, [RULE_DRAINING] = SNAP_DRAINING};

static uint64_t until(const struct saving *sv, int64_t then)
{
    int64_t ms = then - (int64_t)sv->snap.taken_ms;

    return ms > 0 ? (uint64_t)ms : 0;
}

static int save_rule(struct saving *sv, struct rule *rule)
{
    struct snap_rule *out = &sv->snap.rules[sv->snap.rule_count];
    int error;

    account_flush(rule); /* what is silent would be forgotten */
    rule->number = sv->snap.rule_count++;
    *out = (struct snap_rule){.name = rule->conf->name,
                              .running = rule->running,
                              .state = snap_states[rule->state],
                              .drain_ms = rule->drain_at ? until(sv, rule->drain_at) : 0};
    error = use_rule(sv, rule->conf, &out->conf);
    return error ? error : handover_save_account(&rule->account, out);
}

static int save_fd(int fd, struct snap_fd *out, int *fds, size_t *count)
{
    int error;

    *out = (struct snap_fd){.number = -1};
    if (fd < 0)
        return 0;
    error = sock_id(fd, &out->cookie);
    if (error)
        return error;
    out->number = fd;
    fds[(*count)++] = fd;
    return 0;
}

static int save_listener(struct saving *sv, struct listener *l)
{
    struct snap_listener *out = &sv->snap.listeners[sv->snap.listener_count];

    l->number = sv->snap.listener_count++;
    *out = (struct snap_listener){.rule = l->rule->number,
                                  .text = l->conf->text,
                                  .owns_file = l->owns_file,
                                  .file_dev = l->file.dev,
                                  .file_ino = l->file.ino};
    return save_fd(l->fd, &out->fd, sv->h->listeners, &sv->h->listener_count);
}

/* Those at work in the order of the config, then those that live for their sessions. */
static int save_rules(struct saving *sv)
{
    size_t count = 0;
    int error = 0;

    list_for_each (link, next, &sv->set->worker->rules)
        count++;
    sv->snap.rules = calloc(count, sizeof(*sv->snap.rules));
    sv->snap.listeners = calloc(sv->set->listeners + 1, sizeof(*sv->snap.listeners));
    sv->h->listeners = calloc(sv->set->listeners + 1, sizeof(int));
    if (!sv->snap.rules || !sv->snap.listeners || !sv->h->listeners)
        return -ENOMEM;
    for (size_t i = 0; i < sv->set->count && error == 0; i++) {
        error = save_rule(sv, sv->set->rules[i]);
        list_for_each (link, next, &sv->set->rules[i]->listeners) {
            if (error == 0)
                error = save_listener(sv, container_of(link, struct listener, link));
        }
    }
    list_for_each (link, next, &sv->set->worker->rules) {
        struct rule *rule = container_of(link, struct rule, link);

        if (!rule->running && error == 0)
            error = save_rule(sv, rule);
    }
    return error;
}

/* --- sessions -------------------------------------------------------------------------------- */

static uint64_t since(const struct saving *sv, int64_t then)
{
    int64_t ms = (int64_t)sv->snap.taken_ms - then;

    return ms > 0 ? (uint64_t)ms : 0;
}

static void save_dial(const struct session *s, struct snap_dial *out)
{
    struct dial_state d = dial_state(s);

    *out = (struct snap_dial){.addrs = (struct addr *)d.addrs,
                              .addr_count = (uint32_t)d.count,
                              .next = (uint32_t)d.next,
                              .attempt_ms = d.attempt_ms > 0 ? (uint64_t)d.attempt_ms : 0,
                              .last_end = end_word(d.last),
                              .error = d.error};
}

static int save_relay(struct session *s, struct snap_session *out)
{
    out->half = s->half;
    out->half_end = end_word((enum end)s->half_end);
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        const struct flow *f = &s->flow[side];
        int error = move_keep(s, side);

        if (error)
            return error;
        out->flow[side] =
            (struct snap_flow){.bytes = f->bytes,
                               .splicing = f->splicing,
                               .kept = buf_size(&f->kept) > 0 ? buf_bytes(&f->kept) : NULL,
                               .kept_size = (uint32_t)buf_size(&f->kept)};
    }
    return 0;
}

/* Their bytes are borrowed. */
static int save_kept(const struct udp_session *u, struct snap_udp *out)
{
    size_t count = 0;

    list_for_each (link, next, &u->kept)
        count++;
    out->kept = calloc(count + 1, sizeof(*out->kept));
    if (!out->kept)
        return -ENOMEM;
    list_for_each (link, next, &u->kept) {
        const struct udp_kept *k = container_of(link, struct udp_kept, link);

        out->kept[out->kept_count++] = (struct snap_dgram){k->bytes, k->size, k->segment};
    }
    return 0;
}

static int save_udp(const struct session *s, struct snap_session *out)
{
    const struct udp_session *u = s->udp;

    out->udp = (struct snap_udp){
        .local = u->entry.local,
        .interface = u->interface,
        .answered = u->answered,
        .refused = u->refused,
    };
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        out->flow[side].bytes = s->flow[side].bytes;
        out->udp.datagrams[side] = u->datagrams[side];
        out->udp.dropped[side] = u->dropped[side];
    }
    return save_kept(u, &out->udp);
}

static int save_session(struct saving *sv, struct session *s)
{
    struct snap_session *out = &sv->snap.sessions[sv->snap.session_count++];
    int error;

    *out = (struct snap_session){
        .id = s->id,
        .rule = s->rule->number,
        .listener = s->listener ? s->listener->number : SNAP_NONE,
        .listen = s->conf->text,
        .stage = s->stage == STAGE_DIAL ? SNAP_DIAL : SNAP_RELAY,
        .is_datagrams = s->udp != NULL,
        .client = s->client,
        .upstream = s->upstream,
        .age_ms = since(sv, s->started),
        .quiet_ms = since(sv, s->active),
        .drain_ms = UINT64_MAX,
        .connect_ms = s->connect_ms,
        .error = s->error,
        .reset = {s->reset[CLIENT], s->reset[UPSTREAM]},
        .keepalive = s->keepalive,
        .half_end = "",
        .dial = {.last_end = ""},
    };
    if (s->drain_at != 0)
        out->drain_ms = until(sv, s->drain_at);
    error = use_rule(sv, s->conf->rule, &out->conf);
    for (enum side side = CLIENT; side <= UPSTREAM && error == 0; side++)
        error = save_fd(s->fd[side], &out->fd[side], sv->h->sessions, &sv->h->session_count);
    if (error == 0 && s->stage == STAGE_DIAL)
        save_dial(s, &out->dial);
    if (error == 0 && s->udp)
        return save_udp(s, out);
    if (error == 0 && s->stage == STAGE_RELAY)
        return save_relay(s, out);
    return error;
}

/* One of datagrams, as it stands in line to be evicted. */
struct in_line {
    struct session *session;
    uint32_t place; /* in the lines of its rule */
};

static int compare(const void *a, const void *b)
{
    const struct in_line *x = a, *y = b;

    if (x->session->active != y->session->active)
        return x->session->active < y->session->active ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static void line_up(const struct worker *w, struct in_line *all)
{
    uint32_t count = 0;

    list_for_each (link, next, &w->rules) {
        const struct rule *rule = container_of(link, struct rule, link);

        for (enum udp_line line = 0; line < UDP_LINES; line++) {
            list_for_each (in_line, after, &rule->lines[line]) {
                struct udp_session *u = container_of(in_line, struct udp_session, by_rule);

                all[count] = (struct in_line){u->session, count};
                count++;
            }
        }
    }
    qsort(all, count, sizeof(*all), compare);
}

/* Who was silent longest comes first: so they line up again. */
static int save_datagrams(struct saving *sv, size_t count)
{
    struct in_line *all = calloc(count + 1, sizeof(*all));
    int error = all ? 0 : -ENOMEM;

    if (all)
        line_up(sv->set->worker, all);
    for (size_t i = 0; i < count && error == 0; i++)
        error = save_session(sv, all[i].session);
    free(all);
    return error;
}

static int save_sessions(struct saving *sv)
{
    const struct worker *w = sv->set->worker;
    size_t of_datagrams = 0;
    int error = 0;

    sv->snap.sessions = calloc(w->live + 1, sizeof(*sv->snap.sessions));
    sv->h->sessions = calloc(w->live + 1, 2 * sizeof(int));
    if (!sv->snap.sessions || !sv->h->sessions)
        return -ENOMEM;
    list_for_each (link, next, &w->sessions) {
        struct session *s = container_of(link, struct session, link);

        of_datagrams += s->udp != NULL;
        if (error == 0 && !s->udp)
            error = save_session(sv, s);
    }
    return error ? error : save_datagrams(sv, of_datagrams);
}

/* --- all of it ------------------------------------------------------------------------------- */

static int save_all(struct saving *sv)
{
    int error = find_conf(sv, sv->set->conf, &sv->snap.current);

    if (error == 0)
        error = save_rules(sv);
    if (error == 0)
        error = save_sessions(sv);
    if (error == 0)
        error = save_confs(sv);
    if (error == 0)
        error = snapshot_write(&sv->snap, &sv->h->bytes, &sv->h->size);
    return error;
}

static void free_saving(struct saving *sv)
{
    for (uint32_t i = 0; i < sv->snap.conf_count; i++) {
        free(sv->confs[i].used);
        if (sv->snap.confs)
            free((char *)sv->snap.confs[i].text);
    }
    for (uint32_t i = 0; i < sv->snap.rule_count; i++)
        handover_free_account(&sv->snap.rules[i]);
    for (uint32_t i = 0; i < sv->snap.session_count; i++)
        free(sv->snap.sessions[i].udp.kept);
    free(sv->confs);
    free(sv->snap.confs);
    free(sv->snap.rules);
    free(sv->snap.listeners);
    free(sv->snap.sessions);
}

int handover_save(struct ruleset *set, struct handover *h)
{
    const struct worker *w = set->worker;
    struct saving sv = {.set = set,
                        .h = h,
                        .snap = {.program = PACKAGE_VERSION,
                                 .taken_ms = (uint64_t)clock_monotonic_ms(),
                                 .next_id = w->next_id,
                                 .served = w->served,
                                 .refused = w->refused}};
    int error;

    *h = (struct handover){0};
    if (w->udp) {
        udp_flush(w->udp);
        udp_end_failed(set->worker); /* they would end soon, and have nothing to go on with */
    }
    error = save_all(&sv);
    free_saving(&sv);
    if (error)
        handover_free(h);
    return error;
}

void handover_free(struct handover *h)
{
    free(h->bytes);
    free(h->listeners);
    free(h->sessions);
    *h = (struct handover){0};
}

void handover_share(struct ruleset *set)
{
    list_for_each (link, next, &set->worker->sessions)
        container_of(link, struct session, link)->shared = true;
}

void handover_abandon(struct ruleset *set)
{
    list_for_each (link, next, &set->worker->sessions)
        session_abandon(container_of(link, struct session, link));
    for (size_t i = 0; i < set->count; i++) {
        list_for_each (link, next, &set->rules[i]->listeners)
            listener_abandon(container_of(link, struct listener, link));
    }
}
