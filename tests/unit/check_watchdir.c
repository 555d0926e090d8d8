/* SPDX-License-Identifier: BSD-2-Clause */
/* What is heard of the files of a directory. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/watchdir.h"
#include "suite.h"

/* A directory "dir" in a directory of its own, watched; all names are relative to the latter. */
struct place {
    char path[32];
    int fd;
    int number;       /* of "dir" */
    char heard[1024]; /* the names, each with a space behind it; "+" before those just created */
};

static void set_up(struct place *p)
{
    *p = (struct place){.path = "/tmp/penstock-watchdir-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(p->path));
    ck_assert_int_eq(chdir(p->path), 0);
    ck_assert_int_eq(mkdir("dir", 0700), 0);
    p->fd = watchdir_new();
    ck_assert_int_ge(p->fd, 0);
    ck_assert_int_eq(fcntl(p->fd, F_GETFD), FD_CLOEXEC);
    p->number = watchdir_add(p->fd, "dir");
    ck_assert_int_ge(p->number, 0);
}

static void tear_down(struct place *p)
{
    static const char *const names[] = {"dir/a.conf", "dir/b.conf", "dir", "moved", "a.conf"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(names[i]);
    close(p->fd);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(p->path), 0);
}

/* Wants names that end in .conf, and those of directories, which are none. */
static bool note(void *arg, const struct watchdir_news *news)
{
    struct place *p = arg;
    const char *name = news->name;
    size_t used = strlen(p->heard), length = strlen(name);

    ck_assert_int_eq(news->directory, p->number);
    snprintf(p->heard + used, sizeof(p->heard) - used, "%s%s ", news->created ? "+" : "",
             length > 0 ? name : "(self)");
    return length == 0 || (length > 5 && strcmp(name + length - 5, ".conf") == 0);
}

static bool hear(struct place *p)
{
    p->heard[0] = '\0';
    return watchdir_read(p->fd, note, p);
}

static bool is_readable(const struct place *p)
{
    struct pollfd f = {.fd = p->fd, .events = POLLIN};

    return poll(&f, 1, 0) == 1;
}

static void save(const char *name)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs("x", f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(each_way_to_save_is_heard)
{
    struct place p;

    set_up(&p);
    ck_assert(!hear(&p));
    save("dir/a.conf");
    ck_assert(is_readable(&p));
    ck_assert(hear(&p));
    ck_assert_str_eq(p.heard, "+a.conf a.conf "); /* made, and written */
    ck_assert(!is_readable(&p));
    save("dir/a.conf"); /* in place */
    ck_assert(hear(&p));
    ck_assert_str_eq(p.heard, "a.conf ");
    save("a.conf"); /* elsewhere, and renamed over it */
    ck_assert(!hear(&p));
    ck_assert_int_eq(rename("a.conf", "dir/a.conf"), 0);
    ck_assert(hear(&p));
    ck_assert_int_eq(symlink("a.conf", "dir/b.conf"), 0);
    ck_assert(hear(&p));
    ck_assert_str_eq(p.heard, "+b.conf ");
    ck_assert_int_eq(unlink("dir/b.conf"), 0);
    ck_assert(hear(&p));
    ck_assert_int_eq(rename("dir/a.conf", "a.conf"), 0); /* out of it */
    ck_assert(hear(&p));
    tear_down(&p);
}
END_TEST

START_TEST(what_is_not_wanted_is_read_and_forgotten)
{
    struct place p;

    set_up(&p);
    save("dir/.a.conf.swp");
    ck_assert_int_eq(unlink("dir/.a.conf.swp"), 0);
    ck_assert(!hear(&p));
    ck_assert_ptr_nonnull(strstr(p.heard, ".a.conf.swp"));
    ck_assert(!is_readable(&p));
    /* One that is wanted among others that are not, whatever its place. */
    save("dir/b");
    save("dir/a.conf");
    ck_assert_int_eq(unlink("dir/b"), 0);
    ck_assert(hear(&p));
    tear_down(&p);
}
END_TEST

START_TEST(reading_a_file_is_no_news)
{
    struct place p;
    int fd;

    set_up(&p);
    save("dir/a.conf");
    ck_assert(hear(&p));
    fd = open("dir/a.conf", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert(!is_readable(&p));
    tear_down(&p);
}
END_TEST

START_TEST(added_twice_is_heard_once)
{
    struct place p;

    set_up(&p);
    ck_assert_int_eq(watchdir_add(p.fd, "dir"), p.number);
    ck_assert_int_eq(symlink("x", "dir/a.conf"), 0);
    ck_assert(hear(&p));
    ck_assert_str_eq(p.heard, "+a.conf ");
    tear_down(&p);
}
END_TEST

START_TEST(a_directory_that_is_replaced_is_watched_again)
{
    struct place p;

    set_up(&p);
    ck_assert_int_eq(rename("dir", "moved"), 0);
    ck_assert(hear(&p));
    ck_assert_str_eq(p.heard, "(self) ");
    ck_assert_int_eq(watchdir_add(p.fd, "dir"), -ENOENT);
    /* It is not followed to its new name. */
    hear(&p);
    save("moved/a.conf");
    ck_assert(!is_readable(&p));
    ck_assert_int_eq(unlink("moved/a.conf"), 0);
    ck_assert_int_eq(mkdir("dir", 0700), 0);
    p.number = watchdir_add(p.fd, "dir");
    ck_assert_int_ge(p.number, 0);
    save("dir/a.conf");
    ck_assert(hear(&p));
    ck_assert_int_eq(unlink("dir/a.conf"), 0);
    ck_assert(hear(&p));
    ck_assert_int_eq(rmdir("dir"), 0);
    ck_assert(hear(&p));
    ck_assert_str_eq(p.heard, "(self) ");
    tear_down(&p);
}
END_TEST

START_TEST(lost_news_count_as_wanted)
{
    FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    unsigned most = 0;
    struct place p;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%u", &most), 1);
    fclose(f);
    if (most > 1000000)
        return; /* would take long; the usual is 16384 */
    set_up(&p);
    /* By turns, as equal news in a row are told once. */
    for (unsigned i = 0; i <= most / 2; i++) {
        ck_assert_int_eq(symlink("x", "dir/x"), 0);
        ck_assert_int_eq(unlink("dir/x"), 0);
    }
    p.heard[0] = '\0';
    ck_assert(watchdir_read(p.fd, note, &p));
    ck_assert_ptr_null(strstr(p.heard, ".conf"));
    tear_down(&p);
}
END_TEST

START_TEST(what_is_no_directory_is_an_error)
{
    struct place p;

    set_up(&p);
    save("a.conf");
    ck_assert_int_eq(watchdir_add(p.fd, "a.conf"), -ENOTDIR);
    ck_assert_int_eq(watchdir_add(p.fd, "nowhere"), -ENOENT);
    tear_down(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watchdir");
    TCase *tcase = tcase_create("watchdir");

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, each_way_to_save_is_heard);
    tcase_add_test(tcase, what_is_not_wanted_is_read_and_forgotten);
    tcase_add_test(tcase, reading_a_file_is_no_news);
    tcase_add_test(tcase, added_twice_is_heard_once);
    tcase_add_test(tcase, a_directory_that_is_replaced_is_watched_again);
    tcase_add_test(tcase, lost_news_count_as_wanted);
    tcase_add_test(tcase, what_is_no_directory_is_an_error);
    return suite_run(suite);
}
