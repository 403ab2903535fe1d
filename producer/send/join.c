/* join.c - see join.h. */
#include "join.h"
#include "cli/program.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define LOOK_NS INT64_C(20000000)
#define TELL_NS INT64_C(500000000)

/* 1 if a group of the topic, whose name is then in group, has not acknowledged all below ends,
 * or if there is no group (""). 0 if all have; or a negative errno. */
static int is_owed(const struct mr_topic *topic, const uint64_t *ends, uint32_t partitions,
                   char group[static MR_GROUP_NAME_MAX + 1])
{
    struct mr_group_info info = {0};
    struct mr_group_partition_info part = {0};
    int found, there, groups = 0;

    for (uint32_t i = 0; (found = mr_group_info(topic, i, &info)) != -ERANGE; i++) {
        if (found < 0)
            return found;
        groups += found;
        for (uint32_t p = 0; found && p < partitions; p++) {
            there = mr_group_partition_info(topic, i, p, &part);
            if (there < 0)
                return there;
            if (there && part.committed_offset < ends[p]) {
                for (size_t c = 0; c <= MR_GROUP_NAME_MAX; c++)
                    group[c] = info.name[c];
                return 1;
            }
        }
    }
    group[0] = '\0';
    return !groups;
}

static int note_ends(const struct mr_topic *topic, uint64_t *ends, uint32_t partitions)
{
    struct mr_partition_info info = {0};
    int error = 0;

    for (uint32_t p = 0; p < partitions && !error; p++) {
        error = mr_partition_info(topic, p, &info);
        ends[p] = error ? 0 : info.next_offset;
    }
    return error;
}

int join_all(const struct mr_topic *topic, int64_t timeout_ns)
{
    char group[MR_GROUP_NAME_MAX + 1];
    struct mr_settings settings = {0};
    struct mr_topic_info info = {0};
    int64_t start = program_now(), waited;
    uint64_t *ends;
    int error, owed, told = 0;

    mr_topic_settings(topic, &settings);
    if (!(ends = calloc(settings.partitions, sizeof(*ends))))
        return -ENOMEM;
    error = note_ends(topic, ends, settings.partitions);
    while (!error && (owed = is_owed(topic, ends, settings.partitions, group)) != 0) {
        if (owed < 0) {
            error = owed;
            break;
        }
        waited = program_now() - start;
        if (waited >= TELL_NS && !told) {
            if (*group)
                program_notice("%s: waiting for group %s to acknowledge what was sent earlier",
                               mr_topic_name(topic), group);
            else
                program_notice("%s: no consumer has come yet; waiting for one (consumer %s)",
                               mr_topic_name(topic), mr_topic_name(topic));
            told = 1;
        }
        if (timeout_ns >= 0 && waited >= timeout_ns)
            error = -ETIMEDOUT;
        else if (!(error = mr_topic_info(topic, &info)))
            error = info.deleted ? -EIDRM : program_sleep(LOOK_NS);
    }
    free(ends);
    return error;
}
