/* SPDX-License-Identifier: BSD-2-Clause */
/* A parsed config file as a tree of plain values: what load.c makes and check.c judges. */
#ifndef PENSTOCK_CONF_NODE_H
#define PENSTOCK_CONF_NODE_H

#include "conf/conf.h"

enum node_type {
    NODE_GROUP,  /* { name = value; } */
    NODE_LIST,   /* ( value, value ) or [ value, value ] */
    NODE_NUMBER, /* a whole number */
    NODE_FLOAT,  /* any other number; its value is of no use to any option */
    NODE_TEXT,
    NODE_FLAG,
};

struct conf_node {
    enum node_type type;
    const char *name; /* NULL within a list */
    struct conf_place at;
    int64_t number;          /* NODE_NUMBER; NODE_FLAG: 0 or 1 */
    const char *text;        /* NODE_TEXT */
    struct conf_node *first; /* of a group or list */
    struct conf_node *next;  /* in the same group or list */
};

/* One file. All of it lives in the arena of the snapshot to be. */
struct conf_tree {
    const char *path;
    struct conf_node *root;  /* a group; NULL when the file could not be parsed */
    struct conf_node *rules; /* what stands in `rules`, name by name; its group in root is empty */
};

#endif
