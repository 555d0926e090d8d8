/* SPDX-License-Identifier: BSD-2-Clause */
/* Durations and sizes: what is read is printed so that it is read back the same. */
#include "config.h"

#include <string.h>

#include "base/units.h"
#include "fuzz.h"

static void check_duration(const char *text)
{
    int64_t ms = -1, again = -1;
    char printed[32];

    if (units_parse_duration(text, &ms) != NULL) {
        PROMISE(ms == -1);
        return;
    }
    PROMISE(ms >= 0);
    int len = units_print_duration(printed, sizeof(printed), ms);
    PROMISE(len > 0 && (size_t)len < sizeof(printed));
    PROMISE(units_parse_duration(printed, &again) == NULL && again == ms);
}

static void check_size(const char *text)
{
    uint64_t bytes = 7, again = 0;
    char printed[32];

    if (units_parse_size(text, &bytes) != NULL) {
        PROMISE(bytes == 7);
        return;
    }
    int len = units_print_size(printed, sizeof(printed), bytes);
    PROMISE(len > 0 && (size_t)len < sizeof(printed));
    PROMISE(units_parse_size(printed, &again) == NULL && again == bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_duration(text);
    check_size(text);
    free(text);
    return 0;
}
