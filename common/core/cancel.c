/* cancel.c - see cancel.h. */
#include "cancel.h"
#include "producer.h"
#include "wait.h"

void mr_cancel_set(_Atomic int *word, struct mr_cond *cond)
{
    int saved = errno;
    atomic_store_explicit(word, 1, memory_order_seq_cst);
    mr_cond_wake_all(cond);
    errno = saved;
}

void mr_consumer_cancel(struct mr_consumer *consumer)
{
    mr_cancel_set(&consumer->cancelled, mr_wait_cond(consumer));
}

void mr_producer_cancel(struct mr_producer *producer)
{
    mr_cancel_set(&producer->cancelled, &producer->topic->shm->space);
}
