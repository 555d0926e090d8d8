/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of one direction: what is in a pipe is taken into memory when another process is to send
 * it. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow/move.h"
#include "flow/worker.h"
#include "memory.h"
#include "suite.h"

#define MUCH 60000

static struct worker w;
static struct fds fds;
static struct session s;
static int ends[2]; /* what is written to the second comes out of the first */
static uint8_t bytes[MUCH];

static void begin(void)
{
    fds_budget(&fds, 10);
    pipe_pool_init(&w.pipes, &fds, 1);
    s = (struct session){.worker = &w};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static void end(void)
{
    move_drop(&s, CLIENT);
    pipe_pool_fini(&w.pipes);
    ck_assert_uint_eq(atomic_load(&fds.booked), 0);
    close(ends[0]);
    close(ends[1]);
}

static void fill_pipe(size_t size)
{
    struct flow *f = &s.flow[CLIENT];

    f->pipe = pipe_take(&w.pipes);
    ck_assert_ptr_nonnull(f->pipe);
    if (size == 0)
        return;
    ck_assert_int_eq(write(ends[1], bytes, size), (ssize_t)size);
    ck_assert_int_eq(pipe_fill(f->pipe, ends[0]), (ssize_t)size);
}

static void is_kept(size_t size)
{
    ck_assert_uint_eq(buf_size(&s.flow[CLIENT].kept), size);
    ck_assert_mem_eq(buf_bytes(&s.flow[CLIENT].kept), bytes, size);
    ck_assert_ptr_null(s.flow[CLIENT].pipe);
    ck_assert_uint_eq(move_held(&s, CLIENT), size);
}

START_TEST(what_a_pipe_holds_is_kept)
{
    fill_pipe(MUCH);
    ck_assert_uint_eq(move_held(&s, CLIENT), MUCH);
    ck_assert_int_eq(move_keep(&s, CLIENT), 0);
    is_kept(MUCH);
    ck_assert_uint_eq(w.pipes.idle, 1); /* empty, and for the next */
    ck_assert_int_eq(move_keep(&s, CLIENT), 0);
    is_kept(MUCH);
}
END_TEST

START_TEST(without_memory_it_stays_in_the_pipe)
{
    int error;

    fill_pipe(MUCH);
    memory_runs_out(0, false);
    error = move_keep(&s, CLIENT);
    ck_assert(memory_is_back());
    ck_assert_int_eq(error, -ENOMEM);
    ck_assert_uint_eq(move_held(&s, CLIENT), MUCH);
    ck_assert_int_eq(move_keep(&s, CLIENT), 0);
    is_kept(MUCH);
}
END_TEST

START_TEST(an_empty_pipe_needs_no_memory)
{
    int error;

    fill_pipe(0);
    memory_runs_out(0, false);
    error = move_keep(&s, CLIENT);
    ck_assert(!memory_is_back());
    ck_assert_int_eq(error, 0);
    ck_assert_uint_eq(move_held(&s, CLIENT), 0);
}
END_TEST

START_TEST(without_a_pipe_nothing_changes)
{
    ck_assert_int_eq(move_keep(&s, CLIENT), 0);
    ck_assert_uint_eq(move_held(&s, CLIENT), 0);
    ck_assert_int_eq(buf_fill(&s.flow[CLIENT].kept, bytes, 5), 0);
    ck_assert_int_eq(move_keep(&s, CLIENT), 0);
    is_kept(5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("move");
    TCase *tcase = tcase_create("move");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, begin, end);
    if (pipe_built_in()) {
        tcase_add_test(tcase, what_a_pipe_holds_is_kept);
        tcase_add_test(tcase, without_memory_it_stays_in_the_pipe);
        tcase_add_test(tcase, an_empty_pipe_needs_no_memory);
    }
    tcase_add_test(tcase, without_a_pipe_nothing_changes);
    return suite_run(suite);
}
