/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for engine_epoll.c in a build without epoll(7). */
#include "config.h"

#include "loop/engine.h"

const struct engine *const engine_epoll = NULL;
