/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors in a parcel, and out of it again. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "os/parcel.h"
#include "os/sock.h"
#include "suite.h"

#define MANY 4000 /* and as many duplicates */

static void limit_descriptors(rlim_t soft)
{
    struct rlimit rl;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
    rl.rlim_cur = soft < rl.rlim_max ? soft : rl.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

static uint64_t id_of(int fd)
{
    uint64_t id = 0;

    ck_assert_int_eq(sock_id(fd, &id), 0);
    return id;
}

static void open_sockets(int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fds[i], 0);
    }
}

static void close_sockets(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static int pack(const int *fds, int count)
{
    int parcel = -1;

    ck_assert_int_eq(parcel_pack(fds, (size_t)count, &parcel), count);
    ck_assert_int_eq(fcntl(parcel, F_GETFD), FD_CLOEXEC);
    return parcel;
}

START_TEST(what_goes_in_comes_out_in_order)
{
    static const int counts[] = {0, 1, 252, 253, 254, 506, 1000, MANY};
    static int sent[MANY], got[MANY];
    static uint64_t ids[MANY];
    struct rlimit rl;

    limit_descriptors(RLIM_INFINITY);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
    for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
        int count = counts[k], before = count_descriptors(), parcel;

        if ((rlim_t)count + 100 > rl.rlim_cur)
            break;
        open_sockets(sent, count);
        for (int i = 0; i < count; i++)
            ids[i] = id_of(sent[i]);
        parcel = pack(sent, count);
        close_sockets(sent, count);
        ck_assert_int_eq(count_descriptors(), before + 1);
        ck_assert_int_eq(parcel_unpack(parcel, got, (size_t)count), count);
        for (int i = 0; i < count; i++) {
            ck_assert_uint_eq(id_of(got[i]), ids[i]);
            ck_assert_int_eq(fcntl(got[i], F_GETFD), FD_CLOEXEC);
        }
        ck_assert_int_eq(parcel_unpack(parcel, got, MANY), 0); /* empty now */
        close(parcel);
        close_sockets(got, count);
        ck_assert_int_eq(count_descriptors(), before);
    }
}
END_TEST

static bool has_ended(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c;

    return poll(&p, 1, 0) == 1 && read(fd, &c, 1) == 0;
}

START_TEST(what_is_in_it_lives_as_long_as_it)
{
    int ends[2], parcel, got;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    parcel = pack(&ends[0], 1);
    close(ends[0]);
    ck_assert(!has_ended(ends[1]));
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(parcel_unpack(parcel, &got, 1), 1);
    close(parcel);
    parcel = pack(&got, 1);
    close(got);
    ck_assert(!has_ended(ends[1]));
    close(parcel);
    ck_assert_int_eq(read(ends[1], &got, 1), -1);
    ck_assert_int_eq(errno, ECONNRESET); /* the byte was never read */
    ck_assert(has_ended(ends[1]));
    close(ends[1]);
}
END_TEST

/* A parcel goes the way of any descriptor. */
START_TEST(a_parcel_may_be_in_a_parcel)
{
    int fd, parcel, outer, got;

    open_sockets(&fd, 1);
    parcel = pack(&fd, 1);
    outer = pack(&parcel, 1);
    close(parcel);
    ck_assert_int_eq(parcel_unpack(outer, &parcel, 1), 1);
    ck_assert_int_eq(parcel_unpack(parcel, &got, 1), 1);
    ck_assert_uint_eq(id_of(got), id_of(fd));
}
END_TEST

START_TEST(one_that_is_full_says_how_many_it_has)
{
    static int fds[200000], got[200000];
    int one, parcel = -1, packed;

    open_sockets(&one, 1);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        fds[i] = one;
    limit_descriptors(RLIM_INFINITY);
    packed = parcel_pack(fds, sizeof(fds) / sizeof(fds[0]), &parcel);
    if (packed == -ETOOMANYREFS)
        return; /* without privileges, so many can't be on their way */
    ck_assert_int_ge(packed, 20000);
    ck_assert_int_lt(packed, (int)(sizeof(fds) / sizeof(fds[0])));
    packed = parcel_unpack(parcel, got, sizeof(got) / sizeof(got[0]));
    ck_assert(packed >= 20000 || packed == -EMFILE);
}
END_TEST

START_TEST(what_there_is_no_room_for_is_closed)
{
    int sent[600], got[600], before, parcel;

    open_sockets(sent, 600);
    before = count_descriptors();
    parcel = pack(sent, 600);
    ck_assert_int_eq(parcel_unpack(parcel, got, 599), -E2BIG);
    close(parcel);
    ck_assert_int_eq(count_descriptors(), before);
    /* No more numbers: as many as are open, and half a parcel. */
    parcel = pack(sent, 300);
    limit_descriptors(750);
    ck_assert_int_eq(parcel_unpack(parcel, got, 600), -EMFILE);
    close(parcel);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

START_TEST(what_is_no_parcel_is_an_error)
{
    int got[10], ends[2], fds[2], before;

    open_sockets(fds, 2);
    ck_assert_int_eq(parcel_unpack(fds[0], got, 10), -EBADMSG);
    ck_assert_int_eq(parcel_unpack(-1, got, 10), -EBADMSG);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    before = count_descriptors();
    /* Bytes without descriptors; and then nothing more, but no end either. */
    ck_assert_int_eq(write(ends[1], "\2", 1), 1);
    ck_assert_int_eq(parcel_unpack(ends[0], got, 10), -EBADMSG);
    ck_assert_int_eq(parcel_unpack(ends[0], got, 10), -EBADMSG);
    ck_assert_int_eq(count_descriptors(), before);
    ck_assert_int_eq(parcel_pack(&(int){-1}, 1, &got[0]), -EBADF);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parcel");
    TCase *tcase = tcase_create("parcel");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_goes_in_comes_out_in_order);
    tcase_add_test(tcase, what_is_in_it_lives_as_long_as_it);
    tcase_add_test(tcase, a_parcel_may_be_in_a_parcel);
    tcase_add_test(tcase, one_that_is_full_says_how_many_it_has);
    tcase_add_test(tcase, what_there_is_no_room_for_is_closed);
    tcase_add_test(tcase, what_is_no_parcel_is_an_error);
    return suite_run(suite);
}
