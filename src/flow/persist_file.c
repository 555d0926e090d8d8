/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/persist_file.h"

#include <string.h>

static bool is_text(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool is_family(const struct addr *a)
{
    return a->family == AF_UNSPEC || a->family == AF_INET || a->family == AF_INET6 ||
           a->family == AF_UNIX;
}

/* It was the other process's. */
static void forget_path(struct addr *a)
{
    if (a->family == AF_UNIX)
        a->un.path = NULL;
}

/* While it relays, and not both directions are shut: that would have been the end. */
static bool can_go_on(const struct persist_slot *s)
{
    const struct half *h = &s->half;

    return s->started >= 0 && s->active >= 0 && h->phase == PHASE_RELAYING &&
           h->dir[CLIENT] < DIR_STATES && h->dir[UPSTREAM] < DIR_STATES &&
           (h->dir[CLIENT] != DIR_SHUT || h->dir[UPSTREAM] != DIR_SHUT);
}

bool persist_file_check(struct persist_file *file, size_t size)
{
    if (size != sizeof(*file) || memcmp(file->magic, PERSIST_MAGIC, sizeof(file->magic)) != 0 ||
        file->version != PERSIST_VERSION || file->generation == 0 ||
        file->slot_size != sizeof(file->slots[0]))
        return false;
    for (unsigned i = 0; i < PERSIST_SLOTS; i++) {
        struct persist_slot *s = &file->slots[i];

        if (!is_text(s->rule, sizeof(s->rule)) || !is_text(s->listen, sizeof(s->listen)) ||
            !is_family(&s->client) || !is_family(&s->upstream))
            return false;
        forget_path(&s->client);
        forget_path(&s->upstream);
        if (!can_go_on(s))
            atomic_store(&s->held, 1);
    }
    return true;
}
