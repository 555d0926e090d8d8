/* SPDX-License-Identifier: BSD-2-Clause */
/* Work off the loop: for what may take long and has nothing to do with sessions. */
#ifndef PENSTOCK_LOOP_TASK_H
#define PENSTOCK_LOOP_TASK_H

#include "loop/loop.h"

struct task;

/* Runs in a thread of its own: it may touch `arg` and nothing else that is shared. */
typedef void task_work_fn(void *arg);

/* Runs in the loop once the work is done. */
typedef void task_done_fn(void *arg);

/* Frees `arg`: in the loop after done(), or in the thread once abandoned work has ended. */
typedef void task_release_fn(void *arg);

/*
 * Run work(arg) in a thread, then done(arg) and release(arg) from the loop; `arg` is the task's
 * from now on. Without a thread to be had all of them run before this returns. Returns the task,
 * which is gone when done() is called, or NULL when all is done already. Signals are blocked in the
 * thread.
 */
struct task *task_start(struct loop *loop, task_work_fn *work, task_done_fn *done,
                        task_release_fn *release, void *arg);

/*
 * Nobody wants the work any more: done() won't be called. Doesn't wait, as the work may hang (a
 * file on a server that is gone): it ends when it can, or with the process. NULL is allowed.
 */
void task_abandon(struct task *task);

#endif
