/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that outlives a crash: refused, or all that is promised of it holds. An input is laid
 * over a whole file, from its start: few would have its size. */
#include "config.h"

#include <string.h>

#include "flow/persist_file.h"
#include "fuzz.h"

static void check_text(const char *text, size_t size)
{
    PROMISE(memchr(text, '\0', size) != NULL);
}

static void check_address(const struct addr *a)
{
    char text[ADDR_TEXT_MAX];

    PROMISE(a->family == AF_UNSPEC || a->family == AF_INET || a->family == AF_INET6 ||
            a->family == AF_UNIX);
    PROMISE(a->family != AF_UNIX || a->un.path == NULL);
    PROMISE(strlen(addr_print(a, text, sizeof(text))) < sizeof(text));
}

static void check_slot(const struct persist_slot *s)
{
    check_text(s->rule, sizeof(s->rule));
    check_text(s->listen, sizeof(s->listen));
    check_address(&s->client);
    check_address(&s->upstream);
    if (atomic_load(&s->held))
        return;
    PROMISE(s->started >= 0 && s->active >= 0);
    PROMISE(s->half.phase == PHASE_RELAYING);
    PROMISE(s->half.dir[CLIENT] < DIR_STATES && s->half.dir[UPSTREAM] < DIR_STATES);
    PROMISE(s->half.dir[CLIENT] != DIR_SHUT || s->half.dir[UPSTREAM] != DIR_SHUT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct persist_file *file = calloc(1, sizeof(*file));

    if (file == NULL)
        return 0;
    memcpy(file, data, size < sizeof(*file) ? size : sizeof(*file));
    if (size != sizeof(*file))
        PROMISE(!persist_file_check(file, size));
    memcpy(file->magic, PERSIST_MAGIC, sizeof(file->magic));
    file->version = PERSIST_VERSION;
    file->slot_size = sizeof(file->slots[0]);
    file->generation |= 1;
    if (persist_file_check(file, sizeof(*file))) {
        for (unsigned i = 0; i < PERSIST_SLOTS; i++)
            check_slot(&file->slots[i]);
    }
    free(file);
    return 0;
}
