/* forget_source.c - makes a topic forget a file of producer --resume: that frees its entry in
 * the table, and the path can be used for another file. */
#include "cli/program.h"
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN_MAX 128 /* sources in a partition */

/* Forgets each source of the file that the partition knows: one for each way of reading it.
 * Returns the number forgotten, or a negative errno. */
static ssize_t forget_in(struct mr_topic *topic, uint32_t partition, uint64_t file)
{
    uint64_t ids[KNOWN_MAX];
    ssize_t cnt = mr_topic_sources_known(topic, partition, ids, KNOWN_MAX), forgotten = 0;
    for (ssize_t i = 0; i < cnt && i < KNOWN_MAX; i++) {
        if (SOURCE_FILE(ids[i]) != file)
            continue;
        int error = mr_topic_forget_source(topic, ids[i]);
        if (error && error != -ENOENT)
            return error;
        forgotten++;
    }
    return cnt < 0 ? cnt : forgotten;
}

static int forget(struct mr_topic *topic, const char *file)
{
    const char *name = mr_topic_name(topic);
    struct mr_settings settings = {0};
    ssize_t got = 0, all = 0;
    uint64_t id;
    int error = program_file_id(file, &id);
    if (error) {
        program_error("%s: %s", file, strerror(-error));
        return EXIT_FAILED;
    }
    mr_topic_settings(topic, &settings);
    for (uint32_t p = 0; p < settings.partitions && got >= 0; p++) {
        got = forget_in(topic, p, id);
        all += got > 0 ? got : 0;
    }
    if (got < 0) {
        program_fail((int)got, "%s: forget-source", name);
        return program_exit_for((int)got);
    }
    if (!all) {
        program_error("%s: has no rows of %s from producer --resume, or has already forgotten it",
                      name, file);
        return EXIT_FAILED;
    }
    program_notice("%s: forgot %s: producer --resume now sends it from its start", name, file);
    return EXIT_OK;
}

int command_forget_source(const struct command_line *line)
{
    struct mr_bus *bus;
    struct mr_topic *topic = NULL;
    int status = command_connect(line, 0, &bus);
    if (status)
        return status;
    status = command_topic(bus, line->operands[0], &topic);
    if (!status)
        status = forget(topic, line->operands[1]);
    mr_topic_close(topic);
    mr_bus_disconnect(bus);
    return status;
}
