/* SPDX-License-Identifier: BSD-2-Clause */
/* What is pressed, and what comes of it. */
#include "config.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "ctl/must.h"
#include "ctl/top.h"

static const struct top_sort rules_sorts[] = {
    {L'c', RULES_AS_CONFIGURED, "config"},
    {L'n', RULES_BY_NAME, "name"},
    {L's', RULES_BY_SESSIONS, "sessions"},
    {L'f', RULES_BY_FULLNESS, "full"},
    {L'i', RULES_BY_IN, "in"},
    {L'o', RULES_BY_OUT, "out"},
    {L'x', RULES_BY_REFUSED, "refused"},
    {L'u', RULES_BY_FAILED, "upstream"},
    {.key = 0},
};

static const struct top_sort sessions_sorts[] = {
    {L'c', SESSIONS_BY_ID, "id"},      {L'a', SESSIONS_BY_AGE, "age"},
    {L'i', SESSIONS_BY_IDLE, "idle"},  {L'b', SESSIONS_BY_BYTES, "bytes"},
    {L's', SESSIONS_BY_RATE, "speed"}, {.key = 0},
};

const struct top_sort *top_sorts(const struct top *t)
{
    return t->of ? sessions_sorts : rules_sorts;
}

void top_say(struct top *t, bool is_bad, const char *format, ...)
{
    va_list args;

    free(t->message);
    t->message = NULL;
    t->message_is_bad = is_bad;
    va_start(args, format);
    if (format && vasprintf(&t->message, format, args) < 0)
        must(NULL);
    va_end(args);
}

/* --- the filter --------------------------------------------------------------------------------
 */

/* What is filtered has changed. */
static void refilter(struct top *t)
{
    top_arrange(t);
    t->next_ms = 0; /* the daemon may know more */
}

static void add_character(struct top_pane *p, wchar_t c)
{
    char bytes[MB_LEN_MAX];
    mbstate_t state = {0};
    size_t length = wcrtomb(bytes, c, &state), used = strlen(p->filter);

    if (length == (size_t)-1 || used + length >= sizeof(p->filter))
        return;
    memcpy(p->filter + used, bytes, length);
    p->filter[used + length] = '\0';
}

/* The last character goes, whatever bytes it has. */
static void remove_character(struct top_pane *p)
{
    size_t length = strlen(p->filter);

    while (length > 0 && (p->filter[--length] & 0xc0) == 0x80)
        ;
    p->filter[length] = '\0';
}

static void press_typing(struct top *t, struct press press)
{
    struct top_pane *p = top_pane(t);

    if (press.kind == PRESS_CHARACTER)
        add_character(p, press.character);
    else if (press.kind == PRESS_BACKSPACE)
        remove_character(p);
    else if (press.kind == PRESS_ESCAPE)
        p->filter[0] = '\0';
    else if (list_press(&p->list, press.kind))
        return;
    p->typing = press.kind != PRESS_ENTER && press.kind != PRESS_ESCAPE;
    refilter(t);
}

/* --- from table to table -----------------------------------------------------------------------
 */

static void open_sessions(struct top *t)
{
    const struct top_rule *rule = top_picked_rule(t);

    if (t->of || !rule)
        return;
    t->of = must(strdup(rule->name));
    sessions_free(&t->sessions);
    t->sessions_pane = (struct top_pane){.list.rows = t->rules_pane.list.rows};
    t->picked_id = 0;
    top_fetch(t);
}

static void close_sessions(struct top *t)
{
    free(t->of);
    t->of = NULL;
    sessions_free(&t->sessions);
    top_arrange(t);
}

/* One step back: the filter first, then the table. */
static void go_back(struct top *t)
{
    struct top_pane *p = top_pane(t);

    if (p->filter[0] != '\0') {
        p->filter[0] = '\0';
        refilter(t);
    } else if (t->of) {
        close_sessions(t);
    }
}

/* What is picked by hand stays picked. */
static void note_picked(struct top *t)
{
    const struct top_rule *rule = top_picked_rule(t);
    const struct top_session *session = top_picked_session(t);

    if (t->of) {
        t->picked_id = session ? session->id : 0;
        return;
    }
    free(t->picked);
    t->picked = rule ? must(strdup(rule->name)) : NULL;
}

static bool press_move(struct top *t, struct press press)
{
    struct top_list *list = &top_pane(t)->list;
    bool to_end = press.kind == PRESS_END && t->of && t->sessions.more;

    if (to_end) {
        list->at = SESSIONS_MOST;
        t->picked_id = 0;
        top_fetch(t);
    } else if (!list_press(list, press.kind)) {
        return false;
    }
    note_picked(t);
    /* Those that are seen next are to be there. */
    if (t->of && t->sessions.more && list->at + 2 * list->rows > t->sessions.count &&
        t->sessions.count < SESSIONS_MOST)
        t->next_ms = 0;
    return true;
}

/* --- commands ----------------------------------------------------------------------------------
 */

static bool press_sort(struct top *t, wchar_t key)
{
    struct top_pane *p = top_pane(t);
    const struct top_sort *s = top_sorts(t);

    while (s->key != 0 && s->key != key)
        s++;
    if (s->key == 0 && key != L'R')
        return false;
    p->reverse = key == L'R' ? !p->reverse : false;
    p->sort = s->key != 0 ? s->sort : p->sort;
    top_arrange(t);
    t->next_ms = 0; /* others may be the first ones now */
    return true;
}

static void ask_kill(struct top *t)
{
    const struct top_session *session = top_picked_session(t);
    const struct top_rule *rule = top_picked_rule(t);

    if (session)
        ask_begin(t, ASK_KILL, t->of, session->id);
    else if (!t->of && rule && rule->sessions > 0)
        ask_begin(t, ASK_KILL_RULE, rule->name, 0);
    else
        top_say(t, false, "There is no session to end.");
}

static void ask_pause(struct top *t)
{
    const struct top_rule *rule = top_picked_rule(t);

    if (!rule)
        top_say(t, false, "There is no rule to pause.");
    else if (rule->is_removed)
        top_say(t, false, "%s is removed: it takes no clients any more.", rule->label);
    else
        ask_begin(t, rule->takes_clients ? ASK_PAUSE : ASK_RESUME, rule->name, 0);
}

static void freeze(struct top *t)
{
    t->frozen = !t->frozen;
    t->next_ms = 0;
}

static void quit(struct top *t)
{
    if (t->of)
        close_sessions(t);
    else
        t->done = true;
}

static void press_command(struct top *t, wchar_t key)
{
    switch (key) {
    case L'q':
        quit(t);
        break;
    case L'Q':
        t->done = true;
        break;
    case L'?':
    case L'h':
        t->helping = true;
        break;
    case L'/':
        top_pane(t)->typing = true;
        break;
    case L' ':
        freeze(t);
        break;
    case L'k':
        ask_kill(t);
        break;
    case L'p':
        ask_pause(t);
        break;
    case L'r':
        ask_begin(t, ASK_RELOAD, NULL, 0);
        break;
    default:
        press_sort(t, key);
    }
}

void top_press(struct top *t, struct press press)
{
    top_say(t, false, NULL);
    if (top_is_small(t)) /* nobody sees what would come of it */
        t->done = press.character == L'q' || press.character == L'Q';
    else if (t->helping)
        t->helping = false;
    else if (t->ask.kind != ASK_NOTHING)
        ask_answer(t, press);
    else if (top_pane(t)->typing)
        press_typing(t, press);
    else if (press.kind == PRESS_CHARACTER)
        press_command(t, press.character);
    else if (press.kind == PRESS_ENTER)
        open_sessions(t);
    else if (press.kind == PRESS_ESCAPE)
        go_back(t);
    else
        press_move(t, press);
}
