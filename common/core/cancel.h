/* cancel.h - a handle's wait, ended by another thread or a signal handler.
 *
 * The handle has a word that is set until a wait has ended by it. A wait that is about to begin
 * must not miss it: the waiter looks at the word after mr_cond_prepare, and the canceller wakes the
 * condition variable after it has set the word. */
#ifndef COMMON_CORE_CANCEL_H
#define COMMON_CORE_CANCEL_H

#include "cond.h"

#include <errno.h>
#include <stdatomic.h>

/* mr_cancel_set sets the word and wakes the waiters of cond. Never blocks; async-signal-safe. */
void mr_cancel_set(_Atomic int *word, struct mr_cond *cond);

/* mr_cancel_seen: -ECANCELED while the word is set, else 0. mr_cancel_take also clears it. */
static inline int mr_cancel_seen(const _Atomic int *word)
{
    return atomic_load_explicit(word, memory_order_relaxed) ? -ECANCELED : 0;
}

static inline int mr_cancel_take(_Atomic int *word)
{
    return mr_cancel_seen(word) && atomic_exchange_explicit(word, 0, memory_order_relaxed)
               ? -ECANCELED
               : 0;
}

#endif
