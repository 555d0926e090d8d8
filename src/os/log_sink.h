/* SPDX-License-Identifier: BSD-2-Clause */
/* A place where log lines go. One file a sink; only they and log.c, which writes to them, include
 * this. */
#ifndef PENSTOCK_OS_LOG_SINK_H
#define PENSTOCK_OS_LOG_SINK_H

#include "os/log.h"

struct log_sink;

struct log_sink_ops {
    /* Write one event. Returns 0, or -EAGAIN when it would have waited: the line is lost and
     * log.c counts it. */
    int (*write)(struct log_sink *sink, enum log_level level, enum log_format format,
                 const char *message, const struct log_field *fields, size_t count);
    void (*close)(struct log_sink *sink);
};

struct log_sink {
    const struct log_sink_ops *ops;
};

/* Each returns 0 and sets *out, or a negative errno; -ENOTSUP when not built in. */
int log_stderr_open(struct log_sink **out);
int log_journal_open(struct log_sink **out);
int log_syslog_open(struct log_sink **out);

/* Is our standard error the journal's ($JOURNAL_STREAM names its device and inode)? */
bool log_stderr_is_journal(void);

#endif
