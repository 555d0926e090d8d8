/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals as events of the loop (signalfd(2)): nothing ever runs in a signal handler. */
#ifndef PENSTOCK_LOOP_SIGNAL_H
#define PENSTOCK_LOOP_SIGNAL_H

#include "loop/loop.h"

struct signals;
typedef void signal_fn(void *arg, int signal);

/*
 * Block `wanted` (ended by 0) for the process and call fn(arg, signal) from the loop for each that
 * comes; a burst of one kind is one call. SIGPIPE is ignored from here on. NULL and errno on
 * failure.
 */
struct signals *signals_new(struct loop *loop, const int *wanted, signal_fn *fn, void *arg);

/* Stop; the signals stay blocked. NULL is allowed. */
void signals_free(struct signals *s);

#endif
