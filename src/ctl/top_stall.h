/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal that takes nothing more, as one whose other end is not read: who writes to it waits,
 * and while signals are taken in order (signalfd(2)) none would end that. So from time to time it
 * is interrupted to look whether one has come, and then we end by it on the spot.
 */
#ifndef PENSTOCK_CTL_TOP_STALL_H
#define PENSTOCK_CTL_TOP_STALL_H

#include <stdbool.h>
#include <termios.h>
#include <time.h>

struct stall {
    timer_t timer;
    bool is_open;
    struct termios modes; /* of the terminal before it was taken */
    const int *ended_by;  /* the signal that was taken already; 0: none was */
};

/* Before the terminal is taken; false: there is no timer (errno). `ended_by` is borrowed. */
bool stall_open(struct stall *s, const int *ended_by);
void stall_close(struct stall *s);

/* Between them the terminal is written to. */
void stall_begin(struct stall *s);
void stall_end(struct stall *s);

#endif
