/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An answer that is one long list, made while it is sent: a slice of items at a time, each in a
 * turn of the loop of its own, so that the relay goes on between.
 */
#ifndef PENSTOCK_OPS_JSON_LIST_H
#define PENSTOCK_OPS_JSON_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ops/http.h"

/* Items of a slice at most; it also ends when its text is long enough. */
#define JSON_LIST_SLICE 64

/* Embedded in what knows the items. Zeroed but for what is set before. */
struct json_list {
    const char *name; /* of the member that is the list; static. NULL: there is one item, and it is
                         told by itself */
    json_t *head;     /* an object, whose members come before it; taken. NULL: there are none */
    char tail[40];    /* what the object has besides: ",\"next\":7", or nothing */
    size_t count;     /* of items */

    /* A slice begins; it asks for some of these items, from the first one on. False: no memory. */
    bool (*look)(struct json_list *l, size_t first, size_t count);
    /* One of them, in *item; NULL: it is there no more. False: no memory. */
    bool (*item)(struct json_list *l, size_t i, json_t **item);
    /*
     * NULL; or a member of each item that is a list itself, which can be as long: it is told bit by
     * bit behind what item() says, and what rest() says comes behind it. The next part of the item,
     * in *part; NULL: that was all. Both false without memory.
     */
    const char *inner;
    bool (*part)(struct json_list *l, size_t i, json_t **part);
    bool (*rest)(struct json_list *l, size_t i, json_t **rest);
    /* It is over, in any case. */
    void (*free)(struct json_list *l);

    struct stream stream; /* json_list.c's own from here on */
    size_t at;            /* the item to come, or that is being told */
    char *text;           /* of the slice */
    size_t size, room, sent;
    bool begun, over, any, broken;
    bool within, any_part; /* the inner list of the item */
};

/* {HEAD,NAME:[items]TAIL}, or the one item. Frees `l` by itself, also when it returns NULL (no
 * memory). Should memory run out later, or the one item be there no more, the stream breaks
 * (http.h): a cut list must not look whole. */
struct answer *answer_json_list(struct json_list *l);

#endif
