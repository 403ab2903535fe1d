/* sized.h - public structs that may grow: they begin with `size_t size`, see the top of millrace.h.
 *
 * 0 stands for the layout of 0.2, so that a zeroed struct keeps its meaning. No struct has a gap
 * after its last member: a member that is added later lies behind all that an older program
 * knows. */
#ifndef COMMON_CORE_SIZED_H
#define COMMON_CORE_SIZED_H

#include "millrace.h"

/* The bytes of the layout that ends with this member: of 0.2, when size is 0. */
#define MR_SIZED(type, last) (offsetof(type, last) + sizeof(((const type *)0)->last))

/* mr_sized_check: 0; -EINVAL no layout has that size: the struct was not zeroed, most likely. */
int mr_sized_check(const void *its, size_t first);

/* mr_sized_read copies what a program has filled in into our layout; what its layout lacks is 0.
 *   its   may be NULL: all 0        first   bytes of the layout of 0.2
 * Returns 0; -EINVAL mr_sized_check, or it asks for something that this library does not know. */
int mr_sized_read(void *own, size_t own_size, const void *its, size_t first);

/* mr_sized_write copies our layout to a program's that mr_sized_check has passed, never beyond its
 * size; its size stays, and what only it knows becomes 0. */
void mr_sized_write(void *its, const void *own, size_t own_size, size_t first);

#endif
