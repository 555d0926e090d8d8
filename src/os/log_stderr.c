/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "os/log_format.h"
#include "os/log_sink.h"

/* What our standard error is; it decides how to write without waiting. */
enum stderr_kind {
    STDERR_CLOSED, /* write nothing: the number may become anyone's */
    STDERR_FILE,   /* a regular file never waits for a reader */
    STDERR_SOCKET, /* MSG_DONTWAIT */
    STDERR_STREAM, /* pipe, terminal, device */
};

struct stderr_sink {
    struct log_sink sink;
    enum stderr_kind kind;
    bool journal; /* sd-daemon(3): a "<N>" before each line, and journald adds the time */
    bool torn;    /* the last line went out in part: end it before the next */
    int fd;
    bool owned; /* fd is ours alone, and non-blocking */
};

bool log_stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    if (stream == NULL || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void print_time(char *out, size_t size)
{
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    size_t length;

    gmtime_r(&seconds, &tm);
    length = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + length, size - length, ".%03dZ", (int)(now % 1000));
}

/* 0 when all of it was taken, else -EAGAIN. */
static int write_line(struct stderr_sink *s, const char *line, size_t length)
{
    struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
    ssize_t n;

    if (s->kind == STDERR_SOCKET) {
        n = send(s->fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        if (s->kind == STDERR_STREAM && !s->owned &&
            (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0))
            return -EAGAIN;
        n = write(s->fd, line, length);
    }
    if (n > 0)
        s->torn = (size_t)n < length;
    return n == (ssize_t)length ? 0 : -EAGAIN;
}

static int stderr_write(struct log_sink *sink, enum log_level level, enum log_format format,
                        const char *message, const struct log_field *fields, size_t count)
{
    struct stderr_sink *s = container_of(sink, struct stderr_sink, sink);
    char text[LOG_LINE_MAX + 8]; /* "\n<6>", the line, "\n" */
    char time_text[40];
    size_t length = 0;
    struct log_line line;

    if (s->kind == STDERR_CLOSED)
        return 0;
    if (s->torn)
        text[length++] = '\n';
    if (s->journal)
        length += (size_t)snprintf(text + length, 6, "<%d>", (int)level);
    log_line_begin(&line, text + length, LOG_LINE_MAX, format);
    if (!s->journal) {
        print_time(time_text, sizeof(time_text));
        log_line_field(&line, LOG_TEXT("time", time_text));
        log_line_field(&line, LOG_TEXT("level", log_level_name(level)));
    }
    log_line_message(&line, message);
    log_line_fields(&line, fields, count);
    length += log_line_end(&line);
    text[length++] = '\n';
    return write_line(s, text, length);
}

static void stderr_close(struct log_sink *sink)
{
    struct stderr_sink *s = container_of(sink, struct stderr_sink, sink);

    if (s->owned)
        close(s->fd);
    free(s);
}

static const struct log_sink_ops stderr_ops = {.write = stderr_write, .close = stderr_close};

/*
 * O_NONBLOCK belongs to the open file, which a shell or a supervisor shares with us, so that
 * setting it on our standard error would set it on theirs. Opened anew, the same pipe or terminal
 * is ours alone. Where that is not allowed, poll(2) before each write has to do.
 */
static void open_own(struct stderr_sink *s)
{
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return;
    s->fd = fd;
    s->owned = true;
}

int log_stderr_open(struct log_sink **out)
{
    struct stderr_sink *s = calloc(1, sizeof(*s));
    struct stat st;

    if (s == NULL)
        return -ENOMEM;
    s->sink.ops = &stderr_ops;
    s->fd = STDERR_FILENO;
    s->journal = log_stderr_is_journal();
    if (fstat(STDERR_FILENO, &st) < 0) {
        s->kind = STDERR_CLOSED;
    } else if (S_ISREG(st.st_mode)) {
        s->kind = STDERR_FILE;
    } else if (S_ISSOCK(st.st_mode)) {
        s->kind = STDERR_SOCKET;
    } else {
        s->kind = STDERR_STREAM;
        open_own(s);
    }
    *out = &s->sink;
    return 0;
}
