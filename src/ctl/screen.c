/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/must.h"

#define USUAL_COLUMNS 80
#define USUAL_ROWS    24

void screen_init(struct screen *s, bool json, bool no_color)
{
    const char *wish = getenv("NO_COLOR"), *terminal = getenv("TERM");
    bool is_terminal = isatty(STDOUT_FILENO) == 1;

    *s = (struct screen){
        .to = stdout,
        .is_terminal = is_terminal,
        .colour = is_terminal && !no_color && !(wish && wish[0]) &&
                  !(terminal && strcmp(terminal, "dumb") == 0),
        .json = json,
    };
}

static struct winsize terminal_size(void)
{
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_col = USUAL_COLUMNS, .ws_row = USUAL_ROWS};
    return size;
}

unsigned screen_rows(const struct screen *s)
{
    return s->is_terminal && !s->json ? terminal_size().ws_row : 0;
}

void screen_table(struct screen *s, struct table *t)
{
    table_print(t, s->to, s->is_terminal ? terminal_size().ws_col : 0, s->colour);
    table_end(t);
}

void screen_json(struct screen *s, const json_t *json)
{
    /* On a terminal nothing but ASCII, so that no text in it can do anything there. */
    size_t flags = s->is_terminal ? JSON_INDENT(2) | JSON_ENSURE_ASCII : JSON_COMPACT;
    char *text = must(json_dumps(json, flags));

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == 0x7f)
            fputs("\\u007f", s->to);
        else
            fputc(*p, s->to);
    }
    fputc('\n', s->to);
    free(text);
}

void screen_begin(struct screen *s)
{
    s->to = must(open_memstream(&s->frame, &s->frame_size));
}

/* Write over what was there, each line to its end, then clear the rest: that does not flicker. */
static void show_over(const char *frame)
{
    unsigned rows = terminal_size().ws_row;
    const char *end;

    fputs("\033[H", stdout);
    for (unsigned row = 1; row < rows && (end = strchr(frame, '\n')); row++, frame = end + 1)
        printf("%.*s\033[K\n", (int)(end - frame), frame);
    fputs("\033[J", stdout);
}

void screen_show(struct screen *s)
{
    fclose(s->to);
    must(s->frame);
    s->to = stdout;
    if (s->is_terminal && !s->json)
        show_over(s->frame);
    else
        fputs(s->frame, stdout);
    free(s->frame);
    s->frame = NULL;
}

bool screen_flush(struct screen *s)
{
    if (fflush(s->to) == 0 && !ferror(s->to))
        return true;
    if (errno != EPIPE)
        perror("penstock: standard output");
    return false;
}
