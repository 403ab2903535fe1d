/* file_id.h - how producer --resume identifies a file. */
#ifndef COMMON_CLI_FILE_ID_H
#define COMMON_CLI_FILE_ID_H

#include <stdint.h>

/* program_file_id: a hash of the file's real path, or of the path that it would have if it does not
 * exist. A source of mr_producer_append_from is FILE_SOURCE(id, how), how a hash of the options
 * that change its rows; SOURCE_FILE(source) is the id again: so a path can be forgotten without
 * knowing how it was read. Returns 0; a negative errno. */
int program_file_id(const char *file, uint64_t *id);
#define FILE_SOURCE(id, how) ((id) << 24 | ((how)&0xffffff))
#define SOURCE_FILE(source)  ((source) >> 24)

#endif
