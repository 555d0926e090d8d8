/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ops/host_name.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* "" or ":" and digits. */
static bool is_port(const char *text)
{
    return *text == '\0' || (*text == ':' && text[1 + strspn(text + 1, "0123456789")] == '\0');
}

bool host_name_is_address(const char *host)
{
    bool is_v6 = host[0] == '[';
    char name[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    size_t length;

    host += is_v6;
    length = strcspn(host, is_v6 ? "]" : ":");
    if (length >= sizeof(name) || (is_v6 && host[length] != ']') || !is_port(host + length + is_v6))
        return false;
    memcpy(name, host, length);
    name[length] = '\0';
    if (is_v6)
        return inet_pton(AF_INET6, name, address) == 1;
    return inet_pton(AF_INET, name, address) == 1 || strcasecmp(name, "localhost") == 0;
}
