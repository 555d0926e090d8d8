/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes a config file apart, so that libconfig reads one rule at a time. libconfig stops at the
 * first syntax error, compares each new name with all others of its group (10,000 rules: 50 million
 * comparisons), takes numbers of any size for 32 bits, and does not notice a comment that never
 * ends. With the rules apart, an error in one hides none in the others, and time is linear. Pure.
 */
#ifndef PENSTOCK_CONF_SPLIT_H
#define PENSTOCK_CONF_SPLIT_H

#include "conf/conf.h"

/* One entry of the group `rules`: its name, value and separator. */
struct split_piece {
    size_t start, end;    /* in the text */
    unsigned line;        /* of its first byte */
    size_t first_element; /* its first in split.elements */
    bool spoilt;          /* an error in it has been reported: libconfig is not to see it */
};

struct split {
    struct split_piece *pieces;
    size_t piece_count;
    unsigned *elements; /* the line of each string that stands in a list, of all pieces: libconfig
                           gives the line of what follows it */
    size_t element_count;
    bool broken; /* what follows the pieces makes no sense and has been reported */
    bool no_memory;
    bool spoilt; /* what is outside the pieces, likewise */
};

/*
 * Find the pieces of `text`. What no setting could mean is reported to `errors`. Numbers that
 * libconfig would misread, @include directives and settings that are set a second time are
 * overwritten in the text once they have been, and so is a byte order mark. The caller frees it
 * with split_free().
 */
void split_text(struct split *split, const char *path, char *text, size_t len,
                struct conf_errors *errors);
void split_free(struct split *split);

#endif
