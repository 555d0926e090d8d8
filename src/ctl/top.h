/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `penstock top` is while it runs. The parts, each with a file of its own:
 *
 *   top_fetch.c     asks the daemon
 *   top_keys.c      what is pressed, and what comes of it
 *   top_ask.c       questions before something is changed, and the changes
 *   top_head.c      draws what is above and below the table
 *   top_table.c     draws a table
 *   top_view_*.c    what is in the tables
 *   top_help.c      draws the help
 *
 * Pure, and tested without a terminal: top_rules.c and top_sessions.c (what the daemon says),
 * top_list.c, top_layout.c and top_text.c. top_term.c and top_draw.c know ncurses, and top_stall.c a
 * terminal that takes nothing.
 */
#ifndef PENSTOCK_CTL_TOP_H
#define PENSTOCK_CTL_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl.h"
#include "ctl/top_list.h"
#include "ctl/top_rules.h"
#include "ctl/top_sessions.h"
#include "ctl/top_term.h"

#define FILTER_MAX 128

/* One of the two tables: which of its rows are seen, and how. */
struct top_pane {
    struct top_list list;
    char filter[FILTER_MAX];
    bool typing; /* the filter */
    int sort;    /* enum rules_sort or sessions_sort */
    bool reverse;
};

enum ask_kind { ASK_NOTHING, ASK_KILL, ASK_KILL_RULE, ASK_PAUSE, ASK_RESUME, ASK_RELOAD };

/* What is asked before it is done. */
struct top_ask {
    enum ask_kind kind;
    char *rule; /* NULL: it is about none */
    int64_t id; /* of a session */
};

struct top {
    struct client *client;
    struct terminal term;
    int64_t every_ms, next_ms; /* looks at the daemon, and when the next is due */
    json_t *status;            /* what it said last; NULL before that */
    char *away;                /* why it doesn't answer; NULL: it does */
    struct top_rules rules;
    struct top_pane rules_pane;
    char *picked;      /* the rule that was picked by hand; NULL: none */
    int64_t picked_id; /* the session that was; 0: none */
    char *of;          /* the rule whose sessions are shown; NULL: the rules are */
    struct top_sessions sessions;
    struct top_pane sessions_pane;
    struct top_ask ask;
    char *message; /* until the next key; NULL: none */
    bool message_is_bad;
    bool helping, frozen, done;
};

/* A key that sorts a table. */
struct top_sort {
    wchar_t key;
    int sort;
    const char *word;
};

/* Of the table that is shown; ends with key 0. The first is how it begins. */
const struct top_sort *top_sorts(const struct top *t);

/* The pane that is shown. */
struct top_pane *top_pane(struct top *t);

/* Ask the daemon how it is. Returns an enum STATUS_*; `away` says why it isn't STATUS_OK. */
int top_fetch(struct top *t);

/* Put the table that is shown in order again; what is picked stays so, wherever it goes. */
void top_arrange(struct top *t);

/* What is picked; NULL when nothing is. */
const struct top_rule *top_picked_rule(const struct top *t);
const struct top_session *top_picked_session(const struct top *t);

/* Do what a key is for. */
void top_press(struct top *t, struct press press);

/* Begin a question; answer it by a key. */
void ask_begin(struct top *t, enum ask_kind kind, const char *rule, int64_t id);
void ask_answer(struct top *t, struct press press);

/* Another daemon answers: what was asked about a session of the one before is void. */
void ask_withdraw(struct top *t);

/* The question that is asked; the caller frees it. */
char *ask_text(const struct top *t);

/* Say something in the line for that. */
void top_say(struct top *t, bool is_bad, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Is the terminal too small for anything but to say so? */
bool top_is_small(const struct top *t);

/* Draw all of it. */
void top_draw(struct top *t);

/* Its parts: from a row on; the row behind them is returned. */
int head_draw(const struct top *t, int row);
void foot_draw(struct top *t);
int head_rule_draw(const struct top *t, int row, const struct top_rule *rule);
void rules_draw(struct top *t, int row, int rows);
void sessions_draw(struct top *t, int row, int rows);
void help_draw(const struct top *t);

#endif
