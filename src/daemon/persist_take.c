/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/persist_take.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "flow/listener.h"
#include "flow/persist.h"
#include "flow/session.h"
#include "os/memfile.h"
#include "os/sock.h"

struct taking {
    struct ruleset *set;
    struct passed *passed;
    struct persist_file *file; /* a copy */
    uint64_t taken, lost;
};

/* --- what there is --------------------------------------------------------------------------- */

static struct persist_file *read_one(int fd)
{
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (memfile_read(fd, sizeof(struct persist_file), &bytes, &size) == 0 &&
        persist_file_check((struct persist_file *)(void *)bytes, size))
        return (struct persist_file *)(void *)bytes;
    free(bytes);
    return NULL;
}

/* NULL: there is none, or none that we can read. Those that are given up don't count. */
static struct persist_file *read_file(struct passed *passed)
{
    struct persist_file *file = NULL;

    for (int i = passed_beginning(passed, PERSIST_FILE_PREFIX, 0); i >= 0;
         i = passed_beginning(passed, PERSIST_FILE_PREFIX, i + 1)) {
        if (!file)
            file = read_one(passed->sockets[i].fd);
        close(passed->sockets[i].fd);
        passed->sockets[i].fd = -1;
    }
    return file;
}

/* The socket of the slot with this cookie, which is the caller's from then on; or -1. */
static int take_socket(struct passed *passed, const char *name, uint64_t cookie)
{
    for (int i = passed_named(passed, name, 0); i >= 0; i = passed_named(passed, name, i + 1)) {
        uint64_t there;

        if (sock_id(passed->sockets[i].fd, &there) == 0 && there == cookie) {
            int fd = passed->sockets[i].fd;

            passed->sockets[i].fd = -1;
            return fd;
        }
    }
    return -1;
}

/* --- sessions -------------------------------------------------------------------------------- */

static struct rule *find_rule(const struct ruleset *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->rules[i]->conf->name, name) == 0)
            return set->rules[i];
    }
    return NULL;
}

/* The address that it came by; if the rule has that no more, any of its others tells as well where
 * it belongs. */
static const struct conf_listen *find_listen(const struct rule *rule, const char *text)
{
    for (size_t i = 0; i < rule->conf->listen_count; i++) {
        if (strcmp(rule->conf->listens[i].text, text) == 0)
            return &rule->conf->listens[i];
    }
    return &rule->conf->listens[0];
}

static struct listener *find_listener(const struct rule *rule, const char *text)
{
    list_for_each (link, next, &rule->listeners) {
        struct listener *l = container_of(link, struct listener, link);

        if (strcmp(l->conf->text, text) == 0)
            return l;
    }
    return NULL;
}

static void fill(struct session *s, const struct persist_slot *slot)
{
    int64_t now = loop_now(s->worker->loop), quiet = slot->active - slot->started;

    s->id = slot->id;
    s->stage = STAGE_RELAY;
    s->connected = true;
    s->client = slot->client;
    s->upstream = slot->upstream;
    if (s->upstream.family == AF_UNIX)
        s->upstream.un.path = s->conf->rule->upstream.un.path;
    /* the clock is that of the machine's boot, and so is the store */
    s->started = slot->started <= now ? slot->started : now;
    s->active = quiet >= 0 && slot->active <= now ? slot->active : now;
    s->connect_ms = slot->connect_ms;
    s->half = slot->half;
    s->keepalive = slot->keepalive;
    for (enum side side = CLIENT; side <= UPSTREAM; side++)
        s->flow[side].bytes = slot->bytes[side];
}

/* Returns NULL, or why it can't be gone on with. */
static const char *take_session(struct taking *t, const struct persist_slot *slot, int client,
                                int upstream)
{
    struct rule *rule = find_rule(t->set, slot->rule);
    struct session *s;

    if (client < 0 || upstream < 0)
        return "its sockets are not there";
    if (atomic_load(&slot->held))
        return "bytes of it were on their way in the crash";
    if (!rule)
        return "its rule is gone";
    if ((slot->upstream.family == AF_UNIX) != (rule->conf->upstream_kind == ADDR_PATH))
        return "its rule has changed";
    s = session_adopt(rule, find_listener(rule, slot->listen), find_listen(rule, slot->listen));
    if (!s)
        return "no memory or no descriptors for it";
    s->fd[CLIENT] = client;
    s->fd[UPSTREAM] = upstream;
    fill(s, slot);
    session_resume(s, NULL);
    return NULL;
}

static void take_slot(struct taking *t, unsigned number)
{
    const struct persist_slot *slot = &t->file->slots[number];
    char name[PERSIST_NAME_MAX];
    int client, upstream;
    const char *why;

    if (!atomic_load(&slot->used))
        return;
    snprintf(name, sizeof(name), PERSIST_SLOT_NAME, t->file->generation, number);
    client = take_socket(t->passed, name, slot->cookie[CLIENT]);
    upstream = take_socket(t->passed, name, slot->cookie[UPSTREAM]);
    why = take_session(t, slot, client, upstream);
    if (!why) {
        t->taken++;
        return;
    }
    t->lost++;
    if (client >= 0)
        sock_abort(client);
    if (upstream >= 0)
        sock_abort(upstream);
    log_fields(t->set->worker->log, LEVEL_ERROR, NULL,
               (struct log_field[]){LOG_TEXT("rule", slot->rule), LOG_NUMBER("id", slot->id),
                                    LOG_TEXT("end", end_word(END_ERROR)), LOG_TEXT("error", why)},
               4);
}

void persist_take(struct ruleset *set, struct passed *passed)
{
    struct taking t = {.set = set, .passed = passed, .file = read_file(passed)};

    if (!t.file)
        return; /* sockets that nobody takes are reset with the rest of what was passed */
    for (unsigned i = 0; i < PERSIST_SLOTS; i++) {
        if (t.file->slots[i].used && t.file->slots[i].id >= set->worker->next_id)
            set->worker->next_id = t.file->slots[i].id + 1;
    }
    if (t.file->next_id > set->worker->next_id)
        set->worker->next_id = t.file->next_id;
    for (unsigned i = 0; i < PERSIST_SLOTS; i++)
        take_slot(&t, i);
    sessions_sort(set->worker);
    if (t.taken + t.lost > 0)
        log_fields(
            set->worker->log, LEVEL_WARNING, "sessions go on after a crash",
            (struct log_field[]){LOG_NUMBER("sessions", t.taken), LOG_NUMBER("lost", t.lost)}, 2);
    free(t.file);
}
