#include "attach.h"
#include "cli/program.h"
#include <errno.h>
#include <stddef.h>

int attach_open(struct attachment *at, const struct options *options)
{
    struct mr_settings settings = {0};
    int status;

    *at = (struct attachment){0};
    status = program_connect(options->bus, "producer", options->wait_ns, &at->bus);
    if (status)
        return status;
    if ((status = program_open_topic(at->bus, options->topic, !options->no_create, options->wait_ns,
                                     &at->topic)))
        return status;
    mr_topic_settings(at->topic, &settings);
    if (options->partition != PARTITION_ANY &&
        (uint32_t)options->partition >= settings.partitions) {
        program_error("%s: no partition %d (it has %u, counted from 0)", options->topic,
                      (int)options->partition, settings.partitions);
        return EXIT_USAGE;
    }
    return 0;
}

void attach_close(struct attachment *at)
{
    mr_topic_close(at->topic);
    mr_bus_disconnect(at->bus);
    *at = (struct attachment){0};
}
