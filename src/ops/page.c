/* SPDX-License-Identifier: BSD-2-Clause */
/* The page for people: its files, as they are in src/page, are part of the program. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "ops/api.h"

struct page_file {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

/* page_files[], made by src/page/embed.sh. */
#include "ops/page_files.inc"

#define PAGE_FILES (sizeof(page_files) / sizeof(page_files[0]))

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".svg", "image/svg+xml"}};
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(ending, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* Nothing from elsewhere, and nothing but these files, gets into the page (Content Security Policy,
 * level 3). */
static struct answer *answer_file(const struct page_file *f)
{
    char *copy = malloc(f->size);
    struct answer *a;

    if (copy)
        memcpy(copy, f->bytes, f->size);
    a = answer_guarded(answer_bytes(200, type_of(f->name), copy, f->size));
    if (a) {
        answer_header(a, "Content-Security-Policy",
                      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                      "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                      "frame-ancestors 'none'");
        answer_header(a, "Referrer-Policy", "no-referrer");
    }
    return a;
}

static struct answer *answer_named(const char *name)
{
    for (size_t i = 0; i < PAGE_FILES; i++) {
        if (strcmp(page_files[i].name, name) == 0)
            return answer_file(&page_files[i]);
    }
    return answer_error(404, "not-found", "the page has no file \"%s\"", name);
}

struct answer *api_page(struct api_call *c)
{
    (void)c;
    return answer_named("index.html");
}

struct answer *api_page_file(struct api_call *c)
{
    return answer_named(c->name);
}
