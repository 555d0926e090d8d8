/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top_term.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/top_terminfo.h"

#define ESCAPE_MS 100 /* within which what follows it belongs to it, also over a slow line */

/* --- taking it ---------------------------------------------------------------------------------
 */

/* Blocks are shown where they can be: the console of Linux has no letters for them. */
static bool has_blocks(void)
{
    const char *terminal = getenv("TERM");

    return text_is_utf8() && terminal && strcmp(terminal, "linux") != 0;
}

/* The signals that are waited for together with the terminal, so that none comes in between. */
static bool take_signals(struct terminal *t)
{
    static const int ours[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT};

    sigemptyset(&t->mask);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        sigaddset(&t->mask, ours[i]);
    t->signals = signalfd(-1, &t->mask, SFD_NONBLOCK | SFD_CLOEXEC);
    return t->signals >= 0 && sigprocmask(SIG_BLOCK, &t->mask, &t->was) == 0;
}

static void note_size(struct terminal *t)
{
    getmaxyx(stdscr, t->draw.rows, t->draw.columns);
}

/* Should we end in between (must.h), it is still given back. */
static void leave(void)
{
    if (!isendwin())
        endwin();
}

static void set_up(struct terminal *t, bool colour)
{
    atexit(leave);
    cbreak(); /* Ctrl-C and Ctrl-Z stay signals */
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    intrflush(stdscr, FALSE);
    if (!getenv("ESCDELAY"))
        set_escdelay(ESCAPE_MS);
    curs_set(0);
    t->draw = (struct draw){.utf8 = has_blocks(), .colour = colour && has_colors()};
    if (t->draw.colour)
        draw_colours();
    note_size(t);
}

char *term_open(struct terminal *t, bool colour)
{
    const char *name = getenv("TERM");
    enum terminfo_verdict verdict = terminfo_look();
    char *error;

    *t = (struct terminal){.signals = -1};
    if (verdict != TERMINFO_GOOD)
        return must_print("the terminal (TERM=%s) %s", name ? name : "",
                          verdict == TERMINFO_POOR ? "can't move its cursor" : "is not known here");
    if (!take_signals(t) || !stall_open(&t->stall, &t->ended_by)) {
        error = must_print("signals: %s", strerror(errno));
        term_close(t);
        return error;
    }
    stall_begin(&t->stall);
    t->screen = must(newterm(NULL, stdout, stdin));
    set_up(t, colour);
    stall_end(&t->stall);
    return NULL;
}

/* --- giving it back ----------------------------------------------------------------------------
 */

void term_close(struct terminal *t)
{
    if (t->screen) {
        stall_begin(&t->stall);
        /* Where there is no other screen to go back to, leave an empty one. */
        if (!terminfo_has_other_screen()) {
            erase();
            refresh();
        }
        endwin();
        delscreen(t->screen);
        t->screen = NULL;
    }
    stall_close(&t->stall);
    if (t->signals >= 0) {
        close(t->signals);
        t->signals = -1;
        sigprocmask(SIG_SETMASK, &t->was, NULL);
    }
}

/* Let a signal do what it does without us. */
static void let_it(int number)
{
    sigset_t one, before;

    sigemptyset(&one);
    sigaddset(&one, number);
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void term_die(const struct terminal *t)
{
    if (t->ended_by != 0)
        let_it(t->ended_by);
}

/* --- what comes --------------------------------------------------------------------------------
 */

static void take_size(struct terminal *t)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    note_size(t);
}

static void take_signal(struct terminal *t, int number)
{
    switch (number) {
    case SIGWINCH:
        take_size(t);
        break;
    case SIGTSTP:
        endwin();
        let_it(number);
        break;
    case SIGCONT:
        /* Whatever was done to the terminal meanwhile: begin anew with it. */
        endwin();
        take_size(t);
        clearok(curscr, TRUE);
        break;
    default:
        t->ended_by = number;
    }
}

bool term_wait(struct terminal *t, int64_t ms)
{
    struct pollfd on[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                          {.fd = t->signals, .events = POLLIN}};
    struct signalfd_siginfo info;

    if (poll(on, 2, (int)ms) <= 0)
        return false;
    stall_begin(&t->stall); /* they may have to write */
    while (on[1].revents && read(t->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        take_signal(t, (int)info.ssi_signo);
    stall_end(&t->stall);
    /* A terminal that is gone has nothing to read, ever. */
    if (on[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        t->ended_by = SIGHUP;
    return on[0].revents & POLLIN && t->ended_by == 0;
}

static enum press_kind special(wint_t key)
{
    switch (key) {
    case KEY_ENTER:
        return PRESS_ENTER;
    case KEY_BACKSPACE:
    case KEY_DC:
        return PRESS_BACKSPACE;
    case KEY_UP:
        return PRESS_UP;
    case KEY_DOWN:
        return PRESS_DOWN;
    case KEY_PPAGE:
        return PRESS_PAGE_UP;
    case KEY_NPAGE:
        return PRESS_PAGE_DOWN;
    case KEY_HOME:
        return PRESS_HOME;
    case KEY_END:
        return PRESS_END;
    default:
        return PRESS_OTHER;
    }
}

/* Without arrows: as in the shell's editing of lines. */
static enum press_kind control(wint_t key)
{
    switch (key) {
    case '\r':
    case '\n':
        return PRESS_ENTER;
    case '\033':
        return PRESS_ESCAPE;
    case '\b':
    case 0x7f:
        return PRESS_BACKSPACE;
    case 'P' - '@':
        return PRESS_UP;
    case 'N' - '@':
        return PRESS_DOWN;
    case 'B' - '@':
        return PRESS_PAGE_UP;
    case 'F' - '@':
        return PRESS_PAGE_DOWN;
    case 'A' - '@':
        return PRESS_HOME;
    case 'E' - '@':
        return PRESS_END;
    default:
        return PRESS_OTHER;
    }
}

void term_show(struct terminal *t, bool cursor)
{
    stall_begin(&t->stall);
    draw_show(cursor);
    stall_end(&t->stall);
}

struct press term_press(void)
{
    wint_t key;
    int found = get_wch(&key);

    if (found == ERR)
        return (struct press){.kind = PRESS_NONE};
    if (found == KEY_CODE_YES)
        return (struct press){.kind = special(key)};
    if (key < ' ' || key == 0x7f)
        return (struct press){.kind = control(key)};
    return (struct press){.kind = PRESS_CHARACTER, .character = (wchar_t)key};
}

void term_forget(void)
{
    flushinp();
}
