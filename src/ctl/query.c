/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/query.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ctl/client.h"
#include "ctl/must.h"

void query_begin(struct query *q, const char *path)
{
    *q = (struct query){0};
    q->to = must(open_memstream(&q->text, &q->size));
    fputs(path, q->to);
}

static void add(struct query *q, const char *key, const char *encoded)
{
    fprintf(q->to, "%c%s=%s", q->has_key ? '&' : '?', key, encoded);
    q->has_key = true;
}

void query_add(struct query *q, const char *key, const char *value)
{
    char *encoded;

    if (!value)
        return;
    encoded = client_encode(value);
    add(q, key, encoded);
    free(encoded);
}

void query_number(struct query *q, const char *key, uint64_t value)
{
    char *text = must_print("%" PRIu64, value);

    add(q, key, text);
    free(text);
}

char *query_end(struct query *q)
{
    int failed = fclose(q->to);

    return must(failed ? NULL : q->text);
}
