/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/top.h"

/* Keys, and what they are for; without keys a title. */
static const char *const lines[][2] = {
    {"", "MOVING"},
    {"Up Down", "a row (also Ctrl-P, Ctrl-N)"},
    {"PgUp PgDn", "a page (also Ctrl-B, Ctrl-F)"},
    {"Home End", "to either end (also Ctrl-A, Ctrl-E)"},
    {"Enter", "the sessions of the rule; Esc or q goes back"},
    {"", "SEEING"},
    {"/", "filter by any text in a row; Enter keeps it, Esc clears it"},
    {"c n s f i o ...", "sort by what the line below the table says; R reverses"},
    {"Space", "freeze the picture, and go on"},
    {"", "CHANGING, with a question first that only y answers with yes"},
    {"k", "end the session, or all sessions of the rule"},
    {"p", "pause the rule, or let it take clients again"},
    {"r", "reload the config"},
    {"", "COLUMNS"},
    {"IN/s OUT/s", "bytes a second from clients and to them (K is 1024)"},
    {"TRAFFIC", "both, look by look, each row as high as its own most"},
    {"UPSTREAM", "ok, or how many could not reach it in the last 60 looks"},
};

void help_draw(const struct top *t)
{
    const struct draw *d = &t->term.draw;

    draw_print(d, 0, 0, d->columns, INK_STRONG, "penstock top, see penstock(1)");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        bool is_title = lines[i][0][0] == '\0';
        int row = 2 + (int)i;

        draw_text(d, row, 2, 16, INK_STRONG, lines[i][0]);
        draw_text(d, row, is_title ? 1 : 18, d->columns, is_title ? INK_STRONG : INK_PLAIN,
                  lines[i][1]);
    }
    draw_clear(d, d->rows - 1);
    draw_text(d, d->rows - 1, 1, d->columns, INK_STRONG, "q ends top. Any key closes this.");
}
