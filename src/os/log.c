/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/log_sink.h"

struct log {
    struct log_sink *sink;
    enum log_level level;
    enum log_format format;
    atomic_uint_fast64_t lost; /* lines the sink did not take, not yet reported */
};

static void report_lost(struct log *log)
{
    uint64_t lost = atomic_exchange_explicit(&log->lost, 0, memory_order_relaxed);
    struct log_field field = LOG_NUMBER("lost", lost);

    if (lost == 0)
        return;
    if (log->sink->ops->write(log->sink, LEVEL_WARNING, log->format,
                              "log lines were lost: their reader was too slow", &field, 1) < 0)
        atomic_fetch_add_explicit(&log->lost, lost, memory_order_relaxed);
}

struct log *log_new(void)
{
    struct log *log = calloc(1, sizeof(*log));

    if (log == NULL || log_stderr_open(&log->sink) < 0) {
        fputs("penstockd: no memory for the log\n", stderr);
        abort();
    }
    log->level = LEVEL_INFO;
    log->format = FORMAT_LOGFMT;
    return log;
}

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    report_lost(log);
    log->sink->ops->close(log->sink);
    free(log);
}

static int open_target(enum log_target target, struct log_sink **sink)
{
    switch (target) {
    case TARGET_AUTO:
        if (log_stderr_is_journal() && log_journal_open(sink) == 0)
            return 0;
        return log_stderr_open(sink);
    case TARGET_STDERR:
        return log_stderr_open(sink);
    case TARGET_JOURNAL:
        return log_journal_open(sink);
    case TARGET_SYSLOG:
        return log_syslog_open(sink);
    }
    return -EINVAL;
}

int log_configure(struct log *log, enum log_level level, enum log_format format,
                  enum log_target target)
{
    struct log_sink *sink;
    int err = open_target(target, &sink);

    if (err < 0)
        return err;
    report_lost(log);
    log->sink->ops->close(log->sink);
    log->sink = sink;
    log->level = level;
    log->format = format;
    return 0;
}

bool log_wants(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

void log_fields(struct log *log, enum log_level level, const char *message,
                const struct log_field *fields, size_t count)
{
    if (!log_wants(log, level))
        return;
    report_lost(log);
    if (log->sink->ops->write(log->sink, level, log->format, message, fields, count) < 0)
        atomic_fetch_add_explicit(&log->lost, 1, memory_order_relaxed);
}

void log_message(struct log *log, enum log_level level, const char *format, ...)
{
    char message[LOG_LINE_MAX];
    va_list args;

    if (!log_wants(log, level))
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    log_fields(log, level, message, NULL, 0);
}
