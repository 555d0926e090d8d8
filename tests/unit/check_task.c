/* SPDX-License-Identifier: BSD-2-Clause */
/* Work off the loop, the same tests under each engine. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "descriptors.h"
#include "loop/engine.h"
#include "loop/loop.h"
#include "loop/task.h"
#include "suite.h"

static const enum loop_engine engines[] = {LOOP_SELECT, LOOP_EPOLL};

#define JOBS 20

/* What the jobs of a test share. The pipe holds them up until somebody writes. */
struct jobs {
    struct loop *loop;
    int gate[2];
    atomic_int begun;
    int left;
};

struct job {
    struct jobs *jobs;
    struct task *task;
    pthread_t worker;
    sigset_t blocked;
    int worked, done; /* how often */
    atomic_int released;
};

static void set_up(struct jobs *jobs, int engine)
{
    *jobs = (struct jobs){.loop = loop_new(engines[engine])};
    ck_assert_ptr_nonnull(jobs->loop);
    ck_assert_int_eq(pipe(jobs->gate), 0);
}

static void tear_down(struct jobs *jobs)
{
    close(jobs->gate[0]);
    close(jobs->gate[1]);
    loop_free(jobs->loop);
}

static void work(void *arg)
{
    struct job *job = arg;

    job->worker = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &job->blocked);
    job->worked++;
}

static void work_when_let(void *arg)
{
    struct job *job = arg;
    char c;

    atomic_fetch_add(&job->jobs->begun, 1);
    work(arg);
    if (read(job->jobs->gate[0], &c, 1) != 1)
        job->worked = -1;
}

static void done(void *arg)
{
    struct job *job = arg;

    job->task = NULL;
    job->done++;
    if (--job->jobs->left == 0)
        loop_stop(job->jobs->loop);
}

/* The last that is heard of a job. */
static void release(void *arg)
{
    struct job *job = arg;

    atomic_fetch_add(&job->released, 1);
}

START_TEST(work_is_elsewhere_and_done_in_the_loop)
{
    struct jobs jobs;
    sigset_t before, after;

    set_up(&jobs, _i);
    struct job job = {.jobs = &jobs};

    jobs.left = 1;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    job.task = task_start(jobs.loop, work, done, release, &job);
    ck_assert_ptr_nonnull(job.task);
    ck_assert_int_eq(job.done, 0);
    ck_assert_int_eq(loop_run(jobs.loop), 0);
    ck_assert_int_eq(job.worked, 1);
    ck_assert_int_eq(job.done, 1);
    ck_assert_int_eq(job.released, 1);
    ck_assert(!pthread_equal(job.worker, pthread_self()));
    /* Signals are blocked there, and here as they were. */
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert(sigismember(&job.blocked, SIGTERM) && sigismember(&job.blocked, SIGHUP));
    ck_assert_int_eq(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
    ck_assert(!sigismember(&after, SIGTERM));
    ck_assert_uint_eq(loop_watched(jobs.loop), 0);
    tear_down(&jobs);
}
END_TEST

/* A thread may be on its way out yet, when all that it has done is known. */
static void all_are_closed(int before)
{
    while (count_descriptors() > before)
        usleep(1000);
    ck_assert_int_eq(count_descriptors(), before);
}

/* How many this process has. */
static int threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int count = 0;

    ck_assert_ptr_nonnull(d);
    for (const struct dirent *entry; (entry = readdir(d));)
        count += entry->d_name[0] != '.';
    closedir(d);
    return count;
}

START_TEST(several_work_at_once)
{
    int before = count_descriptors();
    struct job list[JOBS];
    struct jobs jobs;

    set_up(&jobs, _i);
    jobs.left = JOBS;
    for (int i = 0; i < JOBS; i++) {
        list[i] = (struct job){.jobs = &jobs};
        list[i].task = task_start(jobs.loop, work_when_let, done, release, &list[i]);
        ck_assert_ptr_nonnull(list[i].task);
    }
    /* Each has begun while none can have ended: if they took turns, this would not end. */
    while (atomic_load(&jobs.begun) < JOBS)
        usleep(1000);
    for (int i = 0; i < JOBS; i++) {
        ck_assert_int_eq(list[i].done, 0);
        ck_assert_int_eq(write(jobs.gate[1], "x", 1), 1);
    }
    ck_assert_int_eq(loop_run(jobs.loop), 0);
    for (int i = 0; i < JOBS; i++) {
        ck_assert_int_eq(list[i].worked, 1);
        ck_assert_int_eq(list[i].done, 1);
        ck_assert_int_eq(list[i].released, 1);
    }
    tear_down(&jobs);
    all_are_closed(before);
}
END_TEST

START_TEST(abandoned_work_ends_and_nobody_hears_of_it)
{
    int before = count_descriptors();
    struct job slow, quick;
    struct jobs jobs;

    set_up(&jobs, _i);
    slow = quick = (struct job){.jobs = &jobs};
    jobs.left = 1;
    slow.task = task_start(jobs.loop, work_when_let, done, release, &slow);
    quick.task = task_start(jobs.loop, work, done, release, &quick);
    ck_assert_ptr_nonnull(slow.task);
    while (atomic_load(&jobs.begun) == 0)
        usleep(1000);
    task_abandon(slow.task); /* it hangs: this doesn't */
    task_abandon(NULL);
    ck_assert_int_eq(loop_run(jobs.loop), 0);
    ck_assert_int_eq(quick.done, 1);
    ck_assert_uint_eq(loop_watched(jobs.loop), 0);
    ck_assert_int_eq(slow.released, 0); /* it is the thread's */
    ck_assert_int_eq(write(jobs.gate[1], "x", 1), 1);
    while (atomic_load(&slow.released) == 0)
        usleep(1000);
    ck_assert_int_eq(slow.worked, 1);
    ck_assert_int_eq(slow.done, 0);
    tear_down(&jobs);
    all_are_closed(before);
    ck_assert_int_eq(slow.released, 1);
}
END_TEST

/* The work has ended, but the loop has not run since. */
START_TEST(abandoned_after_its_end)
{
    int before = count_descriptors();
    struct jobs jobs;

    set_up(&jobs, _i);
    struct job job = {.jobs = &jobs};

    job.task = task_start(jobs.loop, work_when_let, done, release, &job);
    ck_assert_ptr_nonnull(job.task);
    ck_assert_int_eq(write(jobs.gate[1], "x", 1), 1);
    while (threads() > 1)
        usleep(1000);
    ck_assert_int_eq(job.released, 0);
    task_abandon(job.task);
    ck_assert_int_eq(job.released, 1);
    ck_assert_int_eq(job.done, 0);
    tear_down(&jobs);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

/* No descriptor to be woken by: all of it is done at once, here. */
START_TEST(without_means_it_is_done_at_once)
{
    struct rlimit none, before;
    struct jobs jobs;

    set_up(&jobs, _i);
    struct job job = {.jobs = &jobs};

    jobs.left = 2; /* the loop doesn't run: nothing to be stopped */
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    job.task = task_start(jobs.loop, work, done, release, &job);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_ptr_null(job.task);
    ck_assert_int_eq(job.worked, 1);
    ck_assert_int_eq(job.done, 1);
    ck_assert_int_eq(job.released, 1);
    ck_assert(pthread_equal(job.worker, pthread_self()));
    tear_down(&jobs);
}
END_TEST

static void start_another(void *arg)
{
    struct job *job = arg;

    done(arg);
    job->task = task_start(job->jobs->loop, work, done, release, job);
}

START_TEST(done_may_start_the_next)
{
    struct jobs jobs;

    set_up(&jobs, _i);
    struct job job = {.jobs = &jobs};

    jobs.left = 2;
    job.task = task_start(jobs.loop, work, start_another, release, &job);
    ck_assert_int_eq(loop_run(jobs.loop), 0);
    ck_assert_int_eq(job.worked, 2);
    ck_assert_int_eq(job.done, 2);
    ck_assert_int_eq(job.released, 2);
    tear_down(&jobs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("task");
    TCase *tcase = tcase_create("each engine");
    int n = engine_epoll ? 2 : 1;

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, work_is_elsewhere_and_done_in_the_loop, 0, n);
    tcase_add_loop_test(tcase, several_work_at_once, 0, n);
    tcase_add_loop_test(tcase, abandoned_work_ends_and_nobody_hears_of_it, 0, n);
    tcase_add_loop_test(tcase, abandoned_after_its_end, 0, n);
    tcase_add_loop_test(tcase, without_means_it_is_done_at_once, 0, n);
    tcase_add_loop_test(tcase, done_may_start_the_next, 0, n);
    return suite_run(suite);
}
