/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that runs out. The linker puts these before the C library's own (-Wl,--wrap=malloc and so
 * on); what libraries ask for by themselves is not counted and always given.
 */
#ifndef PENSTOCK_TESTS_MEMORY_H
#define PENSTOCK_TESTS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static struct {
    bool counts;
    bool once;  /* one is refused, and those behind it are given again */
    long live;  /* pieces that were given and not freed, since counting began */
    long until; /* so many more are given; negative: any number */
    long refused;
} memory;

static bool is_given(void)
{
    if (!memory.counts)
        return true;
    if (memory.until == 0) {
        memory.refused++;
        if (memory.once)
            memory.until = -1;
        return false;
    }
    if (memory.until > 0)
        memory.until--;
    return true;
}

static void count_piece(long change)
{
    if (memory.counts)
        memory.live += change;
}

/* Refuse after `until` pieces; `once`: only one of them. */
static inline void memory_runs_out(long until, bool once)
{
    memory.counts = true;
    memory.once = once;
    memory.live = 0;
    memory.until = until;
    memory.refused = 0;
}

/* Has any been refused? From now on all are given. */
static inline bool memory_is_back(void)
{
    memory.counts = false;
    return memory.refused > 0;
}

void *__wrap_malloc(size_t size)
{
    if (!is_given())
        return NULL;
    count_piece(1);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (!is_given())
        return NULL;
    count_piece(1);
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    if (!is_given())
        return NULL;
    count_piece(p == NULL);
    return __real_realloc(p, size);
}

void __wrap_free(void *p)
{
    if (p != NULL)
        count_piece(-1);
    __real_free(p);
}

#endif
