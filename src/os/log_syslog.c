/* SPDX-License-Identifier: BSD-2-Clause */
/* The local syslog daemon, in the form that syslog(3) gives it (RFC 3164 section 4.1). */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "os/log_datagram.h"
#include "os/log_sink.h"

struct syslog_sink {
    struct log_sink sink;
    struct log_datagram socket;
};

/* "<30>Nov 22 08:00:00 penstockd[42]: ". Not strftime(3): the month is English in any locale. */
static size_t print_header(char *out, size_t size, enum log_level level)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    return (size_t)snprintf(
        out, size, "<%d>%s %2d %02d:%02d:%02d penstockd[%d]: ", LOG_DAEMON | (int)level,
        months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
}

static int syslog_write(struct log_sink *sink, enum log_level level, enum log_format format,
                        const char *message, const struct log_field *fields, size_t count)
{
    struct syslog_sink *s = container_of(sink, struct syslog_sink, sink);
    char text[LOG_LINE_MAX + 128];
    size_t length = print_header(text, sizeof(text) - LOG_LINE_MAX, level);

    length += log_format_line(text + length, LOG_LINE_MAX, format, message, fields, count);
    return log_datagram_send(&s->socket, text, length);
}

static void syslog_close(struct log_sink *sink)
{
    struct syslog_sink *s = container_of(sink, struct syslog_sink, sink);

    log_datagram_close(&s->socket);
    free(s);
}

static const struct log_sink_ops syslog_ops = {.write = syslog_write, .close = syslog_close};

int log_syslog_open(struct log_sink **out)
{
    struct syslog_sink *s = calloc(1, sizeof(*s));
    int err;

    if (s == NULL)
        return -ENOMEM;
    s->sink.ops = &syslog_ops;
    err = log_datagram_open(&s->socket, "/dev/log");
    if (err < 0) {
        free(s);
        return err;
    }
    *out = &s->sink;
    return 0;
}
