/* SPDX-License-Identifier: BSD-2-Clause */
/* The config at work, in the store: for a process that starts after a crash and finds that the
 * files have errors by then. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store.h"
#include "os/memfile.h"
#include "os/systemd.h"

/* Its path, a newline, and its rules in the config language. */
static int write_conf(const struct conf *conf)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    int fd = -ENOMEM;

    if (!f)
        return fd;
    fprintf(f, "%s\n", conf->path);
    conf_dump(conf, f);
    if (fclose(f) == 0)
        fd = memfile_new("penstock-config", text, size);
    free(text);
    return fd;
}

int store_conf_tell(struct store *st)
{
    int error;

    if (st->conf_fd < 0)
        return 0;
    error = systemd_store(st->conf_name, &st->conf_fd, 1);
    if (error == -EAGAIN)
        return error;
    close(st->conf_fd);
    st->conf_fd = -1;
    if (st->conf_before[0])
        store_drop(st, st->conf_before);
    st->conf_before[0] = '\0';
    return 0;
}

void store_conf(struct store *st)
{
    int fd;

    if (!systemd_is_there() || st->conf == st->set->conf)
        return;
    fd = write_conf(st->set->conf);
    if (fd < 0)
        return; /* the one before is better than none */
    if (st->conf_fd >= 0)
        close(st->conf_fd); /* nobody has got it */
    else
        memcpy(st->conf_before, st->conf_name, sizeof(st->conf_before));
    conf_unref(st->conf);
    st->conf = conf_ref(st->set->conf);
    snprintf(st->conf_name, sizeof(st->conf_name), "%s%" PRIx32, PASSED_CONF, st->serial++);
    st->conf_fd = fd;
    store_tell(st);
}

void store_conf_stop(struct store *st)
{
    if (st->conf_fd >= 0)
        close(st->conf_fd);
    st->conf_fd = -1;
    conf_unref(st->conf);
    st->conf = NULL;
}

static struct conf *read_conf(char *text, size_t size)
{
    char *line = memchr(text, '\n', size);
    struct conf_errors errors;
    struct conf *conf;

    if (!line)
        return NULL;
    *line++ = '\0';
    conf = conf_load_text(text, line, size - (size_t)(line - text), &errors);
    conf_errors_free(&errors);
    return conf;
}

struct conf *store_take_conf(struct passed *passed)
{
    struct conf *conf = NULL;

    for (int i = passed_beginning(passed, PASSED_CONF, 0); i >= 0;
         i = passed_beginning(passed, PASSED_CONF, i + 1)) {
        uint8_t *bytes;
        size_t size;

        if (!conf && memfile_read(passed->sockets[i].fd, SNAPSHOT_SIZE_MOST, &bytes, &size) == 0) {
            conf = read_conf((char *)bytes, size);
            free(bytes);
        }
        close(passed->sockets[i].fd);
        passed->sockets[i].fd = -1;
    }
    return conf;
}
