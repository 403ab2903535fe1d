/* join.c - opens the topics of a run and joins their groups. */
#include "cli/program.h"
#include "run_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* +N counts from the oldest record. The library takes one offset for all partitions. */
static int resolve_start(struct run *run, const struct source *source, int64_t *arg)
{
    struct mr_partition_info info = {0};
    uint64_t first = 0;
    *arg = run->take->position.arg;
    if (!run->take->position.skip)
        return 0;
    int error;
    for (uint32_t p = 0; (error = mr_partition_info(source->topic, p, &info)) != -ERANGE; p++) {
        if (error) {
            program_fail(error, "%s: -o +%" PRId64 ": find the oldest record", source->name, *arg);
            return -1;
        }
        if (p > 0 && info.first_offset != first) {
            program_error("%s: -o +%" PRId64 ": its partitions start at different offsets; give an "
                          "offset (-o N) or a time (-o @TIME)",
                          source->name, *arg);
            return -1;
        }
        first = info.first_offset;
    }
    *arg = first > (uint64_t)(INT64_MAX - *arg) ? INT64_MAX : *arg + (int64_t)first;
    return 0;
}

static void describe_member(const struct run *run, const struct source *source)
{
    struct mr_topic_info info = {0};
    int64_t lag;
    if (!program_verbose || mr_topic_info(source->topic, &info) < 0)
        return;
    if (run->take->flags & (MR_PEEK | MR_PRIVATE))
        program_notice("%s: %s, %" PRIu32 " partition(s), %" PRIu64 " records kept", source->name,
                       run->take->flags & MR_PEEK ? "peeking" : "a private group", info.partitions,
                       info.records_kept);
    else if ((lag = mr_consumer_lag(source->consumer)) >= 0)
        program_notice("%s: group %s, %" PRIu32 " partition(s), %" PRId64 " records to acknowledge",
                       source->name, run->take->group ? run->take->group : "default",
                       info.partitions, lag);
}

/* How many records to claim at a time: no more than -c still allows; with --where more, since not
 * all of them match. */
uint32_t run_window(const struct run *run)
{
    const struct take *take = run->take;
    return run->left < take->window && !take->where ? (uint32_t)run->left : take->window;
}

static struct mr_consumer_options handle_options(const struct run *run)
{
    const struct take *take = run->take;
    return (struct mr_consumer_options){.group = take->group,
                                        .flags = take->flags | (take->drain ? MR_UNTIL_DRAINED : 0),
                                        .window = run_window(run),
                                        .tries = take->tries};
}

int run_another(const struct run *run, const struct source *source, struct mr_consumer **out)
{
    const struct mr_consumer_options options = handle_options(run);
    return mr_consumer_open(source->topic, &options, out);
}

/* 1 if --ordered was asked for but the group existed and is not ordered; 0; or a negative errno. */
static int joined_unordered(const struct run *run, const struct source *source, const char *name)
{
    struct mr_group_info group = {0};
    if (!(run->take->flags & MR_ORDERED) || (run->take->flags & MR_PRIVATE))
        return 0;
    int idx = mr_group_find(source->topic, name);
    int got = idx < 0 ? idx : mr_group_info(source->topic, (uint32_t)idx, &group);
    return got > 0 ? !group.is_ordered : got == -ENOENT ? 0 : got;
}

static void join(struct run *run, struct source *source)
{
    const struct take *take = run->take;
    const char *group = take->group ? take->group : "default";
    struct mr_consumer_options options = handle_options(run);
    options.start = take->position.start;
    if (resolve_start(run, source, &options.start_arg) < 0) {
        run_end(run, EXIT_FAILED);
        return;
    }
    int error = mr_consumer_open(source->topic, &options, &source->consumer);
    int unordered = 0;
    switch (error) {
    case 0:
        source->state = OPEN;
        unordered = joined_unordered(run, source, group);
        if (unordered < 0) {
            run_end_failed(run, unordered, source, "find out whether its group is ordered");
        } else if (unordered) {
            program_error("%s: group %s exists and is not ordered; use another group (-g NAME)",
                          source->name, group);
            run_end(run, EXIT_FAILED);
        } else {
            describe_member(run, source);
        }
        break;
    case -EBUSY:
        program_error("%s: group %s has other consumers attached, so -o cannot move it; end them, "
                      "or use another group (-g NAME, --all)",
                      source->name, group);
        run_end(run, EXIT_FAILED);
        break;
    case -EUSERS:
        program_error("%s: no room for another group or consumer; see who is there with: broker "
                      "describe %s",
                      source->name, source->name);
        run_end(run, EXIT_FAILED);
        break;
    default:
        run_end_failed(run, error, source, "join");
        break;
    }
}

/* Opens the topics that are missing. The first time all are tried, later only after a topic was
 * created. */
void run_open_missing(struct run *run)
{
    const struct take *take = run->take;
    int changed = mr_bus_wait_change(run->bus, &run->seen, 0) == 0;
    if (run->looked && !changed)
        return;
    for (size_t i = 0; i < take->topic_cnt && run->status == RUNNING; i++) {
        struct source *source = &run->source[i];
        if (source->state != MISSING)
            continue;
        int error = mr_topic_open(run->bus, source->name, &source->topic);
        if (error == 0) {
            run_bind(run, source, 0); /* before anything is taken */
            if (run->status == RUNNING)
                join(run, source);
        } else if (error == -EINTR) {
            run_end(run, program_exit_for(error));
        } else if (error != -ENOENT) {
            program_topic_fail(error, run->bus, source->name);
            run_end(run, EXIT_FAILED);
        } else if ((take->flags & MR_UNTIL_END) || take->drain) {
            program_no_topic(run->bus, source->name);
            run_end(run, EXIT_NO_TOPIC);
        }
    }
    run->looked = 1;
}
