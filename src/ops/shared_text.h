/* SPDX-License-Identifier: BSD-2-Clause */
/* One long text that many are sent at the same time, each at their pace: it is in memory once. */
#ifndef PENSTOCK_OPS_SHARED_TEXT_H
#define PENSTOCK_OPS_SHARED_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/http.h"

struct shared_text {
    unsigned status; /* of the answers */
    char *bytes;
    size_t size;
    unsigned refs;
};

/* With one reference; `bytes` is taken and freed in the end, also when it returns NULL: without
 * memory, or when `bytes` is NULL. */
struct shared_text *shared_text_new(unsigned status, char *bytes, size_t size);
void shared_text_unref(struct shared_text *text); /* NULL is allowed */

/* Say they the same? */
bool shared_text_equal(const struct shared_text *a, const struct shared_text *b);

/* As JSON; NULL without memory. */
struct answer *answer_shared_text(struct shared_text *text);

#endif
