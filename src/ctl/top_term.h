/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole terminal: taken, given back as it was, and what is pressed on it. Only this room and
 * top_draw.c know ncurses.
 */
#ifndef PENSTOCK_CTL_TOP_TERM_H
#define PENSTOCK_CTL_TOP_TERM_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/top_draw.h"
#include "ctl/top_press.h"
#include "ctl/top_stall.h"

struct terminal {
    struct draw draw;
    void *screen;       /* of ncurses; NULL: not open */
    int signals;        /* signalfd(2) of what is to come in order */
    sigset_t mask, was; /* the signals that are blocked for that; and those that were */
    int ended_by;       /* the signal that asks us to end; 0: none has */
    struct stall stall;
};

/*
 * Take the terminal, which standard input and output are. Returns NULL, or what is wrong in one
 * line, and then nothing has changed; the caller frees that.
 */
char *term_open(struct terminal *t, bool colour);

/* Give it back. More than once does no harm. */
void term_close(struct terminal *t);

/* End as the signal does that asked us to, if one has; after term_close(). */
void term_die(const struct terminal *t);

/*
 * Wait for something to be pressed, at most `ms`. False when nothing was; a signal, too, ends the
 * wait: another size has been taken note of then, and being stopped has been lived through.
 */
bool term_wait(struct terminal *t, int64_t ms);

/* Show what was drawn; see draw_show(). */
void term_show(struct terminal *t, bool cursor);

/* What was pressed; PRESS_NONE: nothing more. */
struct press term_press(void);

/* Forget what was pressed and not read yet. */
void term_forget(void);

#endif
