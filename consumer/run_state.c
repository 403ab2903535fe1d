#include "run_state.h"
#include "cli/program.h"

#include <errno.h>

void run_end(struct run *run, int status)
{
    if (run->status == RUNNING)
        run->status = status;
}

int run_failed(int error, const char *of, const char *in)
{
    if (error == -EINTR && program_stop)
        return program_exit_for(error);
    program_fail(error, "%s: %s", of, in);
    return EXIT_FAILED;
}

void run_end_failed(struct run *run, int error, const struct source *source, const char *what)
{
    run_end(run, run_failed(error, source->name, what));
}

size_t run_count(const struct run *run, enum source_state state)
{
    size_t cnt = 0;
    for (size_t i = 0; i < run->take->topic_cnt; i++)
        cnt += run->source[i].state == state;
    return cnt;
}

void run_close(struct run *run, struct source *source, struct mr_consumer *consumer)
{
    struct taken *taken = run->taken;
    struct mr_consumer_stats stats = {0};
    if (!consumer)
        return;
    mr_consumer_stats(consumer, &stats);
    taken->redelivered += stats.redelivered;
    taken->starved_ns += stats.starved_ns;
    source->dead_lettered += stats.dead_lettered;
    source->lost += stats.lost;
    source->parked = stats.parked;
    mr_consumer_close(consumer);
}
