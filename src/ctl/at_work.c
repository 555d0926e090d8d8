/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/at_work.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/files.h"
#include "ctl/must.h"
#include "ctl/text.h"
#include "ctl/value.h"

char *at_work_config(const json_t *status)
{
    const json_t *config = json_object_get(status, "config");
    const char *path = json_string_value(json_object_get(config, "path")), *slash;
    char *there, *directory, *found;

    if (!path || path[0] == '/' || path[0] == '\0')
        return path && path[0] ? must(strdup(path)) : NULL;
    slash = strrchr(path, '/');
    there = must_print("/proc/%" PRId64 "/cwd/%.*s", value_number(status, "pid"),
                       slash ? (int)(slash - path) : 0, path);
    directory = realpath(there, NULL);
    found = directory ? must_print("%s/%s", directory, slash ? slash + 1 : path) : NULL;
    free(directory);
    free(there);
    return found;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool at_work_shares(const char *a, const char *b)
{
    char *beside_a = must(files_directory(a)), *beside_b = must(files_directory(b));
    char *in_a = must_print("%s/conf.d", beside_a), *in_b = must_print("%s/conf.d", beside_b);
    bool is = is_same_file(beside_a, beside_b) || is_same_file(in_a, in_b);

    free(in_a);
    free(in_b);
    free(beside_a);
    free(beside_b);
    return is;
}

bool at_work_is_same(const char *a, const char *b)
{
    return is_same_file(a, b) && at_work_shares(a, b);
}

bool at_work_is_down(const struct reply *reply)
{
    return reply->status == STATUS_UNREACHED &&
           (reply->cause == ENOENT || reply->cause == ENOTDIR || reply->cause == ECONNREFUSED);
}

int at_work_unknown(void)
{
    text_line(stderr, "penstock: penstockd's config can't be found from here: name it with "
                      "--config FILE");
    return STATUS_REFUSED;
}
