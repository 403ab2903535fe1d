/* guard.c - see guard.h and mr_guard.
 *
 * The handler runs in the thread whose access failed, at any instruction, while others map and
 * unmap. So the ranges are a list that only grows, whose nodes are used again and never freed:
 * walking it needs no lock. A node's begin is stored last when it is filled in and cleared first
 * when it is given up. */
#include "guard.h"
#include "millrace.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct range {
    struct range *next;
    _Atomic int used;
    _Atomic uintptr_t begin, end; /* begin 0: nothing there */
    _Atomic(_Atomic int *) damaged;
};

static _Atomic(struct range *) ranges;
static _Atomic int installed;
static struct sigaction before;
static uintptr_t page_bytes;

int mr_guard_add(const void *at, uint64_t bytes, _Atomic int *damaged)
{
    struct range *range = atomic_load_explicit(&ranges, memory_order_acquire);
    int unused = 0;
    while (range && !atomic_compare_exchange_strong_explicit(
                        &range->used, &unused, 1, memory_order_acquire, memory_order_relaxed)) {
        unused = 0;
        range = range->next;
    }
    if (!range) {
        range = calloc(1, sizeof *range);
        if (!range)
            return -ENOMEM;
        atomic_store_explicit(&range->used, 1, memory_order_relaxed);
        range->next = atomic_load_explicit(&ranges, memory_order_relaxed);
        while (!atomic_compare_exchange_weak_explicit(&ranges, &range->next, range,
                                                      memory_order_release, memory_order_relaxed))
            ;
    }
    atomic_store_explicit(&range->damaged, damaged, memory_order_relaxed);
    atomic_store_explicit(&range->end, (uintptr_t)at + bytes, memory_order_relaxed);
    atomic_store_explicit(&range->begin, (uintptr_t)at, memory_order_release);
    return 0;
}

void mr_guard_remove(const void *at)
{
    for (struct range *range = atomic_load_explicit(&ranges, memory_order_acquire); range;
         range = range->next)
        if (atomic_load_explicit(&range->begin, memory_order_relaxed) == (uintptr_t)at) {
            atomic_store_explicit(&range->begin, 0, memory_order_relaxed);
            atomic_store_explicit(&range->used, 0, memory_order_release);
            return;
        }
}

/* Puts zeros under an address of ours. Returns 1; 0 it is not ours, or there is no memory. */
static int replace_page(uintptr_t address)
{
    for (struct range *range = atomic_load_explicit(&ranges, memory_order_acquire); range;
         range = range->next) {
        uintptr_t begin = atomic_load_explicit(&range->begin, memory_order_acquire);
        if (!begin || address < begin ||
            address >= atomic_load_explicit(&range->end, memory_order_relaxed))
            continue;
        atomic_store_explicit(atomic_load_explicit(&range->damaged, memory_order_relaxed), 1,
                              memory_order_release);
        void *page = (void *)(address & ~(page_bytes - 1)); /* NOLINT(performance-no-int-to-ptr) */
        return mmap(page, page_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
    }
    return 0;
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    int error = errno, sent = info->si_code <= 0; /* by kill, not by an access */
    if (info->si_code == BUS_ADRERR && replace_page((uintptr_t)info->si_addr)) {
        errno = error; /* the access is made again, and goes on */
    } else if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else if (!sent || before.sa_handler == SIG_DFL) { /* dies of it when this handler returns */
        signal(number, SIG_DFL);
        raise(number);
    }
}

int mr_guard(void)
{
    if (atomic_exchange_explicit(&installed, 1, memory_order_acq_rel))
        return 0;
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &before) < 0 || sigaction(SIGBUS, &action, NULL) < 0) {
        atomic_store_explicit(&installed, 0, memory_order_release);
        return -errno;
    }
    return 0;
}
