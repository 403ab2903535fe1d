/* image.h - what a process would leave behind if it were killed now, compared with what it would
 * have left one instruction ago.
 *
 * kill -9 leaves of a process:
 *   - the bytes of the memory it shares;
 *   - what the kernel does with its robust futexes: the list's head and list_op_pending (in its own
 *   memory), the nodes and words (in shared memory);
 *   - what the kernel holds for it: descriptors, locks, files made, linked, cut, sockets, its place
 *   in a futex's queue, its mappings.
 * Registers and private memory are gone. The third kind changes by system calls only, so an
 * instruction that makes none and leaves the first two byte for byte as they were leads to a state
 * that cannot be told from the one before. That, and no more, is what is called unchanged here.
 *
 * Compared are all pages that the process can store to and others can see (MAP_SHARED, writable)
 * and that it has in its page table: it cannot have stored to another one. A page that comes or
 * goes counts as a change, and so does whatever cannot be read. */
#ifndef TESTS_CRASH_IMAGE_H
#define TESTS_CRASH_IMAGE_H

#include <sys/types.h>

struct image;

struct image *image_new(pid_t pid); /* of a stopped tracee; its first image_changed is 1 */
void image_free(struct image *image);
/* call: the last instruction was a system call. Returns 1 when what would be left may have changed
 * since the last call of this, else 0. */
int image_changed(struct image *image, int call);

#endif
