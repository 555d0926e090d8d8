/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: what is accepted keeps what addr.h says, and survives printing and the kernel's form.
 */
#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "os/addr.h"

/* Printed and read again it is the same address; so it is there and back through the kernel's form.
 */
static void check_literal(const struct addr_spec *spec)
{
    char text[ADDR_TEXT_MAX];
    struct addr_spec again;
    struct sockaddr_storage kernel;
    struct addr back;

    addr_print(&spec->literal, text, sizeof(text));
    PROMISE(addr_spec_parse(text, &again) == NULL);
    PROMISE(again.kind == ADDR_LITERAL && addr_equal(&again.literal, &spec->literal));

    socklen_t len = addr_to_sockaddr(&spec->literal, &kernel);
    PROMISE(len > 0);
    addr_from_sockaddr(&back, &kernel, len);
    PROMISE(addr_equal(&back, &spec->literal));
}

static void check_path(const struct addr_spec *spec)
{
    struct addr a = {.family = AF_UNIX, .un = {.path = spec->name}};
    struct sockaddr_storage kernel;
    char text[ADDR_TEXT_MAX];
    struct addr_spec again;

    PROMISE(spec->name[0] == '/' || spec->name[0] == '@');
    PROMISE(addr_to_sockaddr(&a, &kernel) > 0);
    addr_print(&a, text, sizeof(text));
    PROMISE(addr_spec_parse(text, &again) == NULL);
    PROMISE(strcmp(again.name, spec->name) == 0);
}

/* Arbitrary bytes as what accept(2) gives: nothing is read beyond the length that was given. */
static void check_kernel_form(const uint8_t *data, size_t size)
{
    struct sockaddr_storage kernel;
    struct addr a;
    char text[ADDR_TEXT_MAX];

    memset(&kernel, 0, sizeof(kernel));
    if (size > sizeof(kernel))
        size = sizeof(kernel);
    memcpy(&kernel, data, size);
    addr_from_sockaddr(&a, &kernel, (socklen_t)size);
    addr_print(&a, text, sizeof(text));
    PROMISE(strlen(text) > 0 && strlen(text) < sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr_spec spec;
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (addr_spec_parse(text, &spec) == NULL) {
        bool has_port =
            spec.kind == ADDR_LITERAL || spec.kind == ADDR_ANY || spec.kind == ADDR_NAME;

        PROMISE(has_port == (spec.port_first != 0));
        PROMISE(spec.port_first <= spec.port_last);
        PROMISE((spec.name[0] != '\0') == (spec.kind != ADDR_LITERAL && spec.kind != ADDR_ANY));
        if (spec.kind == ADDR_LITERAL)
            check_literal(&spec);
        if (spec.kind == ADDR_PATH)
            check_path(&spec);
    }
    free(text);
    check_kernel_form(data, size);
    return 0;
}
