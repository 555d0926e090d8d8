/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for many small things that live and die together: handed out by bumping a pointer. */
#ifndef PENSTOCK_BASE_ARENA_H
#define PENSTOCK_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* An empty arena, or NULL without memory. The caller frees it, and all it gave, with arena_free().
 */
struct arena *arena_new(void);

/* Free everything that came from the arena, and itself. NULL is allowed. */
void arena_free(struct arena *a);

/* `size` bytes, zeroed and aligned for any type; NULL without memory. */
void *arena_alloc(struct arena *a, size_t size);

/* The same for `count` things of `size` bytes; NULL also when the product overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);

/* A copy of `text`; NULL without memory. */
char *arena_strdup(struct arena *a, const char *text);

/* A text as by printf(3); NULL without memory. */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
