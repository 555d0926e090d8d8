/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/shared_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "ops/api.h"

struct text_stream {
    struct stream stream;
    struct shared_text *text;
    size_t sent;
};

struct shared_text *shared_text_new(unsigned status, char *bytes, size_t size)
{
    struct shared_text *text = bytes ? malloc(sizeof(*text)) : NULL;

    if (text)
        *text = (struct shared_text){.status = status, .bytes = bytes, .size = size, .refs = 1};
    else
        free(bytes);
    return text;
}

void shared_text_unref(struct shared_text *text)
{
    if (!text || --text->refs > 0)
        return;
    free(text->bytes);
    free(text);
}

bool shared_text_equal(const struct shared_text *a, const struct shared_text *b)
{
    return a->status == b->status && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static ssize_t fill(struct stream *st, char *to, size_t size)
{
    struct text_stream *s = container_of(st, struct text_stream, stream);
    size_t left = s->text->size - s->sent;

    if (left == 0)
        return STREAM_OVER;
    if (size > left)
        size = left;
    memcpy(to, s->text->bytes + s->sent, size);
    s->sent += size;
    return (ssize_t)size;
}

static void done(struct stream *st)
{
    struct text_stream *s = container_of(st, struct text_stream, stream);

    shared_text_unref(s->text);
    free(s);
}

struct answer *answer_shared_text(struct shared_text *text)
{
    struct text_stream *s = calloc(1, sizeof(*s));
    struct answer *a;

    if (!s)
        return NULL;
    text->refs++;
    s->text = text;
    s->stream.fill = fill;
    s->stream.done = done;
    a = answer_guarded(answer_stream("application/json", &s->stream));
    if (a)
        answer_status(a, text->status);
    return a;
}
