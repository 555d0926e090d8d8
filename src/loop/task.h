/* SPDX-License-Identifier: BSD-2-Clause */
/* Work off the loop: for what may take long and has nothing to do with sessions. */
#ifndef PENSTOCK_LOOP_TASK_H
#define PENSTOCK_LOOP_TASK_H

#include "loop/loop.h"

struct task;

/* Runs in a thread of its own: it may touch `arg` and nothing else that is shared. */
typedef void task_work_fn(void *arg);

/* Runs in the loop once the work is done; the task is freed after it. */
typedef void task_done_fn(void *arg);

/*
 * Run work(arg) in a thread, then done(arg) from the loop; `arg` is the task's until then. Without
 * a thread to be had both run before this returns. Returns the task, or NULL when all is done
 * already. Signals are blocked in the thread.
 */
struct task *task_start(struct loop *loop, task_work_fn *work, task_done_fn *done, void *arg);

/* Wait for the work to end, and free the task without calling done(). NULL is allowed. */
void task_abandon(struct task *task);

#endif
