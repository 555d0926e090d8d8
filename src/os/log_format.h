/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building one log line piece by piece, in either format. Pure: bytes in, bytes out. The sinks
 * use it to put their own fields before the event's.
 */
#ifndef PENSTOCK_OS_LOG_FORMAT_H
#define PENSTOCK_OS_LOG_FORMAT_H

#include "os/log.h"

/* A line under construction. Set nothing directly. */
struct log_line {
    char *out;
    size_t size;  /* of out */
    size_t limit; /* where the pieces must end, so that what closes the line still fits */
    size_t length;
    enum log_format format;
    bool empty; /* no field yet */
    bool full;  /* a piece did not fit: all later ones are left out */
};

/* Begin a line in `out`, which stays the caller's. */
void log_line_begin(struct log_line *line, char *out, size_t size, enum log_format format);

/* Add a field, wholly or not at all. */
void log_line_field(struct log_line *line, struct log_field field);

/* Add the message, cut where it no longer fits. NULL: nothing. */
void log_line_message(struct log_line *line, const char *message);

/* Add several fields. */
void log_line_fields(struct log_line *line, const struct log_field *fields, size_t count);

/* Close the line with a NUL and return its length. */
size_t log_line_end(struct log_line *line);

/* The word for a level: "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);

#endif
