/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom the daemon becomes, and that one who is nobody else already stays so. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/user.h"
#include "suite.h"

#define NOBODY "nobody" /* is on every system */

static void become_directly(uid_t uid, gid_t gid)
{
    if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        _exit(100);
}

/* In a process of its own: what user_become() says, as a status; `already`: it is nobody before. */
static int become(const char *user, const char *group, bool already)
{
    const struct passwd *pw = getpwnam(NOBODY);
    int status;
    pid_t pid;

    ck_assert_ptr_nonnull(pw);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        uid_t r, e, s;
        uid_t uid = pw->pw_uid;
        int error;

        if (already)
            become_directly(uid, pw->pw_gid);
        error = user_become(user, group);
        if (error == 0 && (getresuid(&r, &e, &s) < 0 || r != uid || e != uid || s != uid))
            _exit(101);
        _exit(-error);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* nobody's own group, by name. */
static const char *own_group(void)
{
    const struct group *gr = getgrgid(getpwnam(NOBODY)->pw_gid);

    ck_assert_ptr_nonnull(gr);
    return gr->gr_name;
}

START_TEST(root_becomes_nobody_for_good)
{
    ck_assert_int_eq(become(NOBODY, NULL, false), 0);
    ck_assert_int_eq(become(NOBODY, own_group(), false), 0);
}
END_TEST

START_TEST(nobody_is_nobody_already)
{
    ck_assert_int_eq(become(NOBODY, NULL, true), 0);
    ck_assert_int_eq(become(NOBODY, own_group(), true), 0);
    ck_assert_int_eq(become(NULL, own_group(), true), 0);
    ck_assert_int_eq(become(NULL, NULL, true), 0);
}
END_TEST

START_TEST(nobody_becomes_nobody_else)
{
    ck_assert_int_eq(become("root", NULL, true), EPERM);
    ck_assert_int_eq(become(NOBODY, "root", true), EPERM);
    ck_assert_int_eq(become(NULL, "root", true), EPERM);
}
END_TEST

START_TEST(who_is_not_there_is_said)
{
    ck_assert_int_eq(user_become("no-such-user", NULL), -ENOENT);
    ck_assert_int_eq(user_become(NULL, "no-such-group"), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("user");
    TCase *tcase = tcase_create("user");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, who_is_not_there_is_said);
    if (geteuid() == 0) { /* only root can be somebody else */
        tcase_add_test(tcase, root_becomes_nobody_for_good);
        tcase_add_test(tcase, nobody_is_nobody_already);
        tcase_add_test(tcase, nobody_becomes_nobody_else);
    }
    return suite_run(suite);
}
