/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the manager says of our unit (org.freedesktop.systemd1(5)). sd_bus_call(3) limits only its
 * own waiting, not that for the connection before it: here calls are asynchronous, and the waiting
 * is ours, with one deadline for all.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/systemd.h"

#define MANAGER      "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"

struct asking {
    sd_bus *bus;
    int64_t deadline;
    sd_bus_message *reply;
};

/* --- the connection: begun, and not waited for ----------------------------------------------- */

/* The manager's own socket, which the user whose manager it is may use: it needs no bus. */
static int open_private(sd_bus **bus, const char *directory)
{
    char address[256];
    int error;

    if (!directory)
        return -ENOENT;
    snprintf(address, sizeof(address), "unix:path=%s/systemd/private", directory);
    error = sd_bus_new(bus);
    if (error < 0)
        return error;
    error = sd_bus_set_address(*bus, address);
    if (error >= 0)
        error = sd_bus_start(*bus);
    if (error < 0)
        *bus = sd_bus_unref(*bus);
    return error;
}

/* A user's manager tells its services by MANAGERPID (systemd.exec(5)). sd_pid_get_user_unit(3)
 * looks at process 1, which ProtectProc= may hide. */
static int open_bus(sd_bus **bus)
{
    if (!getenv("INVOCATION_ID"))
        return -ENXIO;
    if (getenv("MANAGERPID")) {
        if (open_private(bus, getenv("XDG_RUNTIME_DIR")) >= 0)
            return 0;
        return sd_bus_open_user(bus);
    }
    if (geteuid() == 0 && open_private(bus, "/run") >= 0)
        return 0;
    return sd_bus_open_system(bus);
}

/* --- one call -------------------------------------------------------------------------------- */

static int on_reply(sd_bus_message *reply, void *arg, sd_bus_error *error)
{
    struct asking *a = arg;

    (void)error;
    a->reply = sd_bus_message_ref(reply);
    return 1;
}

static int await_reply(struct asking *a)
{
    while (!a->reply) {
        int64_t left = a->deadline - clock_monotonic_ms();
        int n = sd_bus_process(a->bus, NULL);

        if (n == 0 && left <= 0)
            return -ETIMEDOUT;
        if (n == 0)
            n = sd_bus_wait(a->bus, (uint64_t)left * 1000);
        if (n < 0 && n != -EINTR)
            return n;
    }
    return -sd_bus_message_get_errno(a->reply);
}

/* Send `call`, which is consumed, and wait. The answer is in a->reply, until forget_reply(). */
static int ask(struct asking *a, sd_bus_message *call)
{
    sd_bus_slot *slot = NULL;
    int error = sd_bus_call_async(a->bus, &slot, call, on_reply, a, UINT64_MAX);

    if (error >= 0)
        error = await_reply(a);
    sd_bus_slot_unref(slot);
    sd_bus_message_unref(call);
    return error;
}

static void forget_reply(struct asking *a)
{
    a->reply = sd_bus_message_unref(a->reply);
}

/* --- the questions --------------------------------------------------------------------------- */

static int ask_unit(struct asking *a, char **path)
{
    const char *text;
    sd_bus_message *call;
    int error = sd_bus_message_new_method_call(a->bus, &call, MANAGER, MANAGER_PATH,
                                               MANAGER ".Manager", "GetUnitByPID");

    if (error < 0)
        return error;
    error = sd_bus_message_append(call, "u", 0); /* whoever asks */
    if (error < 0) {
        sd_bus_message_unref(call);
        return error;
    }
    error = ask(a, call);
    if (error == 0)
        error = sd_bus_message_read(a->reply, "o", &text);
    if (error >= 0) {
        *path = strdup(text);
        error = *path ? 0 : -ENOMEM;
    }
    forget_reply(a);
    return error;
}

/* A property, ready to be read from a->reply as `type`. */
static int ask_property(struct asking *a, const char *path, const char *interface, const char *name,
                        const char *type)
{
    sd_bus_message *call;
    int error = sd_bus_message_new_method_call(a->bus, &call, MANAGER, path,
                                               "org.freedesktop.DBus.Properties", "Get");

    if (error < 0)
        return error;
    error = sd_bus_message_append(call, "ss", interface, name);
    if (error < 0) {
        sd_bus_message_unref(call);
        return error;
    }
    error = ask(a, call);
    if (error == 0)
        error = sd_bus_message_enter_container(a->reply, 'v', type);
    return error < 0 ? error : 0;
}

static int ask_number(struct asking *a, const char *unit, const char *name, uint32_t *number)
{
    int error = ask_property(a, unit, MANAGER ".Service", name, "u");

    if (error == 0)
        error = sd_bus_message_read(a->reply, "u", number);
    forget_reply(a);
    return error < 0 ? error : 0;
}

/* The object of the unit's job, or NULL without one. */
static int ask_job(struct asking *a, const char *unit, char **job)
{
    const char *path;
    uint32_t id;
    int error = ask_property(a, unit, MANAGER ".Unit", "Job", "(uo)");

    *job = NULL;
    if (error == 0)
        error = sd_bus_message_read(a->reply, "(uo)", &id, &path);
    if (error >= 0 && id != 0) {
        *job = strdup(path);
        error = *job ? 0 : -ENOMEM;
    }
    forget_reply(a);
    return error < 0 ? error : 0;
}

static int ask_restarting(struct asking *a, const char *unit, bool *restarting)
{
    const char *type;
    char *job;
    int error = ask_job(a, unit, &job);

    *restarting = false;
    if (error || !job)
        return error;
    error = ask_property(a, job, MANAGER ".Job", "JobType", "s");
    if (error == 0)
        error = sd_bus_message_read(a->reply, "s", &type);
    if (error >= 0)
        *restarting = strcmp(type, "restart") == 0 || strcmp(type, "try-restart") == 0;
    forget_reply(a);
    free(job);
    return error < 0 ? error : 0;
}

static int ask_all(struct asking *a, struct systemd_unit *unit)
{
    char *path = NULL;
    int error = ask_unit(a, &path);

    if (error == 0)
        error = ask_restarting(a, path, &unit->restarting);
    if (error == 0)
        error = ask_number(a, path, "FileDescriptorStoreMax", &unit->store_most);
    if (error == 0)
        error = ask_number(a, path, "NFileDescriptorStore", &unit->stored);
    free(path);
    return error;
}

int systemd_ask(struct systemd_unit *unit, int timeout_ms)
{
    struct asking a = {.deadline = clock_monotonic_ms() + timeout_ms};
    int error = open_bus(&a.bus);

    if (error < 0)
        return error;
    error = ask_all(&a, unit);
    sd_bus_close_unref(a.bus);
    return error;
}
