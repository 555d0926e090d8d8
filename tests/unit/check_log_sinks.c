/* SPDX-License-Identifier: BSD-2-Clause */
/* Where log lines go, and that nobody is waited for. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/log.h"
#include "os/log_datagram.h"
#include "os/log_sink.h"
#include "suite.h"

static int saved_stderr = -1;

static void stderr_save(void)
{
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    unsetenv("JOURNAL_STREAM");
}

static void stderr_restore(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    unsetenv("JOURNAL_STREAM");
}

/* Make our standard error a pipe that holds `size` bytes; returns the end to read. */
static int stderr_to_pipe(int size)
{
    int fds[2];

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_ge(fcntl(fds[1], F_SETPIPE_SZ, size), size);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    return fds[0];
}

/* Everything that is there to be read, as a string that the caller frees. */
static char *read_all(int fd)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    char part[4096];
    ssize_t n;

    while ((n = read(fd, part, sizeof(part))) > 0)
        fwrite(part, 1, (size_t)n, out);
    fclose(out);
    return text;
}

START_TEST(stderr_line_has_time_and_level)
{
    const struct log_field field = LOG_TEXT("rule", "ssh");
    int fd = stderr_to_pipe(65536), ms, end = 0;
    struct log *log = log_new();
    char *text;

    log_message(log, LEVEL_WARNING, "%d left", 3);
    text = read_all(fd);
    ck_assert_int_eq(
        sscanf(text, "time=%*4u-%*2u-%*2uT%*2u:%*2u:%*2u.%3dZ level=warning msg=\"3 left\"%n", &ms,
               &end),
        1);
    ck_assert_str_eq(text + end, "\n");
    free(text);

    ck_assert_int_eq(log_configure(log, LEVEL_INFO, FORMAT_JSON, TARGET_STDERR), 0);
    log_fields(log, LEVEL_INFO, NULL, &field, 1);
    text = read_all(fd);
    end = 0;
    ck_assert_int_eq(sscanf(text,
                            "{\"time\":\"%*4u-%*2u-%*2uT%*2u:%*2u:%*2u.%3dZ\",\"level\":\"info\","
                            "\"rule\":\"ssh\"}%n",
                            &ms, &end),
                     1);
    ck_assert_str_eq(text + end, "\n");
    free(text);
    log_free(log);
    close(fd);
}
END_TEST

START_TEST(level_decides_what_is_written)
{
    int fd = stderr_to_pipe(65536);
    struct log *log = log_new();
    char *text;

    ck_assert(log_wants(log, LEVEL_INFO));
    ck_assert(!log_wants(log, LEVEL_DEBUG));
    log_message(log, LEVEL_DEBUG, "not yet");
    ck_assert_int_eq(log_configure(log, LEVEL_ERROR, FORMAT_LOGFMT, TARGET_STDERR), 0);
    log_message(log, LEVEL_WARNING, "no more");
    log_message(log, LEVEL_ERROR, "this");
    text = read_all(fd);
    ck_assert_ptr_nonnull(strstr(text, "level=error msg=\"this\"\n"));
    ck_assert_ptr_null(strstr(text, "not yet"));
    ck_assert_ptr_null(strstr(text, "no more"));
    free(text);
    log_free(log);
    close(fd);
}
END_TEST

START_TEST(stderr_of_the_journal_gets_a_prefix)
{
    int fd = stderr_to_pipe(65536);
    struct stat st;
    struct log *log;
    char stream[64], *text;

    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1);
    ck_assert(!log_stderr_is_journal());
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    ck_assert(log_stderr_is_journal());
    log = log_new();
    log_message(log, LEVEL_ERROR, "x");
    text = read_all(fd);
    ck_assert_str_eq(text, "<3>msg=\"x\"\n");
    free(text);
    log_free(log);
    close(fd);
}
END_TEST

/* Count the lines that are whole, and sum up what lines about lost ones say. */
static void count_lines(const char *text, unsigned *whole, unsigned *lost)
{
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *count = strstr(line, " lost="), *end = strchr(line, '\n');

        ck_assert_ptr_nonnull(end);
        ck_assert_int_eq(strncmp(line, "time=", 5), 0);
        if (count != NULL && count < end)
            *lost += (unsigned)strtoul(count + 6, NULL, 10);
        else
            ++*whole;
    }
}

/* Lines beyond what the reader takes are lost and counted; then the count is logged. */
static void check_overflow(int fd)
{
    struct log *log = log_new();
    unsigned written = 0, whole = 0, lost = 0;
    char *text;

    for (; written < 20000; written++)
        log_message(log, LEVEL_INFO, "line %u: a text that fills the pipe, sooner or later",
                    written);
    text = read_all(fd);
    count_lines(text, &whole, &lost);
    free(text);
    ck_assert_uint_gt(whole, 0);
    ck_assert_uint_lt(whole, written);
    ck_assert_uint_eq(lost, 0);

    log_message(log, LEVEL_INFO, "after");
    written++;
    text = read_all(fd);
    ck_assert_ptr_nonnull(strstr(text, "level=warning msg=\"log lines were lost"));
    count_lines(text, &whole, &lost);
    ck_assert_uint_eq(whole + lost, written);
    free(text);

    log_message(log, LEVEL_INFO, "again");
    text = read_all(fd);
    ck_assert_ptr_null(strstr(text, "lost"));
    free(text);
    log_free(log);
    close(fd);
}

START_TEST(full_pipe_loses_lines_and_says_how_many)
{
    check_overflow(stderr_to_pipe(4096));
}
END_TEST

START_TEST(full_socket_loses_lines_and_says_how_many)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    check_overflow(fds[0]);
}
END_TEST

START_TEST(pipe_stays_blocking_for_those_who_share_it)
{
    int fd = stderr_to_pipe(4096);
    struct log *log = log_new();

    log_message(log, LEVEL_INFO, "x");
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    log_free(log);
    close(fd);
}
END_TEST

/* A pipe that we may not open anew: what a service that has changed its user finds. */
START_TEST(full_pipe_of_another_user_is_not_waited_for)
{
    int fd = stderr_to_pipe(8192), status;
    unsigned whole = 0, lost = 0;
    pid_t child = fork();
    char *text;

    if (child == 0) {
        struct log *log;

        if (getuid() == 0 && setresuid(65534, 65534, 65534) < 0)
            _exit(1);
        log = log_new();
        for (unsigned i = 0; i < 20000; i++)
            log_message(log, LEVEL_INFO, "line %u", i);
        log_free(log);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child); /* nobody reads: it would wait for ever */
    ck_assert_int_eq(status, 0);
    text = read_all(fd);
    count_lines(text, &whole, &lost);
    ck_assert_uint_gt(whole, 0);
    free(text);
    close(fd);
}
END_TEST

START_TEST(regular_file_gets_every_line)
{
    FILE *file = tmpfile();
    struct log *log;
    unsigned whole = 0, lost = 0;
    char *text;

    dup2(fileno(file), STDERR_FILENO);
    log = log_new();
    for (unsigned i = 0; i < 3000; i++)
        log_message(log, LEVEL_INFO, "line %u", i);
    log_free(log);
    rewind(file);
    text = read_all(fileno(file));
    count_lines(text, &whole, &lost);
    ck_assert_uint_eq(whole, 3000);
    ck_assert_uint_eq(lost, 0);
    free(text);
    fclose(file);
}
END_TEST

START_TEST(closed_stderr_harms_nobody_who_gets_its_number)
{
    FILE *file = tmpfile();
    struct log *log;
    struct stat st;

    close(STDERR_FILENO);
    log = log_new();
    dup2(fileno(file), STDERR_FILENO);
    log_message(log, LEVEL_ERROR, "not into that file");
    ck_assert_int_eq(fstat(fileno(file), &st), 0);
    ck_assert_int_eq(st.st_size, 0);
    log_free(log);
    fclose(file);
}
END_TEST

/* --- log daemons ---------------------------------------------------------------------------- */

static int bind_daemon(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

START_TEST(stopped_log_daemon_is_not_waited_for)
{
    char directory[] = "/tmp/check_log.XXXXXX", path[64], buffer[16];
    struct log_datagram d;
    unsigned sent = 0;
    int fd;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/log", directory);
    ck_assert_int_eq(log_datagram_open(&d, path), -ENOENT);
    fd = bind_daemon(path);
    ck_assert_int_eq(log_datagram_open(&d, path), 0);
    while (log_datagram_send(&d, "x", 1) == 0)
        sent++;
    ck_assert_uint_gt(sent, 0);
    ck_assert_int_eq(read(fd, buffer, sizeof(buffer)), 1);
    ck_assert_int_eq(log_datagram_send(&d, "y", 1), 0);

    close(fd); /* the daemon is restarted */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(log_datagram_send(&d, "z", 1), -EAGAIN);
    fd = bind_daemon(path);
    ck_assert_int_eq(log_datagram_send(&d, "zz", 2), 0);
    ck_assert_int_eq(read(fd, buffer, sizeof(buffer)), 2);
    close(fd);
    log_datagram_close(&d);
    unlink(path);
    rmdir(directory);
}
END_TEST

START_TEST(target_that_cannot_be_opened_changes_nothing)
{
    int fd = stderr_to_pipe(65536);
    struct log *log = log_new();
    char *text;

    ck_assert_int_eq(log_configure(log, LEVEL_DEBUG, FORMAT_JSON, (enum log_target)99), -EINVAL);
    log_message(log, LEVEL_DEBUG, "hidden");
    log_message(log, LEVEL_INFO, "shown");
    text = read_all(fd);
    ck_assert_int_eq(strncmp(text, "time=", 5), 0);
    ck_assert_ptr_null(strstr(text, "hidden"));
    ck_assert_ptr_nonnull(strstr(text, "level=info msg=\"shown\"\n"));
    free(text);
    log_free(log);
    close(fd);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("log sinks");
    TCase *t = tcase_create("sinks");

    tcase_add_checked_fixture(t, stderr_save, stderr_restore);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, stderr_line_has_time_and_level);
    tcase_add_test(t, level_decides_what_is_written);
    tcase_add_test(t, stderr_of_the_journal_gets_a_prefix);
    tcase_add_test(t, full_pipe_loses_lines_and_says_how_many);
    tcase_add_test(t, full_socket_loses_lines_and_says_how_many);
    tcase_add_test(t, pipe_stays_blocking_for_those_who_share_it);
    tcase_add_test(t, full_pipe_of_another_user_is_not_waited_for);
    tcase_add_test(t, regular_file_gets_every_line);
    tcase_add_test(t, closed_stderr_harms_nobody_who_gets_its_number);
    tcase_add_test(t, stopped_log_daemon_is_not_waited_for);
    tcase_add_test(t, target_that_cannot_be_opened_changes_nothing);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
