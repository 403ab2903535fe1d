#include "file_id.h"
#include "text/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The real path of a file that may be missing; its folder must exist. malloc'ed; NULL with errno
 * set. */
static char *real_path(const char *file)
{
    char *path = realpath(file, NULL), *folder, *joined = NULL;
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

    if (path || errno != ENOENT || !*name)
        return path;
    folder = slash ? strndup(file, slash == file ? 1 : (size_t)(slash - file)) : strdup(".");
    path = folder ? realpath(folder, NULL) : NULL;
    if (path && asprintf(&joined, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name) < 0)
        joined = NULL;
    free(folder);
    free(path);
    return joined;
}

int program_file_id(const char *file, uint64_t *id)
{
    char *path = real_path(file);

    if (!path)
        return errno ? -errno : -ENOMEM;
    *id = text_hash(0, path, strlen(path)) >> 24;
    *id += *id == 0; /* so that no source is 0 */
    free(path);
    return 0;
}
