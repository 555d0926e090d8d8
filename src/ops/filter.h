/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sessions are meant: by rule, client, state and age. */
#ifndef PENSTOCK_OPS_FILTER_H
#define PENSTOCK_OPS_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/addr.h"

struct session;

enum session_state {
    STATE_DIALLING,
    STATE_OPEN,
    STATE_HALF_CLOSED,
    STATE_FLUSHING,
    SESSION_STATES
};

/* The word in the API. */
const char *session_state_word(enum session_state state);
enum session_state session_state(const struct session *s);

/* All of what is set must hold. */
struct filter {
    const char *rule; /* NULL: any */
    bool has_client;
    struct addr client; /* without a port */
    unsigned prefix;    /* bits of it */
    bool has_state;
    enum session_state state;
    int64_t older; /* at least so old, in ms; 0: any */
};

/*
 * Set what the query says: `text` is the value of `key` (rule, client, state, older). Returns true;
 * or false with what is wrong and what is allowed in `error`. Texts are borrowed.
 */
bool filter_set(struct filter *f, const char *key, const char *text, char *error, size_t size);

bool filter_takes(const struct filter *f, const struct session *s, int64_t now);

/* Read a whole number: decimal digits and nothing else. False when it is none, or has more than 64
 * bits. */
bool filter_number(const char *text, uint64_t *number);

#endif
