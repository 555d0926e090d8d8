/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/help.h"
#include "os/fds.h"

static int run(struct args *args)
{
    struct ctl ctl = {.args = *args};
    int status;

    ctl.client = client_new(args->socket);
    client_limit(ctl.client, args->timeout_ms);
    screen_init(&ctl.screen, args->given & TAKES_JSON, args->no_color);
    status = args->command->run(&ctl);
    client_free(ctl.client);
    free(args->options);
    /* What was printed must have arrived. */
    if (!screen_flush(&ctl.screen) && status == STATUS_OK)
        status = STATUS_REFUSED;
    return status;
}

int main(int argc, char **argv)
{
    struct screen screen;
    struct args args;

    fds_open_standard(O_RDONLY); /* what is printed into a closed one is still lost, and said so */
    setlocale(LC_CTYPE, "");     /* which characters can be shown */
    tzset();                     /* for localtime_r(3) */
    if (!args_parse(&args, commands, argc, argv))
        return STATUS_USAGE;
    if (!args.help && !args.version)
        return run(&args);
    if (args.version)
        printf("penstock %s\n", PACKAGE_VERSION);
    else if (args.command)
        help_command(args.command);
    else
        help_all(commands);
    screen_init(&screen, false, true);
    return screen_flush(&screen) ? STATUS_OK : STATUS_REFUSED;
}
