/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/json_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "ops/api.h"

/* A slice ends behind the item with which its text is as long as that. */
#define SLICE_BYTES ((size_t)16 * 1024)

/* Room for `size` more bytes. */
static bool make_room(struct json_list *l, size_t size)
{
    size_t room = l->room ? l->room : SLICE_BYTES / 4;
    char *text;

    while (room - l->size < size)
        room *= 2;
    if (room == l->room)
        return true;
    text = realloc(l->text, room);
    if (!text)
        return false;
    l->text = text;
    l->room = room;
    return true;
}

static bool add_text(struct json_list *l, const char *text)
{
    size_t size = strlen(text);

    if (!make_room(l, size))
        return false;
    memcpy(l->text + l->size, text, size);
    l->size += size;
    return true;
}

/* Written twice only if there was no room for it. Without any room there is no text yet. */
static bool add_json(struct json_list *l, const json_t *item)
{
    size_t room = l->room - l->size;
    size_t size = json_dumpb(item, room > 0 ? l->text + l->size : NULL, room, JSON_COMPACT);

    if (size == 0 || (size > room && !make_room(l, size)))
        return false;
    if (size > room)
        json_dumpb(item, l->text + l->size, size, JSON_COMPACT);
    l->size += size;
    return true;
}

/* An object that goes on with a list. */
static bool add_opened(struct json_list *l, const json_t *object, const char *name)
{
    if (!add_json(l, object))
        return false;
    l->size--; /* its bracket; there is something before */
    return add_text(l, ",\"") && add_text(l, name) && add_text(l, "\":[");
}

/* The item to come, if it is still there, or what comes before its inner list. */
static bool add_item(struct json_list *l)
{
    json_t *item = NULL;
    bool good = l->item(l, l->at, &item);

    if (good && item) {
        good = (!l->any || add_text(l, ",")) &&
               (l->inner ? add_opened(l, item, l->inner) : add_json(l, item));
        l->any = true;
        l->within = l->inner != NULL;
        l->any_part = false;
    }
    if (!l->within)
        l->at++;
    json_decref(item);
    return good;
}

/* The inner list is over; what comes behind it. */
static bool add_rest(struct json_list *l)
{
    json_t *rest = NULL;
    bool good = l->rest(l, l->at, &rest) && add_text(l, "]");
    size_t begin = l->size;

    good = good && add_json(l, rest);
    if (good)
        l->text[begin] = ','; /* in place of its bracket */
    json_decref(rest);
    l->within = false;
    l->at++;
    return good;
}

static bool add_part(struct json_list *l)
{
    json_t *part = NULL;
    bool good = l->part(l, l->at, &part);

    if (good && !part)
        return add_rest(l);
    good = good && (!l->any_part || add_text(l, ",")) && add_json(l, part);
    l->any_part = true;
    json_decref(part);
    return good;
}

static bool add_head(struct json_list *l)
{
    if (l->begun || !l->name)
        return true;
    if (!l->head)
        return add_text(l, "{\"") && add_text(l, l->name) && add_text(l, "\":[");
    return add_opened(l, l->head, l->name);
}

static bool add_end(struct json_list *l)
{
    if (!l->name)
        return l->any && add_text(l, "\n");
    return add_text(l, "]") && add_text(l, l->tail) && add_text(l, "}\n");
}

/* A slice without any item is a space: JSON allows that between values (RFC 8259 section 2). */
static bool make_slice(struct json_list *l)
{
    size_t most = l->at + JSON_LIST_SLICE < l->count ? l->at + JSON_LIST_SLICE : l->count;

    l->size = l->sent = 0;
    if (!add_head(l) || !l->look(l, l->at, most - l->at))
        return false;
    l->begun = true;
    while (l->at < most && l->size < SLICE_BYTES) {
        if (!(l->within ? add_part(l) : add_item(l)))
            return false;
    }
    if (l->at < l->count)
        return l->size > 0 || add_text(l, " ");
    l->over = true;
    return add_end(l);
}

static ssize_t fill(struct stream *st, char *to, size_t size)
{
    struct json_list *l = container_of(st, struct json_list, stream);

    if (l->sent == l->size) {
        if (l->over)
            return l->broken ? STREAM_BROKEN : STREAM_OVER;
        if (!make_slice(l)) {
            l->over = l->broken = true;
            l->size = l->sent = 0;
            return STREAM_BROKEN;
        }
    }
    if (size > l->size - l->sent)
        size = l->size - l->sent;
    memcpy(to, l->text + l->sent, size);
    l->sent += size;
    return (ssize_t)size;
}

static void done(struct stream *st)
{
    struct json_list *l = container_of(st, struct json_list, stream);

    free(l->text);
    json_decref(l->head);
    l->free(l);
}

struct answer *answer_json_list(struct json_list *l)
{
    l->stream.fill = fill;
    l->stream.done = done;
    return answer_guarded(answer_stream("application/json", &l->stream));
}
