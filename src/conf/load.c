/* SPDX-License-Identifier: BSD-2-Clause */
/* Files to trees to the snapshot. The only file that knows libconfig. */
#include "config.h"

#include <errno.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "conf/check.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "conf/files.h"
#include "conf/node.h"
#include "conf/split.h"
#include "conf/users.h"

/* A load under way. */
struct loading {
    struct arena *arena;
    struct conf_errors *errors;
    struct conf_tree *trees;
    size_t tree_count;
    bool no_memory;
};

/* A text that libconfig has read, on its way to nodes. */
struct reading {
    struct loading *loading;
    const char *path;
    unsigned line;            /* of the text's first line in the file */
    const unsigned *elements; /* see struct split; NULL when libconfig's lines must do */
    const unsigned *elements_end;
};

/* --- libconfig's settings to nodes --------------------------------------------------------- */

static struct conf_node *convert(struct reading *r, const config_setting_t *setting);

static void convert_members(struct reading *r, const config_setting_t *setting,
                            struct conf_node *node)
{
    struct conf_node **end = &node->first;
    int count = config_setting_length(setting);

    for (int i = 0; i < count; i++) {
        *end = convert(r, config_setting_get_elem(setting, (unsigned)i));
        if (*end == NULL)
            return;
        end = &(*end)->next;
    }
}

static void convert_text(struct reading *r, const config_setting_t *setting, struct conf_node *node)
{
    const char *text = config_setting_get_string(setting);

    node->type = NODE_TEXT;
    node->text = arena_strdup(r->loading->arena, text != NULL ? text : "");
    if (node->text == NULL)
        r->loading->no_memory = true;
    if (node->name == NULL && r->elements < r->elements_end)
        node->at.line = *r->elements++;
}

/* Depth is bounded: split_text() has counted the brackets. */
static struct conf_node *convert(struct reading *r, const config_setting_t *setting)
{
    struct conf_node *node = arena_alloc(r->loading->arena, sizeof(*node));
    const char *name = config_setting_name(setting);

    if (node != NULL && name != NULL)
        node->name = arena_strdup(r->loading->arena, name);
    if (node == NULL || (name != NULL && node->name == NULL)) {
        r->loading->no_memory = true;
        return NULL;
    }
    node->at.file = r->path;
    node->at.line = r->line - 1 + (unsigned)config_setting_source_line(setting);
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        node->type = NODE_GROUP;
        convert_members(r, setting, node);
        break;
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        node->type = NODE_LIST;
        convert_members(r, setting, node);
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        node->type = NODE_NUMBER;
        node->number = config_setting_get_int64(setting);
        break;
    case CONFIG_TYPE_BOOL:
        node->type = NODE_FLAG;
        node->number = config_setting_get_bool(setting);
        break;
    case CONFIG_TYPE_STRING:
        convert_text(r, setting, node);
        break;
    default:
        node->type = NODE_FLOAT;
        break;
    }
    return node;
}

/* The last line of a text that has anything in it: where its end is, for people. */
static unsigned last_line(const char *text)
{
    unsigned line = 1, last = 1;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n')
            line++;
        else if (*p != ' ')
            last = line;
    }
    return last;
}

static void add_parse_error(const struct reading *r, const config_t *config, const char *text)
{
    unsigned line = (unsigned)config_error_line(config), last = last_line(text);
    struct conf_place at = {r->path, r->line - 1 + (line < last ? line : last)};
    const char *error = config_error_text(config);

    if (error == NULL || strcmp(error, "syntax error") == 0)
        error = "syntax error, allowed: NAME = VALUE; with texts in quotes";
    conf_errors_add(r->loading->errors, at, "%s", error);
}

/* Parse a text; its settings become the members of a group, which is NULL after an error. */
static struct conf_node *parse(struct reading *r, const char *text)
{
    struct conf_node *root = NULL;
    config_t config;

    config_init(&config);
    if (config_read_string(&config, text) == CONFIG_TRUE)
        root = convert(r, config_root_setting(&config));
    else
        add_parse_error(r, &config, text);
    config_destroy(&config);
    return root;
}

/* --- a file's text to a tree --------------------------------------------------------------- */

/* Parse a piece where it stands, then blank it, so that what remains of the file can be parsed. */
static struct conf_node *parse_piece(struct reading *r, char *text, const struct split_piece *piece)
{
    char behind = text[piece->end];
    struct conf_node *group = NULL;

    text[piece->end] = '\0';
    if (!piece->spoilt)
        group = parse(r, text + piece->start);
    text[piece->end] = behind;
    for (char *p = text + piece->start; p < text + piece->end; p++) {
        if (*p != '\n')
            *p = ' ';
    }
    return group;
}

/* All pieces, as one chain of the rules in them. */
static struct conf_node *parse_rules(struct loading *l, const char *path, char *text,
                                     const struct split *split)
{
    struct conf_node *first = NULL, **end = &first;

    for (size_t i = 0; i < split->piece_count && !l->no_memory; i++) {
        const struct split_piece *piece = &split->pieces[i];
        struct reading r = {.loading = l, .path = path, .line = piece->line};
        const struct conf_node *group;

        if (split->elements != NULL) {
            r.elements = split->elements + piece->first_element;
            r.elements_end = split->elements + split->element_count;
        }
        group = parse_piece(&r, text, piece);

        if (group == NULL)
            continue;
        *end = group->first;
        while (*end != NULL)
            end = &(*end)->next;
    }
    return first;
}

/* `text` ends with a newline (libconfig 1.5 takes no comment without) and a NUL behind `len`. */
static void read_text(struct loading *l, struct conf_tree *tree, char *text, size_t len)
{
    struct reading r = {.loading = l, .path = tree->path, .line = 1};
    struct split split;

    split_text(&split, tree->path, text, len, l->errors);
    tree->rules = parse_rules(l, tree->path, text, &split);
    if (!split.broken && !split.spoilt)
        tree->root = parse(&r, text);
    if (split.no_memory)
        l->no_memory = true;
    split_free(&split);
}

/* --- files --------------------------------------------------------------------------------- */

static void read_file(struct loading *l, const char *path, bool may_be_pipe)
{
    struct conf_place at = {arena_strdup(l->arena, path), 0};
    struct conf_tree *tree = &l->trees[l->tree_count++];
    char *text;
    size_t len;

    if (at.file == NULL) {
        l->no_memory = true;
        return;
    }
    tree->path = at.file;
    int error = files_read(path, may_be_pipe, &text, &len);
    if (error == 0) {
        read_text(l, tree, text, len);
        free(text);
    } else if (error == -EISDIR) {
        conf_errors_add(l->errors, at, "this is a directory, a file is needed");
    } else if (error == -EINVAL) {
        conf_errors_add(l->errors, at, "this is no regular file, one is needed");
    } else if (error == -EFBIG) {
        conf_errors_add(l->errors, at, "the file is too large, allowed: %zu MiB",
                        FILES_SIZE_MAX / 1024 / 1024);
    } else {
        conf_errors_add(l->errors, at, "can't be read: %s", strerror(-error));
    }
}

/* A file of this text. */
static void read_copy(struct loading *l, const char *path, const char *text, size_t len)
{
    struct conf_tree *tree = &l->trees[l->tree_count++];
    char *copy = arena_alloc(l->arena, len + 2);

    tree->path = arena_strdup(l->arena, path);
    if (tree->path == NULL || copy == NULL) {
        l->no_memory = true;
        return;
    }
    memcpy(copy, text, len);
    copy[len] = '\n';
    read_text(l, tree, copy, len + 1);
}

static void read_edit(struct loading *l, const char *conf_d, const struct conf_edit *edit)
{
    const char *path = arena_printf(l->arena, "%s/%s", conf_d, edit->name);

    if (path == NULL)
        l->no_memory = true;
    else if (edit->text != NULL)
        read_copy(l, path, edit->text, strlen(edit->text));
}

/* In the order of their names, with `edit` (or NULL) in its place. */
static void read_conf_d(struct loading *l, const char *conf_d, char *const *paths, int count,
                        const struct conf_edit *edit)
{
    for (int i = 0; i < count && !l->no_memory; i++) {
        int order = edit != NULL ? strcmp(edit->name, strrchr(paths[i], '/') + 1) : 1;

        if (order <= 0) {
            read_edit(l, conf_d, edit);
            edit = NULL;
        }
        if (order != 0)
            read_file(l, paths[i], false);
    }
    if (edit != NULL && !l->no_memory)
        read_edit(l, conf_d, edit);
}

/* The main file and those of conf.d beside it. */
static void read_files(struct loading *l, const char *path, const struct conf_edit *edit)
{
    char *directory = files_directory(path);
    char *conf_d = directory != NULL ? arena_printf(l->arena, "%s/conf.d", directory) : NULL;
    char **paths = NULL;
    int count = conf_d != NULL ? files_list(conf_d, &paths) : -ENOMEM;

    free(directory);
    l->trees = arena_array(l->arena, 2 + (size_t)(count > 0 ? count : 0), sizeof(*l->trees));
    if (count == -ENOMEM || l->trees == NULL) {
        l->no_memory = true;
        files_list_free(paths, count);
        return;
    }
    read_file(l, path, true); /* such as /dev/stdin */
    if (count < 0)
        conf_errors_add(l->errors, (struct conf_place){conf_d, 0}, "can't be read: %s",
                        strerror(-count));
    if (!l->no_memory)
        read_conf_d(l, conf_d, paths, count, edit);
    files_list_free(paths, count);
}

/* A UNIX socket can't be made where there is no directory. */
static void check_directories(struct loading *l, const struct conf_rule *rule)
{
    for (size_t i = 0; i < rule->listen_count; i++) {
        const struct conf_listen *listen = &rule->listens[i];
        char *directory;
        int error;

        if (listen->kind != ADDR_PATH || listen->address.un.path[0] == '@')
            continue;
        directory = files_directory(listen->address.un.path);
        if (directory == NULL) {
            l->no_memory = true;
            return;
        }
        error = files_check_directory(directory);
        if (error != 0)
            conf_errors_add(l->errors, listen->at, "rule \"%s\": %s: no directory %s: %s",
                            rule->name, listen->text, directory, strerror(-error));
        free(directory);
    }
}

/* --- the whole ----------------------------------------------------------------------------- */

/* Judge what has been read. Takes over the arena. */
static struct conf *finish(struct loading *l, const char *path, bool has_files)
{
    struct conf *conf = NULL;

    if (!l->no_memory)
        conf = check_config(l->trees, l->tree_count, l->arena, l->errors);
    for (size_t i = 0; conf != NULL && has_files && i < conf->rule_count; i++)
        check_directories(l, &conf->rules[i]);
    if (conf != NULL && has_files)
        users_check(l->trees, l->tree_count, l->errors);
    if (conf == NULL || l->no_memory)
        conf_errors_add(l->errors, (struct conf_place){path, 0}, "out of memory");
    conf_errors_sort(l->errors, path);
    if (conf != NULL && l->errors->fatal == 0)
        return conf;
    if (conf != NULL)
        conf_unref(conf);
    else
        arena_free(l->arena);
    return NULL;
}

static bool begin(struct loading *l, const char *path, struct conf_errors *errors)
{
    *errors = (struct conf_errors){0};
    *l = (struct loading){.arena = arena_new(), .errors = errors};
    if (l->arena == NULL)
        conf_errors_add(errors, (struct conf_place){path, 0}, "out of memory");
    return l->arena != NULL;
}

struct conf *conf_load_edited(const char *path, const struct conf_edit *edit,
                              struct conf_errors *errors)
{
    struct loading l;

    if (!begin(&l, path, errors))
        return NULL;
    read_files(&l, path, edit);
    return finish(&l, path, true);
}

struct conf *conf_load(const char *path, struct conf_errors *errors)
{
    return conf_load_edited(path, NULL, errors);
}

struct conf *conf_load_text(const char *path, const char *text, size_t len,
                            struct conf_errors *errors)
{
    struct loading l;

    if (!begin(&l, path, errors))
        return NULL;
    l.trees = arena_alloc(l.arena, sizeof(*l.trees));
    if (l.trees != NULL)
        read_copy(&l, path, text, len);
    else
        l.no_memory = true;
    return finish(&l, path, false);
}
