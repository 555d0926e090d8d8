/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in memory. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "os/memfile.h"
#include "suite.h"

START_TEST(what_is_written_is_read)
{
    size_t size = 3000000, got = 0; /* over what one read of a small buffer would give */
    uint8_t *bytes = malloc(size), *read_back = NULL;
    int fd;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    fd = memfile_new("test", bytes, size);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    /* Twice, and wherever the offset stands. */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(memfile_read(fd, size, &read_back, &got), 0);
        ck_assert_uint_eq(got, size);
        ck_assert_int_eq(memcmp(read_back, bytes, size), 0);
        free(read_back);
        ck_assert_int_eq(lseek(fd, 100, SEEK_SET), 100);
    }
    close(fd);
    free(bytes);
}
END_TEST

START_TEST(an_empty_file_is_one_too)
{
    uint8_t *bytes = NULL;
    size_t size = 1;
    int fd = memfile_new("empty", NULL, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(memfile_read(fd, 0, &bytes, &size), 0);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(size, 0);
    free(bytes);
    close(fd);
}
END_TEST

START_TEST(what_is_too_large_is_not_read)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int fd = memfile_new("large", "12345", 5);

    ck_assert_int_eq(memfile_read(fd, 4, &bytes, &size), -EFBIG);
    ck_assert_ptr_null(bytes);
    ck_assert_int_eq(memfile_read(fd, 5, &bytes, &size), 0);
    free(bytes);
    close(fd);
}
END_TEST

START_TEST(what_is_no_file_is_not_read)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(memfile_read(fds[0], 10, &bytes, &size), -EINVAL);
    close(fds[0]);
    ck_assert_int_eq(memfile_read(fds[0], 10, &bytes, &size), -EBADF);
    close(fds[1]);
}
END_TEST

START_TEST(what_is_written_to_memory_is_in_the_file_and_outlives_the_writer)
{
    size_t size = 100000, got = 0;
    uint8_t *bytes = NULL;
    void *map = NULL;
    int fd = memfile_shared("shared", size, &map), duplicate, status;
    pid_t pid;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    for (size_t i = 0; i < size; i++)
        ck_assert_msg(((uint8_t *)map)[i] == 0, "byte %zu is not zero", i);
    duplicate = dup(fd);
    pid = fork();
    if (pid == 0) {
        ((uint8_t *)map)[size - 1] = 42;
        raise(SIGKILL); /* nothing is flushed or closed in order */
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    memfile_unmap(map, size);
    close(fd);
    ck_assert_int_eq(memfile_read(duplicate, size, &bytes, &got), 0);
    ck_assert_uint_eq(got, size);
    ck_assert_uint_eq(bytes[size - 1], 42);
    ck_assert_uint_eq(bytes[0], 0);
    free(bytes);
    close(duplicate);
}
END_TEST

START_TEST(a_file_that_is_larger_than_all_memory_is_refused)
{
    void *map = NULL;
    int before = count_descriptors();

    ck_assert_int_lt(memfile_shared("huge", SIZE_MAX / 4, &map), 0);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memfile");
    TCase *tcase = tcase_create("memfile");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, an_empty_file_is_one_too);
    tcase_add_test(tcase, what_is_too_large_is_not_read);
    tcase_add_test(tcase, what_is_no_file_is_not_read);
    tcase_add_test(tcase, what_is_written_to_memory_is_in_the_file_and_outlives_the_writer);
    tcase_add_test(tcase, a_file_that_is_larger_than_all_memory_is_refused);
    return suite_run(suite);
}
