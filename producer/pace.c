#include "pace.h"
#include "program.h"

#define CATCH_UP_NS 1e8

void pace_start(struct pace *pace, const struct options *options)
{
    int64_t now = mr_program_now();

    *pace = (struct pace){
        .interval_ns = options->interval_ns,
        .steady = options->steady,
        .jitter = options->jitter,
        .due_ns = (double)now,
        .random = (uint64_t)now | 1,
    };
}

int64_t pace_wait_ns(const struct pace *pace)
{
    return pace->interval_ns > 0 ? (int64_t)(pace->due_ns - (double)mr_program_now()) : 0;
}

void pace_sent(struct pace *pace)
{
    double gap = pace->interval_ns, now;

    if (!(gap > 0))
        return;
    if (pace->jitter > 0) {
        pace->random ^= pace->random << 13; /* xorshift64: even enough for pauses */
        pace->random ^= pace->random >> 7;
        pace->random ^= pace->random << 17;
        gap *= 1 + pace->jitter * ((double)(pace->random >> 11) * 0x1p-52 - 1);
    }
    now = (double)mr_program_now();
    if (!pace->steady)
        pace->due_ns = now;
    else if (pace->due_ns < now - CATCH_UP_NS)
        pace->due_ns = now - CATCH_UP_NS;
    pace->due_ns += gap;
}
