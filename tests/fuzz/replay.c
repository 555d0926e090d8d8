/* SPDX-License-Identifier: BSD-2-Clause */
/* A fuzz target without libFuzzer: feeds it every file named, and every file of a directory named.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replay_file(const char *path)
{
    FILE *in = fopen(path, "rb");
    struct stat st;
    uint8_t *data;
    size_t size;

    if (in == NULL || fstat(fileno(in), &st) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (in != NULL)
            fclose(in);
        return -1;
    }
    size = (size_t)st.st_size;
    data = malloc(size + 1);
    if (data == NULL || fread(data, 1, size, in) != size) {
        fprintf(stderr, "%s: can't be read\n", path);
        size = (size_t)-1;
    }
    fclose(in);
    if (size != (size_t)-1)
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return size != (size_t)-1 ? 1 : -1;
}

/* Returns how many inputs were replayed, or -1. */
static int replay(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0, one = 0;

    if (dir == NULL && errno == ENOTDIR)
        return replay_file(path);
    if (dir == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    while (one >= 0 && (entry = readdir(dir)) != NULL) {
        char *file;

        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&file, "%s/%s", path, entry->d_name) < 0) {
            one = -1;
            break;
        }
        one = replay_file(file);
        count++;
        free(file);
    }
    closedir(dir);
    return one < 0 ? -1 : count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = replay(argv[i]);

        if (count < 0)
            return 1;
        total += count;
    }
    printf("%s: %d inputs replayed\n", argv[0], total);
    return total > 0 ? 0 : 1;
}
