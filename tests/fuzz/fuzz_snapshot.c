/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots: each is refused with a reason, or all that is promised holds, and then written again
 * it is the same to the byte; one of an older version is so the next time. Length and checksum are
 * mended, or few inputs would get behind them. */
#include "config.h"

#include <string.h>

#include "../unit/snapshot_promises.h"
#include "base/arena.h"
#include "fuzz.h"

static void check_snapshot(const uint8_t *bytes, size_t size)
{
    struct arena *arena = arena_new();
    struct snapshot s;

    PROMISE(arena != NULL);
    const char *wrong = snapshot_read(&s, bytes, size, arena);
    if (wrong != NULL) {
        PROMISE(strlen(wrong) > 0);
    } else {
        const char *broken = promises_of_snapshot(&s);
        uint8_t *again;
        size_t again_size;

        if (broken != NULL)
            fprintf(stderr, "broken: %s\n", broken);
        PROMISE(broken == NULL);
        PROMISE(snapshot_write(&s, &again, &again_size) == 0);
        if (bytes[8] == SNAPSHOT_VERSION)
            PROMISE(again_size == size && memcmp(again, bytes, size) == 0);
        else
            check_snapshot(again, again_size);
        free(again);
    }
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1); /* exactly, for reads past the end to be seen */

    if (bytes == NULL)
        return 0;
    memcpy(bytes, data, size);
    check_snapshot(bytes, size);
    if (size >= 24) {
        snapshot_mend(bytes, size);
        check_snapshot(bytes, size);
    }
    free(bytes);
    return 0;
}
