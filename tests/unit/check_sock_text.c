/* SPDX-License-Identifier: BSD-2-Clause */
/* What sockets are called, also by others that hold them. */
#include "config.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "conf/conf.h"
#include "sock_ends.h"
#include "suite.h"

/* --- identity --------------------------------------------------------------------------------- */

/* An inode would do for the rest of the test, and is no identity: its number comes round. */
static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof(cookie);

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
    ck_assert_uint_ne(cookie, 0);
    return cookie;
}

START_TEST(duplicates_are_one_socket)
{
    struct ends e = connect_ends(TCP);
    uint64_t near = 0, duplicate = 0, peer = 0;
    int fds[2];

    ck_assert_int_eq(sock_id(e.near, &near), 0);
    ck_assert_int_eq(sock_id(e.duplicate, &duplicate), 0);
    ck_assert_int_eq(sock_id(e.peer, &peer), 0);
    ck_assert_uint_eq(near, duplicate);
    ck_assert_uint_ne(near, peer);
    ck_assert_uint_eq(near, cookie_of(e.near));
    ck_assert_uint_eq(peer, cookie_of(e.peer));
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(sock_id(fds[0], &near), -ENOTSOCK);
    close(fds[0]);
    ck_assert_int_eq(sock_id(fds[0], &near), -EBADF);
}
END_TEST

/* --- the text --------------------------------------------------------------------------------- */

static bool has_ipv6(void)
{
    struct addr loopback = {.family = AF_INET6, .v6 = in6addr_loopback};
    int fd = sock_listen(&loopback, 0, false, NULL);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* A port that is free in both families. */
static unsigned free_port(void)
{
    struct addr any = {.family = has_ipv6() ? AF_INET6 : AF_INET}, bound;
    int fd = sock_listen(&any, 0, true, NULL);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(sock_check_listening(fd, &bound), 0);
    close(fd);
    return bound.port;
}

/* Listen where the config says, and see that the socket has the config's name for it. False when
 * somebody else has the port. */
static bool has_text_of_config(const char *listen)
{
    char text[512], out[ADDR_TEXT_MAX];
    struct conf_errors errors;
    struct conf *conf;
    int fd;

    snprintf(text, sizeof(text),
             "rules = { r = { listen = \"%s\"; upstream = \"192.0.2.1:1\"; }; };", listen);
    conf = conf_load_text("c", text, strlen(text), &errors);
    ck_assert_msg(conf && errors.count == 0, "%s", listen);
    const struct conf_listen *l = &conf->rules[0].listens[0];

    fd = sock_listen(&l->address, 0, l->kind == ADDR_ANY, &file);
    ck_assert_msg(fd >= 0 || fd == -EADDRINUSE, "%s: %s", listen, strerror(-fd));
    if (fd >= 0) {
        ck_assert_msg(sock_text(fd, out, sizeof(out)), "%s", listen);
        ck_assert_str_eq(out, l->text);
        close(fd);
    }
    if (l->kind == ADDR_PATH && l->address.un.path[0] == '/')
        unlink(l->address.un.path);
    conf_errors_free(&errors);
    conf_unref(conf);
    return fd >= 0;
}

static void expect_inet(const char *host)
{
    char listen[ADDR_TEXT_MAX];
    int attempts = 0;

    do {
        ck_assert_int_lt(attempts++, 20);
        snprintf(listen, sizeof(listen), "%s:%u", host, free_port());
    } while (!has_text_of_config(listen));
}

START_TEST(an_address_has_the_text_of_the_config)
{
    static const char *const v4[] = {"0.0.0.0", "127.0.0.1", "127.0.0.2", "tcp:127.1.2.3"};
    static const char *const v6[] = {
        "*", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "tcp:[0::0]", "tcp:*"};

    for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
        expect_inet(v4[i]);
    for (size_t i = 0; has_ipv6() && i < sizeof(v6) / sizeof(v6[0]); i++)
        expect_inet(v6[i]);
}
END_TEST

START_TEST(a_zone_is_part_of_the_text)
{
    struct ifaddrs *all, *i;
    char host[ADDR_TEXT_MAX], name[INET6_ADDRSTRLEN];

    ck_assert_int_eq(getifaddrs(&all), 0);
    for (i = all; i; i = i->ifa_next) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)i->ifa_addr;

        if (!a || a->sin6_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr))
            continue;
        inet_ntop(AF_INET6, &a->sin6_addr, name, sizeof(name));
        snprintf(host, sizeof(host), "[%s%%%u]", name, (unsigned)a->sin6_scope_id);
        expect_inet(host);
    }
    freeifaddrs(all);
}
END_TEST

START_TEST(a_path_has_the_text_of_the_config)
{
    char text[256], fill[128];
    size_t most = sizeof(((struct sockaddr_un *)0)->sun_path);

    memset(fill, 'x', sizeof(fill));
    snprintf(text, sizeof(text), "unix:%s/s", directory);
    ck_assert(has_text_of_config(text));
    snprintf(text, sizeof(text), "unix:@%s/s", directory);
    ck_assert(has_text_of_config(text));
    /* As long as can be: a path with its NUL, and a name without. */
    snprintf(text, sizeof(text), "unix:%s/%.*s", directory, (int)(most - strlen(directory) - 2),
             fill);
    ck_assert_uint_eq(strlen(text), strlen("unix:") + most - 1);
    ck_assert(has_text_of_config(text));
    snprintf(text, sizeof(text), "unix:@%s%.*s", directory, (int)(most - strlen(directory) - 1),
             fill);
    ck_assert_uint_eq(strlen(text), strlen("unix:") + most);
    ck_assert(has_text_of_config(text));
}
END_TEST

START_TEST(some_sockets_have_no_text)
{
    static const struct sockaddr_un nul = {.sun_family = AF_UNIX, .sun_path = "\0penstock\0nul"};
    struct addr a = address_of(TCP);
    char out[ADDR_TEXT_MAX];
    int fds[2], fd;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert(!sock_text(fds[0], out, sizeof(out)));
    close(fds[0]);
    ck_assert(!sock_text(fds[0], out, sizeof(out)));
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&nul, sizeof(sa_family_t) + 13), 0);
    ck_assert(!sock_text(fd, out, sizeof(out)));
    close(fd);
    fd = listen_on(&a);
    ck_assert(sock_text(fd, out, sizeof(out)));
    ck_assert(sock_text(fd, out, strlen(out) + 1));
    ck_assert(!sock_text(fd, out, strlen(out)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sock_text");
    TCase *tcase = tcase_create("names");
    int status;

    if (!mkdtemp(directory))
        return EXIT_FAILURE;
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, duplicates_are_one_socket);
    tcase_add_test(tcase, an_address_has_the_text_of_the_config);
    tcase_add_test(tcase, a_zone_is_part_of_the_text);
    tcase_add_test(tcase, a_path_has_the_text_of_the_config);
    tcase_add_test(tcase, some_sockets_have_no_text);
    status = suite_run(suite);
    rmdir(directory);
    return status;
}
