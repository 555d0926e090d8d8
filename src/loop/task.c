/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "loop/task.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct task {
    struct watch watch;
    struct loop *loop;
    task_work_fn *work;
    task_done_fn *done;
    void *arg;
    int event; /* eventfd(2): readable when the work has ended */
    pthread_t thread;
};

static void *run(void *arg)
{
    struct task *task = arg;

    task->work(task->arg);
    eventfd_write(task->event, 1); /* can't fail: it is the first */
    return NULL;
}

/* A signal is for the thread that asks for it (signalfd(2)), not for one in the middle of work. */
static int start_thread(struct task *task)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&task->thread, NULL, run, task);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static void release(struct task *task)
{
    loop_unwatch(task->loop, &task->watch);
    close(task->event);
    free(task);
}

static void on_ended(struct watch *w, unsigned events)
{
    struct task *task = container_of(w, struct task, watch);

    (void)events;
    loop_unwatch(task->loop, &task->watch);
    pthread_join(task->thread, NULL);
    task->done(task->arg);
    release(task);
}

/* Everything that can fail, before the work begins. NULL when one of it has. */
static struct task *prepare(struct loop *loop)
{
    struct task *task = calloc(1, sizeof(*task));

    if (!task)
        return NULL;
    *task = (struct task){.watch = WATCH_NONE, .loop = loop};
    task->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (task->event >= 0 && loop_watch(loop, &task->watch, task->event, LOOP_READ, on_ended) == 0)
        return task;
    if (task->event >= 0)
        close(task->event);
    free(task);
    return NULL;
}

struct task *task_start(struct loop *loop, task_work_fn *work, task_done_fn *done, void *arg)
{
    struct task *task = prepare(loop);

    if (task) {
        task->work = work;
        task->done = done;
        task->arg = arg;
        if (start_thread(task) == 0)
            return task;
        release(task);
    }
    work(arg);
    done(arg);
    return NULL;
}

void task_abandon(struct task *task)
{
    if (!task)
        return;
    pthread_join(task->thread, NULL);
    release(task);
}
