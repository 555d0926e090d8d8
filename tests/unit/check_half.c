/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Half-close, every state with every event. The whole table is made, held against what must be true
 * of any such machine, and against the copy that doc/ARCHITECTURE.md shows.
 */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/half.h"
#include "suite.h"

#define CODES (DIR_STATES * DIR_STATES * PHASE_STATES)

static struct half decode(int code)
{
    return (struct half){
        .dir = {(uint8_t)(code % DIR_STATES), (uint8_t)(code / DIR_STATES % DIR_STATES)},
        .phase = (uint8_t)(code / DIR_STATES / DIR_STATES)};
}

static int encode(const struct half *h)
{
    return h->dir[CLIENT] + DIR_STATES * (h->dir[UPSTREAM] + DIR_STATES * h->phase);
}

static bool is_final(const struct half *h)
{
    return h->phase == PHASE_CLOSED || h->phase == PHASE_RESET;
}

/* Every state that can be reached from a fresh connection. */
static void reach(bool *reached, int code)
{
    if (reached[code])
        return;
    reached[code] = true;
    for (int e = 0; e < HALF_EVENTS; e++) {
        struct half h = decode(code);

        if (!(half_step(&h, (enum half_event)e) & ACT_INVALID))
            reach(reached, encode(&h));
    }
}

static const char *const dir_names[] = {"open", "ended", "shut"};
static const char *const phase_names[] = {"relaying", "flushing client", "flushing upstream",
                                          "closed", "reset"};
static const char *const event_names[] = {"client FIN",      "upstream FIN", "client's sent",
                                          "upstream's sent", "client RST",   "upstream RST",
                                          "settled",         "timeout"};
static const struct {
    unsigned action;
    const char *name;
} action_names[] = {
    {ACT_SHUT_CLIENT, "shut client"},
    {ACT_SHUT_UPSTREAM, "shut upstream"},
    {ACT_DROP_CLIENT, "drop for client"},
    {ACT_DROP_UPSTREAM, "drop for upstream"},
    {ACT_SETTLE, "settle"},
    {ACT_CLOSE, "close both"},
    {ACT_RESET, "reset both"},
};

static void print_state(char *out, size_t size, const struct half *h)
{
    if (is_final(h))
        snprintf(out, size, "%s", phase_names[h->phase]);
    else
        snprintf(out, size, "%s: %s/%s", phase_names[h->phase], dir_names[h->dir[CLIENT]],
                 dir_names[h->dir[UPSTREAM]]);
}

static void print_actions(char *out, size_t size, unsigned actions)
{
    size_t used = 0;

    snprintf(out, size, "-");
    for (size_t i = 0; i < sizeof(action_names) / sizeof(*action_names); i++) {
        if (actions & action_names[i].action)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
                                     action_names[i].name);
    }
}

/* One row of the table; false for an event that can't happen in this state. */
static bool print_row(char *out, size_t size, int code, int event)
{
    struct half from = decode(code), to = from;
    unsigned actions = half_step(&to, (enum half_event)event);
    char before[64], after[64], todo[128];

    if (actions & ACT_INVALID)
        return false;
    print_state(before, sizeof(before), &from);
    print_state(after, sizeof(after), &to);
    print_actions(todo, sizeof(todo), actions);
    snprintf(out, size, "| %s | %s | %s | %s |", before, event_names[event], after, todo);
    return true;
}

static char *read_architecture(void)
{
    const char *top = getenv("top_srcdir");
    char path[4096];
    FILE *f;
    char *text = calloc(1, 1 << 20);

    snprintf(path, sizeof(path), "%s/doc/ARCHITECTURE.md", top ? top : ".");
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s cannot be opened", path);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, f), 0);
    fclose(f);
    return text;
}

/* `check_half --print` prints the table, for the page. */
static int print_table(void)
{
    bool reached[CODES] = {false};
    char row[512];

    reach(reached, 0);
    puts("| state (client/upstream) | event | becomes | to do |\n|---|---|---|---|");
    for (int code = 0; code < CODES; code++) {
        for (int e = 0; e < HALF_EVENTS; e++) {
            if (reached[code] && print_row(row, sizeof(row), code, e))
                puts(row);
        }
    }
    return EXIT_SUCCESS;
}

START_TEST(the_page_shows_every_row)
{
    bool reached[CODES] = {false};
    char *page = read_architecture();
    char row[512];
    int rows = 0;

    reach(reached, 0);
    for (int code = 0; code < CODES; code++) {
        for (int e = 0; e < HALF_EVENTS; e++) {
            if (!reached[code] || !print_row(row, sizeof(row), code, e))
                continue;
            ck_assert_msg(strstr(page, row) != NULL, "not in doc/ARCHITECTURE.md: %s", row);
            rows++;
        }
    }
    ck_assert_int_gt(rows, 40);
    free(page);
}
END_TEST

/* Every state but the final two has a way to end, and nothing happens in a final one. */
START_TEST(every_state_ends)
{
    bool reached[CODES] = {false};

    reach(reached, 0);
    for (int code = 0; code < CODES; code++) {
        struct half h = decode(code);

        if (!reached[code])
            continue;
        if (is_final(&h)) {
            for (int e = 0; e < HALF_EVENTS; e++) {
                struct half same = h;

                ck_assert_uint_eq(half_step(&same, (enum half_event)e), ACT_INVALID);
                ck_assert_int_eq(encode(&same), code);
            }
            continue;
        }
        ck_assert_uint_eq(half_step(&h, EVENT_TIMEOUT), ACT_RESET);
        ck_assert_int_eq(h.phase, PHASE_RESET);
    }
}
END_TEST

/* A reset of either side, in any state, ends with both reset and never with a clean close. */
START_TEST(a_reset_is_never_closed_cleanly)
{
    bool reached[CODES] = {false};

    reach(reached, 0);
    for (int code = 0; code < CODES; code++) {
        struct half before = decode(code);

        if (!reached[code] || before.phase == PHASE_RELAYING)
            continue;
        for (int e = 0; e < HALF_EVENTS; e++) {
            struct half h = before;
            unsigned actions = half_step(&h, (enum half_event)e);

            ck_assert_uint_eq(actions & (ACT_CLOSE | ACT_SHUT_CLIENT | ACT_SHUT_UPSTREAM), 0);
            ck_assert(h.phase != PHASE_CLOSED || before.phase == PHASE_CLOSED);
            ck_assert(h.phase != PHASE_RELAYING);
        }
    }
}
END_TEST

/* FIN goes on exactly once, after the bytes before it; the second one closes. */
START_TEST(a_fin_is_passed_on_after_the_bytes)
{
    for (enum side first = CLIENT; first <= UPSTREAM; first++) {
        enum side second = other_side(first);
        struct half h = {0};

        ck_assert(half_reads(&h, first));
        ck_assert_uint_eq(half_step(&h, half_on(EVENT_FIN_CLIENT, first)), 0);
        ck_assert(!half_reads(&h, first));
        ck_assert(half_is_closing(&h));
        ck_assert_uint_eq(half_step(&h, half_on(EVENT_SENT_CLIENT, first)),
                          first == CLIENT ? ACT_SHUT_UPSTREAM : ACT_SHUT_CLIENT);
        ck_assert(half_reads(&h, second));
        ck_assert_uint_eq(half_step(&h, half_on(EVENT_FIN_CLIENT, second)), 0);
        ck_assert_uint_eq(half_step(&h, half_on(EVENT_SENT_CLIENT, second)), ACT_CLOSE);
        ck_assert_int_eq(h.phase, PHASE_CLOSED);
    }
}
END_TEST

/* What a side sent before it was reset is still delivered; what was meant for it is dropped. */
START_TEST(a_reset_side_is_read_to_its_end)
{
    for (enum side dead = CLIENT; dead <= UPSTREAM; dead++) {
        struct half h = {0};

        ck_assert_uint_eq(half_step(&h, half_on(EVENT_RST_CLIENT, dead)),
                          dead == CLIENT ? ACT_DROP_CLIENT : ACT_DROP_UPSTREAM);
        ck_assert(half_reads(&h, dead));
        ck_assert(!half_reads(&h, other_side(dead)));
        ck_assert_uint_eq(half_step(&h, half_on(EVENT_RST_CLIENT, dead)), 0);
        ck_assert_uint_eq(half_step(&h, half_on(EVENT_FIN_CLIENT, dead)), 0);
        ck_assert_uint_eq(half_step(&h, half_on(EVENT_SENT_CLIENT, dead)), ACT_SETTLE);
        ck_assert_uint_eq(half_step(&h, EVENT_SETTLED), ACT_RESET);
    }
}
END_TEST

/* After its FIN was passed on there is nothing left of it to deliver: only the kernel may still
 * hold some. */
START_TEST(a_reset_after_the_fin_settles_at_once)
{
    struct half h = {.dir = {DIR_SHUT, DIR_OPEN}};

    ck_assert_uint_eq(half_step(&h, EVENT_RST_CLIENT), ACT_DROP_CLIENT | ACT_SETTLE);
    ck_assert_int_eq(h.phase, PHASE_FLUSHING_UPSTREAM);
    ck_assert_uint_eq(half_step(&h, EVENT_RST_UPSTREAM), ACT_RESET);
}
END_TEST

START_TEST(impossible_events_change_nothing)
{
    struct half h = {0};

    ck_assert_uint_eq(half_step(&h, EVENT_SENT_CLIENT), ACT_INVALID);
    ck_assert_uint_eq(half_step(&h, EVENT_SETTLED), ACT_INVALID);
    ck_assert_uint_eq(half_step(&h, HALF_EVENTS), ACT_INVALID);
    ck_assert_int_eq(encode(&h), 0);
    ck_assert_uint_eq(half_step(&h, EVENT_FIN_CLIENT), 0);
    ck_assert_uint_eq(half_step(&h, EVENT_FIN_CLIENT), ACT_INVALID);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("half");
    TCase *tcase = tcase_create("half");

    if (argc > 1 && strcmp(argv[1], "--print") == 0)
        return print_table();
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, the_page_shows_every_row);
    tcase_add_test(tcase, every_state_ends);
    tcase_add_test(tcase, a_reset_is_never_closed_cleanly);
    tcase_add_test(tcase, a_fin_is_passed_on_after_the_bytes);
    tcase_add_test(tcase, a_reset_side_is_read_to_its_end);
    tcase_add_test(tcase, a_reset_after_the_fin_settles_at_once);
    tcase_add_test(tcase, impossible_events_change_nothing);
    return suite_run(suite);
}
