/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a config, as penstockd --check prints it: on standard error, each on a line of
 * its own, "file:line: text". */
#ifndef PENSTOCK_CTL_FINDINGS_H
#define PENSTOCK_CTL_FINDINGS_H

#include <jansson.h>

#include "conf/conf.h"
#include "ctl/ctl.h"

/* As the API says it: an array, or NULL; without those that have been said as our own (NULL: none).
 * penstockd may know the files by other paths. */
void findings_print(const json_t *errors, const struct conf_errors *said);

/* The errors of an answer, and that it was refused; for their sake alone, if there are any. As JSON
 * the whole answer, and why it was refused. */
void findings_tell(struct ctl *ctl, const struct reply *reply);

/* As we have found it. */
void findings_print_own(const struct conf_errors *errors);

#endif
