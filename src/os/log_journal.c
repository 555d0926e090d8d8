/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal, natively: every field of a line can be asked for by name (journalctl RULE=ssh).
 * The protocol is systemd's "Native Journal Protocol" (systemd.io/JOURNAL_NATIVE_PROTOCOL).
 */
#include "config.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "os/log_datagram.h"
#include "os/log_sink.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal_sink {
    struct log_sink sink;
    struct log_datagram socket;
};

/* One event under construction: the line as MESSAGE, and its fields once more. */
struct entry {
    char bytes[3 * LOG_LINE_MAX];
    size_t length;
};

/* A field goes in wholly or not at all. Journal fields are in upper case. */
static void entry_add(struct entry *e, const char *key, const char *value)
{
    size_t key_length = strlen(key), length = strlen(value);
    uint64_t le_length = htole64(length);
    char *p = e->bytes + e->length;

    if (key_length + length + sizeof(le_length) + 2 > sizeof(e->bytes) - e->length)
        return;
    for (size_t i = 0; i < key_length; i++)
        *p++ = (char)toupper((unsigned char)key[i]);
    if (strchr(value, '\n') == NULL) {
        *p++ = '=';
    } else {
        *p++ = '\n';
        memcpy(p, &le_length, sizeof(le_length));
        p += sizeof(le_length);
    }
    memcpy(p, value, length);
    p[length] = '\n';
    e->length = (size_t)(p - e->bytes) + length + 1;
}

static void entry_add_number(struct entry *e, const char *key, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    entry_add(e, key, text);
}

static int journal_write(struct log_sink *sink, enum log_level level, enum log_format format,
                         const char *message, const struct log_field *fields, size_t count)
{
    struct journal_sink *s = container_of(sink, struct journal_sink, sink);
    struct entry e = {.length = 0};
    char line[LOG_LINE_MAX];

    log_format_line(line, sizeof(line), format, message, fields, count);
    entry_add(&e, "MESSAGE", line);
    entry_add_number(&e, "PRIORITY", level);
    entry_add(&e, "SYSLOG_IDENTIFIER", "penstockd");
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text != NULL)
            entry_add(&e, fields[i].key, fields[i].text);
        else
            entry_add_number(&e, fields[i].key, fields[i].number);
    }
    return log_datagram_send(&s->socket, e.bytes, e.length);
}

static void journal_close(struct log_sink *sink)
{
    struct journal_sink *s = container_of(sink, struct journal_sink, sink);

    log_datagram_close(&s->socket);
    free(s);
}

static const struct log_sink_ops journal_ops = {.write = journal_write, .close = journal_close};

int log_journal_open(struct log_sink **out)
{
    struct journal_sink *s = calloc(1, sizeof(*s));
    int err;

    if (s == NULL)
        return -ENOMEM;
    s->sink.ops = &journal_ops;
    err = log_datagram_open(&s->socket, JOURNAL_SOCKET);
    if (err < 0) {
        free(s);
        return err;
    }
    *out = &s->sink;
    return 0;
}
