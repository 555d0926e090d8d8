/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may change things. */
#include "config.h"

#include <grp.h>

#include "http_world.h"
#include "suite.h"

/* Answer who it is that asks, and whether he may. */
static struct answer *serve(void *arg, struct request *rq)
{
    const struct http_world *w = arg;
    pid_t pid = 0;
    uid_t uid = 0;
    char text[64];

    if (request_peer(rq, &pid, &uid))
        ck_assert_int_eq(pid, getpid());
    else
        ck_assert(!w->server.is_local);
    snprintf(text, sizeof(text), "<%s %u>", request_may_steer(rq) ? "may" : "may not", uid);
    return text_answer(200, text);
}

static void ask(struct http_world *w, struct client *c)
{
    client_open(w, c);
    client_send(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
}

static void tear_down(struct http_world *w)
{
    http_await_nobody(w);
    http_world_end(w);
}

struct who {
    uid_t uid;
    gid_t gid;
    gid_t also; /* a supplementary group; 0: none */
    bool may;
};

/* The kernel remembers who connected, whatever becomes of it later. */
static void try_who(struct http_world *w, const struct who *who)
{
    struct client c;

    ck_assert_int_eq(setgroups(who->also != 0, &who->also), 0);
    ck_assert_int_eq(setegid(who->gid), 0);
    ck_assert_int_eq(seteuid(who->uid), 0);
    ask(w, &c);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    ck_assert_int_eq(setgroups(0, NULL), 0);
    client_await(w, &c, ">", 1);
    ck_assert_msg((strstr(c.text, "<may ") && !strstr(c.text, "<may not")) == who->may,
                  "%u %u %u: %s", who->uid, who->gid, who->also, c.text);
    client_close(&c);
}

static const struct who those[] = {
    {.uid = 0, .gid = 0, .may = true},
    {.uid = 1000, .gid = 1000, .may = true},
    {.uid = 1001, .gid = 1000, .may = false},
    {.uid = 1001, .gid = 1001, .may = false},
    {.uid = 1001, .gid = 50, .may = true},
    {.uid = 1001, .gid = 1001, .also = 50, .may = true},
    {.uid = 1001, .gid = 1001, .also = 51, .may = false},
};

START_TEST(root_the_owner_and_the_group_may_steer)
{
    struct http_world w;

    if (geteuid() != 0 || !http_world_on_way(&w, _i))
        return;
    w.server.owner = 1000;
    w.server.group = 50;
    w.server.group_may = true;
    http_world_listen(&w, serve, &w);
    for (size_t i = 0; i < COUNT_OF(those); i++) {
        struct who who = those[i];

        who.may &= w.server.is_local;
        try_who(&w, &who);
    }
    tear_down(&w);
}
END_TEST

START_TEST(the_group_may_not_unless_the_mode_says_so)
{
    struct http_world w;

    if (geteuid() != 0 || !http_world_on_way(&w, _i))
        return;
    w.server.owner = 1000;
    w.server.group = 50;
    http_world_listen(&w, serve, &w);
    for (size_t i = 0; i < COUNT_OF(those); i++) {
        struct who who = those[i];

        who.may &= w.server.is_local && who.gid != 50 && who.also != 50;
        try_who(&w, &who);
    }
    tear_down(&w);
}
END_TEST

/* Who the server itself runs as. */
START_TEST(the_servers_own_user_may_steer)
{
    struct http_world w;
    struct client c;

    if (!http_world_on_way(&w, _i))
        return;
    if (geteuid() == 0)
        ck_assert_int_eq(setuid(1002), 0);
    http_world_listen(&w, serve, &w);
    ask(&w, &c);
    client_await(&w, &c, ">", 1);
    ck_assert_ptr_nonnull(strstr(c.text, w.server.is_local ? "<may 1002>" : "<may not 0>"));
    client_close(&c);
    tear_down(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        root_the_owner_and_the_group_may_steer,
        the_group_may_not_unless_the_mode_says_so,
        the_servers_own_user_may_steer,
    };

    return suite_run(http_suite("http rights", tests, COUNT_OF(tests)));
}
