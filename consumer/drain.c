/* drain.c - --drain: whether all producers are done, and which of them died. */
#include "cli/program.h"
#include "run_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* Names each producer that died and that the topic still lists. */
static void describe_dead(const struct source *source)
{
    struct mr_producer_info producer = {0};
    struct mr_topic_info info = {0};
    uint64_t named = 0;
    int got, error = 0;
    for (uint32_t idx = 0; (got = mr_producer_info(source->topic, idx, &producer)) != -ERANGE;
         idx++) {
        error = got < 0 ? got : error;
        if (got <= 0 || producer.state != MR_PRODUCER_DIED)
            continue;
        named++;
        program_error("%s: a producer died: %s, pid %" PRId32 ", after %" PRIu64
                      " record%s; what it had not sent is missing",
                      source->name, producer.name, producer.pid, producer.records,
                      producer.records == 1 ? "" : "s");
    }
    if (!error)
        error = mr_topic_info(source->topic, &info);
    if (error)
        program_fail(error, "%s: a producer died; not all of them can be listed", source->name);
    else if (info.producers_died > named)
        program_error("%s: %s%" PRIu64 " producer(s) died; what they had not sent is missing",
                      source->name, named > 0 ? "another " : "", info.producers_died - named);
}

/* Whether all that the group has not acknowledged are failed records that wait for a dead-letter
 * topic which does not take them: no consumer can do more, so waiting for them may be for ever.
 * *died is set then: whether a producer has died. */
static int only_parked(const struct source *source, int *died)
{
    struct mr_topic_info info = {0};
    struct mr_consumer_stats stats = {0};
    if (mr_topic_info(source->topic, &info) || info.damaged || info.producers ||
        !(info.producers_done || info.producers_died || info.sealed))
        return 0;
    *died = info.producers_died > 0;
    mr_consumer_stats(source->consumer, &stats);
    return stats.parked > 0 && mr_consumer_lag(source->consumer) == (int64_t)stats.parked;
}

int drain_check(struct run *run)
{
    const struct take *take = run->take;
    int died[TOPICS_MAX] = {0}, any = 0;
    for (size_t i = 0; i < take->topic_cnt; i++) {
        const struct source *source = &run->source[i];
        if (source->state == BUSY)
            return RUNNING;
        if (source->state != OPEN)
            continue;
        int drained = mr_consumer_drained(source->consumer);
        if (drained < 0)
            return run_failed(drained, source->name, "drain");
        died[i] = drained == 2;
        if (drained == 0 && !only_parked(source, &died[i]))
            return RUNNING;
        any |= died[i];
    }
    for (size_t i = 0; i < take->topic_cnt; i++)
        if (died[i])
            describe_dead(&run->source[i]);
    return any ? EXIT_PRODUCER_DIED : EXIT_OK;
}

const char *drain_describe(char buf[static DRAIN_TEXT], const struct source *source)
{
    struct mr_topic_info info = {0};
    int64_t lag = mr_consumer_lag(source->consumer);
    int error = mr_topic_info(source->topic, &info);
    if (error || lag < 0)
        snprintf(buf, DRAIN_TEXT, "its progress is unknown: %s",
                 mr_strerror(error ? error : (int)lag));
    else if (!info.producers && !info.producers_done && !info.producers_died && !info.sealed)
        snprintf(buf, DRAIN_TEXT, "no producer has come yet");
    else
        snprintf(buf, DRAIN_TEXT,
                 "%" PRIu32 " producer%s attached, %" PRId64 " records not acknowledged",
                 info.producers, info.producers == 1 ? "" : "s", lag);
    return buf;
}
