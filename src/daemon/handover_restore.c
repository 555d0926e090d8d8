/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/table.h"
#include "daemon/handover.h"
#include "daemon/handover_account.h"
#include "flow/dial.h"
#include "flow/drain.h"
#include "flow/listener.h"
#include "flow/session.h"
#include "flow/udp.h"
#include "os/dgram.h"
#include "os/sock.h"

/* A config of the snapshot, at work again. */
struct old_conf {
    struct conf *conf;
    struct table *rules;   /* by name: struct conf_rule */
    struct table *listens; /* by text: struct conf_listen */
};

struct restoring {
    struct ruleset *set;
    const struct inheritance *in;
    const struct snapshot *snap;
    struct inherited *out;
    struct old_conf *confs;
    struct rule **rules;         /* by the snapshot's numbers */
    struct listener **listeners; /* likewise; NULL: it could not be had */
    uint64_t gap_ms;             /* since the snapshot was taken */
};

static struct log *log_of(const struct restoring *r)
{
    return r->set->worker->log;
}

static int take(const struct inheritance *in, const struct snap_fd *fd)
{
    return fd->number < 0 ? -1 : in->take(in->arg, fd);
}

/* A cut stream must never look whole. Of datagrams nobody can tell. */
static void give_up(int client, int upstream)
{
    if (client >= 0)
        sock_abort(client);
    if (upstream >= 0)
        sock_abort(upstream);
}

void handover_refuse(const struct inheritance *in)
{
    for (uint32_t i = 0; i < in->snapshot.session_count; i++) {
        const struct snap_session *s = &in->snapshot.sessions[i];

        give_up(take(in, &s->fd[CLIENT]), take(in, &s->fd[UPSTREAM]));
    }
}

/* --- configs --------------------------------------------------------------------------------- */

static bool index_conf(struct old_conf *c)
{
    c->rules = table_new();
    c->listens = table_new();
    if (!c->rules || !c->listens)
        return false;
    for (size_t i = 0; i < c->conf->rule_count; i++) {
        struct conf_rule *rule = &c->conf->rules[i];

        if (table_insert(c->rules, rule->name, rule))
            return false;
        for (size_t j = 0; j < rule->listen_count; j++) {
            if (table_insert(c->listens, rule->listens[j].text, &rule->listens[j]))
                return false;
        }
    }
    return true;
}

static const char *restore_confs(struct restoring *r)
{
    r->confs = calloc(r->snap->conf_count + 1, sizeof(*r->confs));
    if (!r->confs)
        return "out of memory";
    for (uint32_t i = 0; i < r->snap->conf_count; i++) {
        const struct snap_conf *from = &r->snap->confs[i];
        struct conf_errors errors;

        r->confs[i].conf = conf_load_text(from->path, from->text, from->length, &errors);
        if (!r->confs[i].conf && errors.count > 0)
            log_message(log_of(r), LEVEL_ERROR, "the former config, line %u: %s",
                        errors.list[0].at.line, errors.list[0].text);
        conf_errors_free(&errors);
        if (!r->confs[i].conf)
            return "its config is not understood";
        if (!index_conf(&r->confs[i]))
            return "out of memory";
    }
    return NULL;
}

/* --- rules and listeners --------------------------------------------------------------------- */

/* Before it has a listener: none may let anybody in. */
static int restore_state(struct rule *rule, const struct snap_rule *from)
{
    static const enum rule_state states[] = {[SNAP_RUNNING] = RULE_RUNNING,
                                             [SNAP_PAUSED] = RULE_PAUSED,
                                             [SNAP_DRAINING] = RULE_DRAINING};

    rule->state = states[from->state];
    return rule->state == RULE_DRAINING ? drain_rule(rule, (int64_t)from->drain_ms + 1) : 0;
}

/* One that lives for its sessions only is held by `r` until they are there. */
static const char *restore_rules(struct restoring *r)
{
    r->rules = calloc(r->snap->rule_count + 1, sizeof(struct rule *));
    r->set->rules = calloc(r->snap->rule_count + 1, sizeof(struct rule *));
    if (!r->rules || !r->set->rules)
        return "out of memory";
    for (uint32_t i = 0; i < r->snap->rule_count; i++) {
        const struct snap_rule *from = &r->snap->rules[i];
        const struct conf_rule *conf = table_find(r->confs[from->conf].rules, from->name);

        if (!conf)
            return "a rule is missing in its config";
        r->rules[i] = rule_new(r->set->worker, conf);
        if (!r->rules[i])
            return "out of memory";
        r->rules[i]->running = from->running;
        handover_restore_account(&r->rules[i]->account, from);
        if (restore_state(r->rules[i], from))
            return "out of memory";
        if (from->running)
            r->set->rules[r->set->count++] = rule_ref(r->rules[i]);
    }
    return NULL;
}

/* A socket that has not come along is opened anew. */
static int open_listener(struct listener *l, int fd, const struct snap_listener *from)
{
    const char *why = NULL;
    int error = fd >= 0 ? listener_adopt(l, fd, &why) : -EINVAL;

    if (error && fd >= 0)
        close(fd);
    if (error == 0 && from->owns_file)
        listener_own_file(l, (struct sock_file_id){from->file_dev, from->file_ino});
    if (error == 0 || error == -EMFILE)
        return error;
    return listener_open(l, &why);
}

static void restore_listener(struct restoring *r, uint32_t i)
{
    const struct snap_listener *from = &r->snap->listeners[i];
    struct rule *rule = r->rules[from->rule];
    const struct old_conf *c = &r->confs[r->snap->rules[from->rule].conf];
    const struct conf_listen *conf = table_find(c->listens, from->text);
    bool is_known = conf && conf->rule == rule->conf;
    struct listener *l = is_known ? listener_new(r->set->worker, conf) : NULL;
    int fd = take(r->in, &from->fd), error = is_known ? -ENOMEM : -ENOENT;

    if (l)
        error = open_listener(l, fd, from);
    else if (fd >= 0)
        close(fd);
    if (error == 0)
        error = listener_start(l);
    if (error) {
        log_message(log_of(r), LEVEL_ERROR, "rule %s: cannot go on listening on %s: %s",
                    rule->conf->name, from->text, strerror(-error));
        if (l)
            listener_free(l);
        return;
    }
    listener_attach(l, rule);
    r->listeners[i] = l;
    r->set->listeners++;
}

static const char *restore_listeners(struct restoring *r)
{
    r->listeners = calloc(r->snap->listener_count + 1, sizeof(struct listener *));
    if (!r->listeners)
        return "out of memory";
    for (uint32_t i = 0; i < r->snap->listener_count; i++)
        restore_listener(r, i);
    r->out->listeners = r->set->listeners;
    return NULL;
}

/* --- sessions -------------------------------------------------------------------------------- */

static enum end end_of_word(const char *word)
{
    for (enum end end = 0; end < ENDS; end++) {
        if (strcmp(word, end_word(end)) == 0)
            return end;
    }
    return END_ERROR;
}

/* A UNIX path is the config's; a client's is not known (addr.h). */
static struct addr restore_addr(const struct addr *from, const struct conf_listen *conf)
{
    struct addr a = *from;

    if (a.family == AF_UNIX)
        a.un.path = conf ? conf->rule->upstream.un.path : NULL;
    return a;
}

static int fill_flows(struct session *s, const struct snap_session *from)
{
    int error = 0;

    for (enum side side = CLIENT; side <= UPSTREAM && error == 0; side++) {
        s->flow[side].bytes = from->flow[side].bytes;
        s->flow[side].splicing = from->flow[side].splicing && pipe_built_in();
        error = buf_fill(&s->flow[side].kept, from->flow[side].kept, from->flow[side].kept_size);
    }
    return error;
}

static void fill_udp(struct session *s, const struct snap_session *from)
{
    struct udp_session *u = s->udp;

    u->interface = from->udp.interface;
    u->answered = from->udp.answered;
    for (enum side side = CLIENT; side <= UPSTREAM; side++) {
        s->flow[side].bytes = from->flow[side].bytes;
        u->datagrams[side] = from->udp.datagrams[side];
        u->dropped[side] = from->udp.dropped[side];
    }
    for (uint32_t i = 0; i < from->udp.kept_count; i++) {
        const struct snap_dgram *d = &from->udp.kept[i];

        udp_session_keep(
            s, &(struct dgram){.bytes = d->bytes, .size = d->size, .segment = d->segment});
    }
    udp_session_touch(s); /* who was silent longest comes first in the snapshot, too */
}

/* Silence counts only while somebody was there to hear. */
static int fill(const struct restoring *r, struct session *s, const struct snap_session *from)
{
    int64_t now = loop_now(s->worker->loop);

    if (s->udp)
        fill_udp(s, from);
    s->id = from->id;
    s->stage = from->stage == SNAP_DIAL ? STAGE_DIAL : STAGE_RELAY;
    s->connected = s->stage == STAGE_RELAY;
    s->client = restore_addr(&from->client, NULL);
    s->upstream = restore_addr(&from->upstream, s->conf);
    s->started = now - (int64_t)(from->age_ms + r->gap_ms);
    s->active = now - (int64_t)from->quiet_ms;
    s->connect_ms = from->connect_ms;
    s->error = from->error;
    s->keepalive = from->keepalive;
    s->half = from->half;
    s->half_end = (uint8_t)end_of_word(from->half_end);
    for (enum side side = CLIENT; side <= UPSTREAM; side++)
        s->reset[side] = from->reset[side];
    return s->udp ? 0 : fill_flows(s, from);
}

static void resume(struct session *s, const struct snap_session *from)
{
    const struct snap_dial *d = &from->dial;
    struct dial_state dial = {.addrs = d->addrs,
                              .count = d->addr_count,
                              .next = d->next,
                              .attempt_ms = (int64_t)d->attempt_ms,
                              .last = end_of_word(d->last_end),
                              .error = d->error};

    if (from->drain_ms != UINT64_MAX)
        drain_session(s, (int64_t)from->drain_ms + 1);
    session_resume(s, &dial);
    if (!s->udp || s->ended || s->stage != STAGE_RELAY)
        return;
    if (from->udp.refused)
        udp_session_refused(s, s->error);
    if (udp_session_owed(s) == 0)
        session_timer(s, 1);
}

static struct session *adopt(const struct snap_session *from, struct rule *rule, struct listener *l,
                             const struct conf_listen *conf)
{
    const struct dgram_path path = {.peer = from->client, .local = from->udp.local};

    return from->is_datagrams ? session_adopt_datagrams(rule, l, conf, &path)
                              : session_adopt(rule, l, conf);
}

static bool is_missing(int fd, const struct snap_fd *from)
{
    return fd < 0 && from->number >= 0;
}

static const char *restore_session(struct restoring *r, const struct snap_session *from)
{
    const struct conf_listen *conf = table_find(r->confs[from->conf].listens, from->listen);
    struct rule *rule = r->rules[from->rule];
    struct listener *l = from->listener == SNAP_NONE ? NULL : r->listeners[from->listener];
    int client = take(r->in, &from->fd[CLIENT]), upstream = take(r->in, &from->fd[UPSTREAM]);
    const char *why = NULL;
    struct session *s = NULL;

    if (!conf || strcmp(conf->rule->name, rule->conf->name) != 0)
        why = "its rule is missing";
    else if (is_missing(client, &from->fd[CLIENT]) || is_missing(upstream, &from->fd[UPSTREAM]))
        why = "its descriptors were not handed over";
    else if (from->is_datagrams && (!l || !l->udp))
        why = "its listener is not there any more";
    else if (!(s = adopt(from, rule, l, conf)))
        why = "no memory or no descriptors for it";
    if (!s) {
        give_up(client, upstream);
        return why;
    }
    s->fd[CLIENT] = client;
    s->fd[UPSTREAM] = upstream;
    if (fill(r, s, from)) {
        s->why = "no memory to take it over";
        session_end_now(s, END_ERROR);
        r->out->lost++;
        return NULL; /* it has been accounted for */
    }
    resume(s, from);
    r->out->sessions++;
    return NULL;
}

static void restore_sessions(struct restoring *r)
{
    for (uint32_t i = 0; i < r->snap->session_count; i++) {
        const struct snap_session *from = &r->snap->sessions[i];
        const char *why = restore_session(r, from);

        if (!why)
            continue;
        r->out->lost++;
        account_lost(r->rules[from->rule]);
        log_fields(log_of(r), LEVEL_ERROR, NULL,
                   (struct log_field[]){LOG_TEXT("rule", r->snap->rules[from->rule].name),
                                        LOG_NUMBER("id", from->id),
                                        LOG_TEXT("end", end_word(END_ERROR)),
                                        LOG_TEXT("error", why)},
                   4);
    }
}

/* --- all of it ------------------------------------------------------------------------------- */

static const char *restore_all(struct restoring *r)
{
    struct worker *w = r->set->worker;
    const char *why = restore_confs(r);

    if (!why)
        why = restore_rules(r);
    if (!why)
        why = restore_listeners(r);
    if (why)
        return why;
    w->next_id = r->snap->next_id;
    w->served = r->snap->served;
    w->refused = r->snap->refused;
    r->set->conf = conf_ref(r->confs[r->snap->current].conf);
    restore_sessions(r);
    sessions_sort(w);
    return NULL;
}

static void free_restoring(struct restoring *r)
{
    for (uint32_t i = 0; r->rules && i < r->snap->rule_count; i++) {
        if (r->rules[i])
            rule_unref(r->rules[i]);
    }
    for (uint32_t i = 0; r->confs && i < r->snap->conf_count; i++) {
        conf_unref(r->confs[i].conf);
        table_free(r->confs[i].rules);
        table_free(r->confs[i].listens);
    }
    free(r->confs);
    free(r->rules);
    free(r->listeners);
}

const char *handover_restore(struct ruleset *set, const struct inheritance *in,
                             struct inherited *out)
{
    struct restoring r = {.set = set, .in = in, .snap = &in->snapshot, .out = out};
    struct worker *worker = set->worker;
    uint64_t now = (uint64_t)clock_monotonic_ms();
    const char *why;

    *out = (struct inherited){0};
    if (now > in->snapshot.taken_ms) /* else it is of another boot of the machine */
        r.gap_ms = now - in->snapshot.taken_ms;
    why = restore_all(&r);
    free_restoring(&r);
    if (!why)
        return NULL;
    ruleset_free(set);
    ruleset_init(set, worker);
    handover_refuse(in);
    return why;
}
