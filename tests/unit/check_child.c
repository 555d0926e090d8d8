/* SPDX-License-Identifier: BSD-2-Clause */
/* Other programs, to their ends. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "os/child.h"
#include "suite.h"

#define WAIT_MS 60000

static int start(struct child *c, const char *script)
{
    char *const argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)(uintptr_t)script, NULL};

    return child_start(c, argv, environ);
}

static bool has_ended(const struct child *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    return poll(&p, 1, timeout_ms) == 1;
}

/* To the end, as the loop would. */
static struct child_end run(const char *script)
{
    struct child_end end;
    struct child c;

    ck_assert_int_eq(start(&c, script), 0);
    ck_assert(has_ended(&c, WAIT_MS));
    ck_assert_int_eq(child_finish(&c, &end), 0);
    ck_assert_ptr_nonnull(end.output);
    return end;
}

START_TEST(what_it_says_and_how_it_ends)
{
    int before = count_descriptors();
    struct child_end end = run("echo one; echo two >&2; echo three; exit 78");

    ck_assert_int_eq(end.status, 78);
    ck_assert_int_eq(end.signal, 0);
    ck_assert_str_eq(end.output, "one\ntwo\nthree\n");
    free(end.output);
    end = run("exit 0");
    ck_assert_int_eq(end.status, 0);
    ck_assert_str_eq(end.output, "");
    free(end.output);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

START_TEST(killed_is_told_from_exited)
{
    struct child_end end = run("echo before; kill -SEGV $$");

    ck_assert_int_eq(end.status, -1);
    ck_assert_int_eq(end.signal, SIGSEGV);
    ck_assert_str_eq(end.output, "before\n");
    free(end.output);
}
END_TEST

START_TEST(what_can_not_be_run_is_an_error_at_once)
{
    static char *const nowhere[] = {(char *)"/nowhere/penstockd", NULL};
    static char *const no_program[] = {(char *)"/etc/passwd", NULL};
    int before = count_descriptors();
    struct child c;

    ck_assert_int_eq(child_start(&c, nowhere, environ), -ENOENT);
    ck_assert_int_eq(child_start(&c, no_program, environ), -EACCES);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

START_TEST(its_signals_are_as_at_first)
{
    unsigned long blocked, ignored;
    struct child_end end;
    sigset_t all;

    ck_assert_ptr_ne(signal(SIGPIPE, SIG_IGN), SIG_ERR);
    ck_assert_ptr_ne(signal(SIGHUP, SIG_IGN), SIG_ERR);
    sigfillset(&all);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &all, NULL), 0);
    end = run("exec grep -E '^Sig(Blk|Ign):' /proc/self/status");
    ck_assert_int_eq(sscanf(end.output, "SigBlk: %lx SigIgn: %lx", &blocked, &ignored), 2);
    ck_assert_uint_eq(blocked, 0);
    ck_assert_uint_eq(ignored & 0x7fffffff, 0); /* above them, libc has signals of its own */
    free(end.output);
}
END_TEST

/* By name, whatever the rest of it: the first of two would count. */
START_TEST(an_environment_is_ours_but_for_one)
{
    char variable[] = "PENSTOCK_CHECK=new", **copy;
    size_t count = 0, ours = 0;

    ck_assert_int_eq(setenv("PENSTOCK_CHECK", "old", 1), 0);
    ck_assert_int_eq(setenv("PENSTOCK_CHECK_TOO", "kept", 1), 0);
    for (int i = 0; i < 2; i++) {
        copy = child_environment(variable);
        ck_assert_ptr_nonnull(copy);
        for (count = 0; copy[count]; count++)
            ck_assert_str_ne(copy[count], "PENSTOCK_CHECK=old");
        ck_assert_ptr_eq(copy[count - 1], variable);
        ours = 0;
        while (environ[ours])
            ours++;
        ck_assert_uint_eq(count, ours + (size_t)i); /* in its place, or one more */
        ck_assert_str_eq(getenv("PENSTOCK_CHECK_TOO"), "kept");
        free(copy);
        ck_assert_int_eq(unsetenv("PENSTOCK_CHECK"), 0);
    }
    ck_assert_ptr_null(getenv("PENSTOCK_CHECK"));
}
END_TEST

START_TEST(it_has_our_environment_and_no_input)
{
    struct child_end end;

    ck_assert_int_eq(setenv("PENSTOCK_CHECK", "here", 1), 0);
    end = run("echo $PENSTOCK_CHECK; cat; readlink /proc/self/fd/0");
    ck_assert_str_eq(end.output, "here\n/dev/null\n");
    free(end.output);
}
END_TEST

/* Those that the test itself was given stay, as it has no say in them. */
START_TEST(of_its_output_it_has_no_third_descriptor)
{
    struct child_end end = run("ls -l /proc/self/fd");
    int count = 0;

    for (const char *at = end.output; (at = strstr(at, "/memfd:output")); at++)
        count++;
    ck_assert_int_eq(count, 2);
    free(end.output);
}
END_TEST

START_TEST(long_output_is_cut)
{
    struct child_end end = run("head -c 200000 /dev/zero | tr '\\0' x; echo end");

    ck_assert_int_eq(end.status, 0);
    ck_assert_uint_eq(strlen(end.output), CHILD_OUTPUT_MAX);
    ck_assert_uint_eq(strspn(end.output, "x"), CHILD_OUTPUT_MAX);
    free(end.output);
}
END_TEST

START_TEST(while_it_runs_nobody_waits)
{
    int before = count_descriptors();
    struct child_end end;
    struct child c;

    ck_assert_int_eq(start(&c, "exec sleep 1000"), 0);
    ck_assert(!has_ended(&c, 0));
    child_kill(&c);
    ck_assert(has_ended(&c, WAIT_MS));
    ck_assert_int_eq(child_finish(&c, &end), 0);
    ck_assert_int_eq(end.signal, SIGKILL);
    free(end.output);
    ck_assert_int_eq(count_descriptors(), before);
    /* Killed by another, it has an end to be told. */
    ck_assert_int_eq(start(&c, "exec sleep 1000"), 0);
    ck_assert_int_eq(kill(c.pid, SIGTERM), 0);
    ck_assert(has_ended(&c, WAIT_MS));
    ck_assert_int_eq(child_finish(&c, &end), 0);
    ck_assert_int_eq(end.signal, SIGTERM);
    free(end.output);
}
END_TEST

/* While somebody traces it, a process that has been killed is not there to be waited for, as one in
 * the middle of a disk access is not. */
START_TEST(one_that_does_not_end_is_not_waited_for)
{
    int before = count_descriptors(), ready[2];
    struct child c;
    pid_t tracer;
    char byte;

    ck_assert_int_eq(start(&c, "exec sleep 1000"), 0);
    ck_assert_int_eq(pipe(ready), 0);
    tracer = fork();
    ck_assert_int_ge(tracer, 0);
    if (tracer == 0) {
        byte = ptrace(PTRACE_SEIZE, c.pid, NULL, NULL) == 0;
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    if (!byte)
        fputs("no right to trace: it ends at once\n", stderr);
    child_drop(&c);
    close(ready[0]);
    close(ready[1]);
    ck_assert_int_eq(count_descriptors(), before);
    ck_assert_int_eq(kill(tracer, SIGKILL), 0);
    ck_assert_int_eq(waitpid(tracer, NULL, 0), tracer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("child");
    TCase *tcase = tcase_create("child");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, what_it_says_and_how_it_ends);
    tcase_add_test(tcase, killed_is_told_from_exited);
    tcase_add_test(tcase, what_can_not_be_run_is_an_error_at_once);
    tcase_add_test(tcase, its_signals_are_as_at_first);
    tcase_add_test(tcase, it_has_our_environment_and_no_input);
    tcase_add_test(tcase, of_its_output_it_has_no_third_descriptor);
    tcase_add_test(tcase, long_output_is_cut);
    tcase_add_test(tcase, while_it_runs_nobody_waits);
    tcase_add_test(tcase, an_environment_is_ours_but_for_one);
    tcase_add_test(tcase, one_that_does_not_end_is_not_waited_for);
    return suite_run(suite);
}
