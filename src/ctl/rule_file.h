/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of conf.d that holds one rule. Pure. */
#ifndef PENSTOCK_CTL_RULE_FILE_H
#define PENSTOCK_CTL_RULE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Can a rule be called so? Then its file can be, too. */
bool rule_name_is_good(const char *name);

/* "web.conf"; the caller frees it. */
char *rule_file_name(const char *rule);

struct rule_text {
    const char *name;
    const char *listen, *upstream; /* an address each, or some with commas between */
    const char *max;               /* max_connections, or NULL */
    const char *const *options;    /* "NAME=VALUE" each */
    size_t option_count;
};

/*
 * What stands in the file. Values are quoted as their options need; whether they are right is for
 * the config's own check to say. The caller frees it. NULL: one of the options is none, and *error
 * (to be freed) says which.
 */
char *rule_file_text(const struct rule_text *rule, char **error);

#endif
