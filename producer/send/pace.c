/* pace.c - due times are added up on the scale of the clock, so that errors do not accumulate. */
#include "pace.h"

#define CATCH_UP_NS 1e8

static double read_clock(struct pace *pace)
{
    pace->now_ns = pace->clock();
    return (double)(pace->now_ns - pace->start_ns);
}

void pace_start(struct pace *pace, const struct options *options, int64_t (*clock)(void))
{
    int64_t now = clock();

    *pace = (struct pace){
        .interval_ns = options->interval_ns,
        .steady = options->steady,
        .jitter = options->jitter,
        .factor = 1,
        .clock = clock,
        .start_ns = now,
        .now_ns = now,
        .random = (uint64_t)now | 1,
    };
}

/* Only 0.1 s of a delay is made up for: a topic that was full for a minute does not get the
 * records of a minute at once. */
static void catch_up(struct pace *pace)
{
    double now = (double)(pace->now_ns - pace->start_ns);

    if (pace->due_ns < now - CATCH_UP_NS)
        pace->due_ns = now - CATCH_UP_NS;
}

void pace_row(struct pace *pace, int64_t ts_ns)
{
    if (pace->timed && ts_ns > pace->last_ts_ns) {
        catch_up(pace);
        pace->due_ns += (double)((uint64_t)ts_ns - (uint64_t)pace->last_ts_ns) / pace->factor;
    }
    pace->timed = 1;
    pace->last_ts_ns = ts_ns;
}

int64_t pace_wait_ns(struct pace *pace)
{
    double due = pace->due_ns;

    if (due <= (double)(pace->now_ns - pace->start_ns))
        return 0;
    due -= read_clock(pace);
    return due < 4e18 ? (int64_t)due : INT64_C(4000000000000000000);
}

void pace_sent(struct pace *pace)
{
    double gap = pace->interval_ns;

    if (!(gap > 0))
        return;
    if (pace->jitter > 0) {
        pace->random ^= pace->random << 13; /* xorshift64: even enough for pauses */
        pace->random ^= pace->random >> 7;
        pace->random ^= pace->random << 17;
        gap *= 1 + pace->jitter * ((double)(pace->random >> 11) * 0x1p-52 - 1);
    }
    if (pace->steady)
        catch_up(pace);
    else
        pace->due_ns = read_clock(pace);
    pace->due_ns += gap;
}
