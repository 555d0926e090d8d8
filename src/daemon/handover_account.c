/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/handover_account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- saved ----------------------------------------------------------------------------------- */

static int save_ends(const atomic_ullong counts[ENDS], struct snap_ended **out, uint32_t *n)
{
    *out = calloc(ENDS, sizeof(**out));
    if (!*out)
        return -ENOMEM;
    for (enum end end = 0; end < ENDS; end++) {
        uint64_t count = atomic_load(&counts[end]);

        if (count > 0)
            (*out)[(*n)++] = (struct snap_ended){end_word(end), count};
    }
    return 0;
}

static int save_histogram(const struct histogram *h, struct snap_histogram *out)
{
    out->sum_ms = atomic_load(&h->sum_ms);
    out->buckets = calloc(HISTOGRAM_BUCKETS, sizeof(*out->buckets));
    if (!out->buckets)
        return -ENOMEM;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t most = i < HISTOGRAM_BUCKETS - 1 ? histogram_bound(i) : UINT64_MAX;
        uint64_t count = atomic_load(&h->counts[i]);

        if (count > 0)
            out->buckets[out->bucket_count++] = (struct snap_bucket){most, count};
    }
    return 0;
}

int handover_save_account(const struct account *a, struct snap_rule *out)
{
    int error = save_ends(a->ended, &out->ended, &out->ended_count);

    out->bytes_in = atomic_load(&a->bytes_in);
    out->bytes_out = atomic_load(&a->bytes_out);
    out->datagrams_in = atomic_load(&a->datagrams_in);
    out->datagrams_out = atomic_load(&a->datagrams_out);
    out->dropped = atomic_load(&a->dropped);
    if (error == 0)
        error = save_ends(a->refused, &out->refused, &out->refused_count);
    if (error == 0)
        error = save_histogram(&a->connect, &out->connect);
    if (error == 0)
        error = save_histogram(&a->lasted, &out->lasted);
    return error;
}

void handover_free_account(struct snap_rule *out)
{
    free(out->ended);
    free(out->refused);
    free(out->connect.buckets);
    free(out->lasted.buckets);
}

/* --- restored -------------------------------------------------------------------------------- */

/* Sessions never end so. */
static bool is_refusal(enum end end)
{
    return end == END_LIMIT || end == END_PAUSED;
}

static bool find_end(const char *word, enum end *end)
{
    for (*end = 0; *end < ENDS; (*end)++) {
        if (strcmp(word, end_word(*end)) == 0)
            return true;
    }
    return false;
}

static void restore_histogram(struct histogram *h, const struct snap_histogram *from)
{
    atomic_store(&h->sum_ms, from->sum_ms);
    for (uint32_t i = 0; i < from->bucket_count; i++)
        atomic_fetch_add(&h->counts[histogram_bucket(from->buckets[i].most_ms)],
                         from->buckets[i].count);
}

/* Its live sessions are counted as opened when they are adopted. */
void handover_restore_account(struct account *a, const struct snap_rule *from)
{
    enum end end;

    atomic_store(&a->bytes_in, from->bytes_in);
    atomic_store(&a->bytes_out, from->bytes_out);
    atomic_store(&a->datagrams_in, from->datagrams_in);
    atomic_store(&a->datagrams_out, from->datagrams_out);
    atomic_store(&a->dropped, from->dropped);
    for (uint32_t i = 0; i < from->ended_count; i++) {
        uint64_t count = from->ended[i].count;

        if (!find_end(from->ended[i].word, &end))
            continue;
        atomic_fetch_add(is_refusal(end) ? &a->refused[end] : &a->ended[end], count);
        atomic_fetch_add(&a->opened, is_refusal(end) ? 0 : count);
    }
    for (uint32_t i = 0; i < from->refused_count; i++) {
        if (find_end(from->refused[i].word, &end))
            atomic_fetch_add(&a->refused[end], from->refused[i].count);
    }
    restore_histogram(&a->connect, &from->connect);
    restore_histogram(&a->lasted, &from->lasted);
}
