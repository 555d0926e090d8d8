/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "flow/half.h"

static unsigned shut(enum side s)
{
    return s == CLIENT ? ACT_SHUT_CLIENT : ACT_SHUT_UPSTREAM;
}

static unsigned drop(enum side s)
{
    return s == CLIENT ? ACT_DROP_CLIENT : ACT_DROP_UPSTREAM;
}

static enum half_phase flushing(enum side s)
{
    return s == CLIENT ? PHASE_FLUSHING_CLIENT : PHASE_FLUSHING_UPSTREAM;
}

/* The side that is being flushed; only in a flushing phase. */
static enum side flushed(const struct half *h)
{
    return h->phase == PHASE_FLUSHING_CLIENT ? CLIENT : UPSTREAM;
}

static unsigned on_fin(struct half *h, enum side from)
{
    if (h->dir[from] != DIR_OPEN)
        return ACT_INVALID;
    if (h->phase != PHASE_RELAYING && from == flushed(h))
        return ACT_INVALID; /* it isn't read any more */
    h->dir[from] = DIR_ENDED;
    return 0;
}

static unsigned on_sent(struct half *h, enum side from)
{
    if (h->dir[from] != DIR_ENDED)
        return ACT_INVALID;
    if (h->phase != PHASE_RELAYING && from == flushed(h))
        return ACT_INVALID; /* nobody is there to take it */
    h->dir[from] = DIR_SHUT;
    if (h->phase != PHASE_RELAYING)
        return ACT_SETTLE;
    if (h->dir[other_side(from)] == DIR_SHUT) {
        h->phase = PHASE_CLOSED;
        return ACT_CLOSE;
    }
    return shut(other_side(from));
}

static unsigned on_rst(struct half *h, enum side from)
{
    enum side to = other_side(from);

    if (h->phase == PHASE_RELAYING) {
        h->phase = flushing(to);
        return drop(from) | (h->dir[from] == DIR_SHUT ? ACT_SETTLE : 0);
    }
    if (from != flushed(h))
        return 0; /* it was reset already, and says so again */
    h->phase = PHASE_RESET;
    return ACT_RESET;
}

static unsigned on_settled(struct half *h)
{
    if (h->phase == PHASE_RELAYING)
        return ACT_INVALID;
    h->phase = PHASE_RESET;
    return ACT_RESET;
}

unsigned half_step(struct half *h, enum half_event event)
{
    if (h->phase == PHASE_CLOSED || h->phase == PHASE_RESET)
        return ACT_INVALID;
    switch (event) {
    case EVENT_FIN_CLIENT:
    case EVENT_FIN_UPSTREAM:
        return on_fin(h, event == EVENT_FIN_CLIENT ? CLIENT : UPSTREAM);
    case EVENT_SENT_CLIENT:
    case EVENT_SENT_UPSTREAM:
        return on_sent(h, event == EVENT_SENT_CLIENT ? CLIENT : UPSTREAM);
    case EVENT_RST_CLIENT:
    case EVENT_RST_UPSTREAM:
        return on_rst(h, event == EVENT_RST_CLIENT ? CLIENT : UPSTREAM);
    case EVENT_SETTLED:
        return on_settled(h);
    case EVENT_TIMEOUT:
        h->phase = PHASE_RESET;
        return ACT_RESET;
    case HALF_EVENTS:
        break;
    }
    return ACT_INVALID;
}

int half_reads(const struct half *h, enum side s)
{
    if (h->dir[s] != DIR_OPEN)
        return 0;
    return h->phase == PHASE_RELAYING || (h->phase == flushing(other_side(s)));
}

int half_is_closing(const struct half *h)
{
    return h->phase != PHASE_RELAYING || h->dir[CLIENT] != DIR_OPEN || h->dir[UPSTREAM] != DIR_OPEN;
}
