/* segment.h - shared memory files: names, creating one whole or not at all, opening one with
 * suspicion, mapping. */
#ifndef COMMON_CORE_SEGMENT_H
#define COMMON_CORE_SEGMENT_H

#include "millrace.h"
#include <sys/stat.h>

#define MR_PATH_MAX 256u

/* mr_segment_name writes "/millrace.<uid>.<bus>" or, with topic not NULL,
 * "/millrace.<uid>.<bus>.<topic>". */
void mr_segment_name(char out[static MR_PATH_MAX], uid_t owner, const char *bus, const char *topic);

/* mr_segment_user finds a user by the first len bytes of text: a name, or a number. Returns 0;
 * -EINVAL there is none. May ask the system's user database. */
int mr_segment_user(const char *text, size_t len, uid_t *out);

/* mr_segment_fd takes what open or socket has just returned, and moves a descriptor that would be
 * one of the standard streams, which this process may have closed: what it then writes to "standard
 * error" would go into the segment. Returns the descriptor or, with nothing left open, -errno. */
int mr_segment_fd(int fd);

/* mr_segment_create makes a file of `bytes` in /dev/shm without a name, its first `reserve` bytes
 * truly allocated (a sparse file would raise SIGBUS when /dev/shm is full). group (gid_t)-1: leave.
 * A kill leaves nothing behind.
 * Returns a descriptor; -ENOSPC; -EFBIG larger than this process may make files (RLIMIT_FSIZE;
 * SIGXFSZ is not raised). */
int mr_segment_create(uint64_t bytes, uint64_t reserve, unsigned mode, gid_t group);

/* mr_segment_write writes into a segment's file, for what is not mapped. Returns 0; -ENOSPC; -EFBIG
 * as mr_segment_create. */
int mr_segment_write(int fd, const void *data, size_t len, uint64_t offset);

/* mr_segment_publish gives the file its name. Returns 0; -EEXIST the name is taken. */
int mr_segment_publish(int fd, const char *name);

/* mr_segment_open opens a segment and checks what can be checked from outside: a regular file of
 * this owner, of at least min_bytes.
 * Returns a descriptor with *st filled in; -ENOENT; -EPERM not a file of that owner, or no rights;
 * -EBADMSG too small. Never follows a symlink. */
int mr_segment_open(const char *name, uid_t owner, int write, uint64_t min_bytes, struct stat *st);

/* mr_segment_is says whether the name leads to that very file: 1; 0 to none, or to another one. */
int mr_segment_is(const char *name, uint64_t device, uint64_t inode);

/* mr_segment_foreign: 1 if what has the name can be no segment of this owner: another user's file,
 * or no regular one. Else 0, also when there is none. */
int mr_segment_foreign(const char *name, uid_t owner);

/* mr_segment_map maps [offset, offset + bytes) of the file, both multiples of the page size, or
 * bytes up to the file's end.
 *   write    1: PROT_WRITE too
 * Returns 0 with *out, to be unmapped; or a negative errno. */
int mr_segment_map(int fd, uint64_t offset, uint64_t bytes, int write, void **out);
/* mr_segment_map_twice maps the range twice, back to back, so that what runs past its end goes on
 * at its start: 2 * bytes to be unmapped. */
int mr_segment_map_twice(int fd, uint64_t offset, uint64_t bytes, int write, unsigned char **out);

/* mr_segment_list finds all names in /dev/shm that start with prefix (without the leading '/'), and
 * cuts the prefix off: sorted, ending with NULL, one allocation, to be freed. Returns their number,
 * or a negative errno. */
ssize_t mr_segment_list(const char *prefix, char ***names);

/* mr_segment_pid_namespace returns the inode of this process's pid namespace; 0 if it cannot be
 * told. */
uint64_t mr_segment_pid_namespace(void);

#endif
