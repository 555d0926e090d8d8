/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "loop/pace.h"

/* A period, long enough to tell one from another through the noise. */
#define PERIOD_US 10000

/* Of a slower stream all CPU that could be saved is little. A second. */
#define RATE_LEAST 100000

/* A turn with so many is as good as it gets. */
#define FULL 48

/* It has paid: compare again after so long. */
#define AGAIN_US 500000

/* It has not: try again after so long, the second time in a row after twice that, and so on: to be
 * wrong once, because of something else on the machine, costs little, and to be right as well. */
#define WAIT_FIRST_US 50000
#define WAIT_MOST_US  800000

/* It pays when a datagram costs less by this part at least ... */
#define SAVED_PART 16

/* ... and no more than this part of the rate is lost: senders take turns with their answers then.
 */
#define LOST_PART 8

/* It does not pay when rests take longer than this, by and large ... */
#define SLEPT_MOST_US (4 * PACE_REST_US)

/* ... and a single one that takes longer than this is enough. */
#define OVERSLEPT_US 2000

static int64_t longer(int64_t wait)
{
    if (wait == 0)
        return WAIT_FIRST_US;
    return wait < WAIT_MOST_US ? 2 * wait : wait;
}

static bool has_paid(const struct pace *p, int64_t rate, int64_t cost)
{
    /* a clock that stands still has nothing to say */
    return cost > 0 && cost < p->plain_cost - p->plain_cost / SAVED_PART &&
           rate >= p->plain_rate - p->plain_rate / LOST_PART;
}

static bool oversleeps(const struct pace *p)
{
    return p->rests > 0 && p->slept / p->rests > SLEPT_MOST_US;
}

static void stop(struct pace *p, int64_t now)
{
    p->resting = false;
    p->wait = longer(p->wait);
    p->until = now + p->wait;
}

/* A period is over. */
static void judge(struct pace *p, int64_t now, int64_t rate, int64_t cost)
{
    if (rate < RATE_LEAST) {
        p->resting = false;
    } else if (!p->resting) {
        p->plain_rate = rate;
        p->plain_cost = cost;
        p->resting = now >= p->until;
        p->proven = false;
        if (p->resting)
            p->until = now + AGAIN_US;
    } else if (oversleeps(p)) {
        stop(p, now);
    } else if (!has_paid(p, rate, cost)) {
        p->resting = false;
        if (!p->proven)
            p->wait = longer(p->wait);
        /* It did so far: perhaps everything costs more now. Compare at once. */
        p->until = p->proven ? now : now + p->wait;
    } else {
        p->proven = true;
        p->wait = 0;
        p->resting = now < p->until; /* not for one period, to compare */
    }
}

int64_t pace_turn(struct pace *p, unsigned count, int64_t now, int64_t (*cpu_now)(void))
{
    int64_t length = now - p->since;

    p->handled += count;
    if (length >= PERIOD_US) {
        int64_t cpu = cpu_now();

        judge(p, now, p->handled * INT64_C(1000000) / length, (cpu - p->cpu) * 1000 / p->handled);
        p->since = now;
        p->cpu = cpu;
        p->handled = p->rests = 0;
        p->slept = 0;
    }
    return p->resting && count < FULL ? PACE_REST_US : 0;
}

void pace_rested(struct pace *p, int64_t from, int64_t to)
{
    p->rests++;
    p->slept += to - from;
    if (to - from > OVERSLEPT_US)
        stop(p, to);
}
