/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal that takes nothing more, as one whose other end is not read: who writes to it waits,
 * and while signals are taken in order (signalfd(2)) none would end that. So from time to time it
 * is interrupted to look whether one has come, and then we end by it on the spot. One that only is
 * slow is given the time to take it all.
 */
#ifndef PENSTOCK_CTL_TOP_STALL_H
#define PENSTOCK_CTL_TOP_STALL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>
#include <time.h>

struct stall {
    timer_t timer;
    bool is_open;
    struct termios modes; /* of the terminal before it was taken */
    const int *ended_by;  /* the signal that was taken already; 0: none was */
    unsigned idle;        /* looks since the terminal took something */
    uint64_t written;     /* what we had written ... */
    int queued;           /* ... and what was still under way to it, at the last look */
};

/* Before the terminal is taken; false: there is no timer (errno). `ended_by` is borrowed. */
bool stall_open(struct stall *s, const int *ended_by);
void stall_close(struct stall *s);

/* Between them the terminal is written to. */
void stall_begin(struct stall *s);
void stall_end(struct stall *s);

#endif
