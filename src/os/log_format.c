/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "os/log_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LEVEL_ERROR:
        return "error";
    case LEVEL_WARNING:
        return "warning";
    case LEVEL_INFO:
        return "info";
    case LEVEL_DEBUG:
        return "debug";
    }
    return "unknown";
}

/* A C1 control character (U+0080 to U+009F) in UTF-8: some terminals obey them. */
static bool is_c1(const unsigned char *s)
{
    return s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f;
}

/*
 * Length of the character at `s` when it is well-formed UTF-8 (RFC 3629 section 4) and no control
 * character, else 0. `s` ends with a NUL, which is no continuation byte: nothing is read past it.
 */
static size_t plain_length(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t length;

    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        length = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        length = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0; /* no overlong forms */
    else if (s[0] == 0xed)
        high = 0x9f; /* no surrogates */
    else if (s[0] == 0xf0)
        low = 0x90; /* no overlong forms */
    else if (s[0] == 0xf4)
        high = 0x8f; /* nothing past U+10FFFF */
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return is_c1(s) ? 0 : length;
}

static void put(struct log_line *line, const void *bytes, size_t length)
{
    if (line->full || length > line->limit - line->length) {
        line->full = true;
        return;
    }
    memcpy(line->out + line->length, bytes, length);
    line->length += length;
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* One byte that logfmt can't hold as it is. */
static void put_logfmt_escape(struct log_line *line, unsigned char byte)
{
    char escape[8];

    switch (byte) {
    case '"':
        put_text(line, "\\\"");
        break;
    case '\\':
        put_text(line, "\\\\");
        break;
    case '\n':
        put_text(line, "\\n");
        break;
    case '\t':
        put_text(line, "\\t");
        break;
    default:
        snprintf(escape, sizeof(escape), "\\x%02x", byte);
        put_text(line, escape);
    }
}

/* One character that JSON can't hold as it is (RFC 8259 section 7). Returns how many bytes it had.
 */
static size_t put_json_escape(struct log_line *line, const unsigned char *s)
{
    char escape[8];

    if (s[0] == '"' || s[0] == '\\' || s[0] == '\n' || s[0] == '\t') {
        put_logfmt_escape(line, s[0]);
        return 1;
    }
    if (s[0] >= 0x80 && !is_c1(s)) {
        put_text(line, "\xef\xbf\xbd"); /* U+FFFD */
        return 1;
    }
    snprintf(escape, sizeof(escape), "\\u%04x", is_c1(s) ? s[1] : s[0]);
    put_text(line, escape);
    return is_c1(s) ? 2 : 1;
}

/* The inside of a quoted string; each character goes in wholly or not at all. */
static void put_escaped(struct log_line *line, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s != '\0' && !line->full) {
        size_t length = *s == '"' || *s == '\\' ? 0 : plain_length(s);

        if (length > 0) {
            put(line, s, length);
            s += length;
        } else if (line->format == FORMAT_JSON) {
            s += put_json_escape(line, s);
        } else {
            put_logfmt_escape(line, *s);
            s++;
        }
    }
}

static bool needs_quotes(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    if (*s == '\0')
        return true;
    while (*s != '\0') {
        size_t length = plain_length(s);

        if (length == 0 || *s == ' ' || *s == '"' || *s == '=')
            return true;
        s += length;
    }
    return false;
}

/* What comes before a value: the separator, the key, and '=' or ':'. */
static void put_key(struct log_line *line, const char *key)
{
    if (line->format == FORMAT_JSON) {
        put_text(line, line->empty ? "\"" : ",\"");
        put_text(line, key);
        put_text(line, "\":");
    } else {
        if (!line->empty)
            put_text(line, " ");
        put_text(line, key);
        put_text(line, "=");
    }
}

void log_line_begin(struct log_line *line, char *out, size_t size, enum log_format format)
{
    size_t reserve = format == FORMAT_JSON ? 2 : 1; /* '}', NUL */

    *line = (struct log_line){.out = out, .size = size, .format = format, .empty = true};
    if (size <= reserve) {
        line->full = true;
        return;
    }
    line->limit = size - reserve;
    if (format == FORMAT_JSON)
        put_text(line, "{");
}

void log_line_field(struct log_line *line, struct log_field field)
{
    size_t mark = line->length;
    char number[24];

    put_key(line, field.key);
    if (field.text == NULL) {
        snprintf(number, sizeof(number), "%" PRId64, field.number);
        put_text(line, number);
    } else if (line->format == FORMAT_JSON || needs_quotes(field.text)) {
        put_text(line, "\"");
        put_escaped(line, field.text);
        put_text(line, "\"");
    } else {
        put_text(line, field.text);
    }
    if (line->full)
        line->length = mark;
    else
        line->empty = false;
}

void log_line_message(struct log_line *line, const char *message)
{
    size_t mark = line->length;
    bool cut;

    if (message == NULL || line->full)
        return;
    if (line->limit == line->length) {
        line->full = true;
        return;
    }
    line->limit--; /* for the closing quote, also of a message that is cut */
    put_key(line, "msg");
    put_text(line, "\"");
    if (line->full) {
        line->length = mark;
        return;
    }
    put_escaped(line, message);
    cut = line->full;
    line->full = false;
    line->limit++;
    put_text(line, "\"");
    line->full = cut;
    line->empty = false;
}

void log_line_fields(struct log_line *line, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        log_line_field(line, fields[i]);
}

size_t log_line_end(struct log_line *line)
{
    if (line->limit > 0 && line->format == FORMAT_JSON)
        line->out[line->length++] = '}';
    if (line->size > 0)
        line->out[line->length] = '\0';
    return line->length;
}

size_t log_format_line(char *out, size_t size, enum log_format format, const char *message,
                       const struct log_field *fields, size_t count)
{
    struct log_line line;

    log_line_begin(&line, out, size, format);
    log_line_message(&line, message);
    log_line_fields(&line, fields, count);
    return log_line_end(&line);
}
