/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: one line an event, made of fields. A line never waits for its reader: what the sink
 * would not take at once is dropped, counted, and the count is logged when it can be.
 */
#ifndef PENSTOCK_OS_LOG_H
#define PENSTOCK_OS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are those of syslog(3). */
enum log_level {
    LEVEL_ERROR = 3,
    LEVEL_WARNING = 4,
    LEVEL_INFO = 6,
    LEVEL_DEBUG = 7,
};

enum log_format { FORMAT_LOGFMT, FORMAT_JSON };

/* auto: the journal when our standard error is connected to it ($JOURNAL_STREAM), else stderr. */
enum log_target { TARGET_AUTO, TARGET_STDERR, TARGET_JOURNAL, TARGET_SYSLOG };

/* A field is text, or a number when text is NULL. Keys are lower-case words. */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
};

#define LOG_TEXT(k, v)   ((struct log_field){.key = (k), .text = (v)})
#define LOG_NUMBER(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})

/* Longest line in any format; longer ones are cut at a field's end, or within the message. */
#define LOG_LINE_MAX 2048

struct log;

/* A log to stderr, logfmt, level info: what main() has before it has read a config. Never NULL
 * (aborts without memory at start). The caller frees it with log_free(). */
struct log *log_new(void);
void log_free(struct log *log);

/* Change where and how it goes. Returns 0, or a negative errno (the target can't be opened; -ENOTSUP
 * when this build has no such target) and stays as it was. */
int log_configure(struct log *log, enum log_level level, enum log_format format,
                  enum log_target target);

/* Would a line of this level be written? For callers to whom making the fields costs something. */
bool log_wants(const struct log *log, enum log_level level);

/* A line with a message and fields; `message` may be NULL (session lines are fields alone). */
void log_fields(struct log *log, enum log_level level, const char *message,
                const struct log_field *fields, size_t count);

/* A line with only a message, as printf(3). */
void log_message(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The formatting alone, pure. Writes at most `size` bytes, its NUL included and no newline, and
 * returns the length. logfmt: key=value, a value with spaces, quotes, '=' or control characters
 * (and the empty one) in quotes with \" \\ \n \t \xNN; the message is msg="...". JSON: one object;
 * bytes that are no UTF-8 become U+FFFD.
 */
size_t log_format_line(char *out, size_t size, enum log_format format, const char *message,
                       const struct log_field *fields, size_t count);

#endif
