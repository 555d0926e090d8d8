/* SPDX-License-Identifier: BSD-2-Clause */
/* An intrusive doubly linked list: the links live in the object, nothing is allocated. */
#ifndef PENSTOCK_BASE_LIST_H
#define PENSTOCK_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The object of type `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A link, or the head of a list. A link that is in no list points to itself. */
struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Insert `l` as the last link of `head`. `l` must be in no list. */
static inline void list_append(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

/* Insert `l` as the first link of `head`. `l` must be in no list. */
static inline void list_prepend(struct list *head, struct list *l)
{
    list_append(head->next, l);
}

/* Take `l` out of whatever list it is in; a link in no list stays so. */
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* Take out and return the first link, or NULL from an empty list. */
static inline struct list *list_take_first(struct list *head)
{
    struct list *first = head->next;

    if (first == head)
        return NULL;
    list_remove(first);
    return first;
}

/* Walk the list; `l` may be removed (and freed) by the body, no other link may. */
#define list_for_each(l, next_, head)                                                              \
    for (struct list *l = (head)->next, *next_ = l->next; l != (head); l = next_, next_ = l->next)

#endif
