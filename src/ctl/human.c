/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ctl/human.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *human_size(char out[HUMAN_MAX], int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint64_t left = bytes > 0 ? (uint64_t)bytes : 0, unit = 1024;
    size_t i = 0;

    if (left < 1024) {
        snprintf(out, HUMAN_MAX, "%" PRIu64 " B", left);
        return out;
    }
    /* What would be rounded to 1024.0 is 1.0 of the next. */
    while (i + 1 < sizeof(units) / sizeof(units[0]) && left >= unit * 1024 - unit / 20) {
        unit *= 1024;
        i++;
    }
    /* In units of 1/1024 first, so that ten times as many fit. */
    left = (left / (unit / 1024) * 10 + 512) / 1024;
    snprintf(out, HUMAN_MAX, "%" PRIu64 ".%" PRIu64 " %s", left / 10, left % 10, units[i]);
    return out;
}

const char *human_span(char out[HUMAN_MAX], int64_t ms)
{
    int64_t s = ms / 1000;

    if (ms < 1000)
        snprintf(out, HUMAN_MAX, "%" PRId64 "ms", ms > 0 ? ms : 0);
    else if (s < 60)
        snprintf(out, HUMAN_MAX, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(out, HUMAN_MAX, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, HUMAN_MAX, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(out, HUMAN_MAX, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
    return out;
}

static struct tm local_time(int64_t at_ms)
{
    time_t at = (time_t)(at_ms / 1000);
    struct tm tm = {0};

    localtime_r(&at, &tm);
    return tm;
}

const char *human_clock(char out[HUMAN_MAX], int64_t at_ms)
{
    struct tm tm = local_time(at_ms);

    if (strftime(out, HUMAN_MAX, "%H:%M:%S", &tm) == 0)
        out[0] = '\0';
    return out;
}

const char *human_date(char out[HUMAN_MAX], int64_t at_ms)
{
    struct tm tm = local_time(at_ms);

    if (strftime(out, HUMAN_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        out[0] = '\0';
    return out;
}
