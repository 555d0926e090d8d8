/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/help.h"

static int run(struct args *args)
{
    struct ctl ctl = {.args = *args};
    int status;

    ctl.client = client_new(args->socket);
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
    struct args args;

    setlocale(LC_CTYPE, ""); /* which characters can be shown */
    tzset();                 /* for localtime_r(3) */
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
    return fflush(stdout) || ferror(stdout) ? STATUS_REFUSED : STATUS_OK;
}
