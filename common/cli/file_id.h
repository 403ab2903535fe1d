/* file_id.h - by what producer --resume knows a file. */
#ifndef COMMON_CLI_FILE_ID_H
#define COMMON_CLI_FILE_ID_H

#include <stdint.h>

/* program_file_id: by what producer --resume knows a file, a hash of its real path; of one that
 * is gone, of the path that it would have. A source of mr_producer_append_from is FILE_SOURCE(id,
 * how), how a hash of the options that change its rows; SOURCE_FILE(source) is the id again: a path
 * can be forgotten without knowing how it was read. Returns 0; a negative errno. */
int program_file_id(const char *file, uint64_t *id);
#define FILE_SOURCE(id, how) ((id) << 24 | ((how)&0xffffff))
#define SOURCE_FILE(source)  ((source) >> 24)

#endif
