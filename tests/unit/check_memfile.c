/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in memory. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

int main(void)
{
    Suite *suite = suite_create("memfile");
    TCase *tcase = tcase_create("memfile");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, an_empty_file_is_one_too);
    tcase_add_test(tcase, what_is_too_large_is_not_read);
    tcase_add_test(tcase, what_is_no_file_is_not_read);
    return suite_run(suite);
}
