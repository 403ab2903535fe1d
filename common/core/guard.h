/* guard.h - which mappings are Millrace's, for mr_guard (millrace.h): a page whose file was cut
 * short becomes a page of zeros. */
#ifndef COMMON_CORE_GUARD_H
#define COMMON_CORE_GUARD_H

#include <stdatomic.h>
#include <stdint.h>

/* mr_guard_add makes a mapping known.
 *   at       its address, of `bytes` bytes
 *   damaged  becomes 1 before its first page of zeros can be read; lives until mr_guard_remove
 * Returns  0; -ENOMEM. Safe from any thread, also while another one is in the handler; takes no
 *          lock. */
int mr_guard_add(const void *at, uint64_t bytes, _Atomic int *damaged);
void mr_guard_remove(const void *at); /* before munmap; one that is not known is ignored */

#endif
