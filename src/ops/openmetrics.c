/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/openmetrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define ROOM_FIRST 4096

static bool make_room(struct om *om, size_t size)
{
    size_t room = om->room ? om->room : ROOM_FIRST;
    char *grown;

    if (om->failed)
        return false;
    if (om->room - om->size >= size)
        return true;
    while (room - om->size < size)
        room *= 2;
    grown = realloc(om->text, room);
    if (!grown) {
        om->failed = true;
        return false;
    }
    om->text = grown;
    om->room = room;
    return true;
}

static void put_bytes(struct om *om, const char *bytes, size_t size)
{
    if (!make_room(om, size))
        return;
    memcpy(om->text + om->size, bytes, size);
    om->size += size;
}

static void put(struct om *om, const char *text)
{
    put_bytes(om, text, strlen(text));
}

/* Of all characters only these three can't stand for themselves. */
static void put_escaped(struct om *om, const char *text, const char *which)
{
    while (*text) {
        size_t plain = strcspn(text, which);

        put_bytes(om, text, plain);
        text += plain;
        if (!*text)
            break;
        put(om, *text == '\n' ? "\\n" : *text == '"' ? "\\\"" : "\\\\");
        text++;
    }
}

/* One byte that is no UTF-8 and the whole text could be read by nobody. */
static void put_value(struct om *om, const char *text)
{
    static const char *const which = "\\\"\n";

    if (utf8_is_valid(text)) {
        put_escaped(om, text, which);
        return;
    }
    for (; *text; text++)
        put_escaped(om, (char[]){utf8_stand_in(*text), '\0'}, which);
}

static void put_labels(struct om *om, const struct om_label *labels)
{
    if (!labels || !labels->name)
        return;
    for (const struct om_label *l = labels; l->name; l++) {
        put(om, l == labels ? "{" : ",");
        put(om, l->name);
        put(om, "=\"");
        put_value(om, l->value);
        put(om, "\"");
    }
    put(om, "}");
}

static void put_sample(struct om *om, const char *name, const char *suffix,
                       const struct om_label *labels, const char *value)
{
    put(om, name);
    put(om, suffix);
    put_labels(om, labels);
    put(om, " ");
    put(om, value);
    put(om, "\n");
}

/* "# KEYWORD name text" */
static void put_about(struct om *om, const char *keyword, const char *name, const char *suffix)
{
    put(om, "# ");
    put(om, keyword);
    put(om, " ");
    put(om, name);
    put(om, suffix);
    put(om, " ");
}

void om_family(struct om *om, const char *name, const char *type, const char *unit,
               const char *help)
{
    const char *suffix = "";

    if (om->plain && strcmp(type, "counter") == 0) {
        suffix = "_total";
    } else if (om->plain && strcmp(type, "info") == 0) {
        suffix = "_info";
        type = "gauge";
    }
    put_about(om, "TYPE", name, suffix);
    put(om, type);
    put(om, "\n");
    if (unit && !om->plain) {
        put_about(om, "UNIT", name, suffix);
        put(om, unit);
        put(om, "\n");
    }
    put_about(om, "HELP", name, suffix);
    put_escaped(om, help, om->plain ? "\\\n" : "\\\"\n");
    put(om, "\n");
}

void om_number(struct om *om, const char *name, const char *suffix, const struct om_label *labels,
               uint64_t value)
{
    char text[24], *p = text + sizeof(text);

    *--p = '\0';
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put_sample(om, name, suffix, labels, p);
}

void om_real(struct om *om, const char *name, const char *suffix, const struct om_label *labels,
             double value)
{
    char text[32];

    if (isnan(value))
        snprintf(text, sizeof(text), "NaN");
    else if (isinf(value))
        snprintf(text, sizeof(text), "%cInf", value < 0 ? '-' : '+');
    else
        snprintf(text, sizeof(text), "%.15g", value);
    put_sample(om, name, suffix, labels, text);
}

void om_end(struct om *om)
{
    put(om, "# EOF\n");
}

void om_clear(struct om *om)
{
    om->size = 0;
}
