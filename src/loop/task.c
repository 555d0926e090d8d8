/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "loop/task.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The loop and the thread have it in common; the last of them to let go of it frees it. */
struct task {
    struct watch watch;
    struct loop *loop;
    task_work_fn *work;
    task_done_fn *done;
    task_release_fn *release;
    void *arg; /* NULL: released */
    int event; /* eventfd(2): readable when the work has ended */
    atomic_int users;
};

static void let_go(struct task *task)
{
    if (atomic_fetch_sub(&task->users, 1) > 1)
        return;
    if (task->arg)
        task->release(task->arg);
    close(task->event);
    free(task);
}

static void *run(void *arg)
{
    struct task *task = arg;

    task->work(task->arg);
    eventfd_write(task->event, 1); /* can't fail: it is the first */
    let_go(task);
    return NULL;
}

/* Detached: it may never end. */
static int create_thread(struct task *task)
{
    pthread_attr_t detached;
    pthread_t thread;
    int error = pthread_attr_init(&detached);

    if (error)
        return -error;
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &detached, run, task);
    pthread_attr_destroy(&detached);
    return -error;
}

/* A signal is for the thread that asks for it (signalfd(2)), not for one in the middle of work. */
static int start_thread(struct task *task)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = create_thread(task);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* The thread doesn't touch `arg` any more. It is released here, not by whoever is last: what the
 * loop has made of it may not be for threads. */
static void on_ended(struct watch *w, unsigned events)
{
    struct task *task = container_of(w, struct task, watch);

    (void)events;
    loop_unwatch(task->loop, &task->watch);
    task->done(task->arg);
    task->release(task->arg);
    task->arg = NULL;
    let_go(task);
}

/* Everything that can fail, before the work begins. NULL when one of it has. */
static struct task *prepare(struct loop *loop)
{
    struct task *task = calloc(1, sizeof(*task));

    if (!task)
        return NULL;
    *task = (struct task){.watch = WATCH_NONE, .loop = loop, .users = 2};
    task->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (task->event >= 0 && loop_watch(loop, &task->watch, task->event, LOOP_READ, on_ended) == 0)
        return task;
    if (task->event >= 0)
        close(task->event);
    free(task);
    return NULL;
}

struct task *task_start(struct loop *loop, task_work_fn *work, task_done_fn *done,
                        task_release_fn *release, void *arg)
{
    struct task *task = prepare(loop);

    if (task) {
        task->work = work;
        task->done = done;
        task->release = release;
        task->arg = arg;
        if (start_thread(task) == 0)
            return task;
        loop_unwatch(loop, &task->watch);
        close(task->event);
        free(task);
    }
    work(arg);
    done(arg);
    release(arg);
    return NULL;
}

void task_abandon(struct task *task)
{
    if (!task)
        return;
    loop_unwatch(task->loop, &task->watch);
    let_go(task);
}
