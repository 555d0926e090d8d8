/* SPDX-License-Identifier: BSD-2-Clause */
/* A listener's socket: made as the config says, or one that was passed to us. What listener.h
 * promises of listener_open(), listener_open_beside() and listener_adopt() is done here. */
#ifndef PENSTOCK_FLOW_LISTENING_H
#define PENSTOCK_FLOW_LISTENING_H

#include "flow/listener.h"

/* Who may connect to its socket file. Returns 0, or -ENOENT with *why set. */
int listening_file(const struct conf_listen *conf, struct sock_file *file, const char **why);

/* Set what accepted sockets inherit. */
void listening_set_inherited(const struct listener *l);

#endif
