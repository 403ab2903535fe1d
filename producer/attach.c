#include "attach.h"
#include "program.h"
#include <errno.h>
#include <stddef.h>

#define RETRY_NS 50000000

/* A bus outlives its broker, but only a broker creates topics: one that comes back within the time will do. */
static int create_topic(struct mr_bus *bus, const struct options *options)
{
    int64_t end = mr_program_now() + options->wait_ns;
    const struct mr_settings defaults = {0};
    int error, told = 0;

    for (;;) {
        error = mr_topic_create(bus, options->topic, &defaults, 1);
        if (error != -ECONNREFUSED || mr_program_stop || mr_program_now() >= end)
            break;
        if (!told && mr_program_now() >= end - options->wait_ns + 500000000) {
            mr_program_notice("%s: no such topic, and no broker runs that could create it; waiting for one", options->topic);
            told = 1;
        }
        mr_program_sleep(RETRY_NS);
    }
    return mr_program_stop ? -EINTR : error;
}

static int open_topic(struct attachment *at, const struct options *options)
{
    int error = mr_topic_open(at->bus, options->topic, &at->topic);

    if (error == -ENOENT && options->no_create) {
        mr_program_no_topic(at->bus, options->topic);
        return MR_EXIT_NO_TOPIC;
    }
    if (error == -ENOENT) {
        error = create_topic(at->bus, options);
        if (error == -ECONNREFUSED) {
            mr_program_error("%s: no such topic, and no broker runs that could create it (start one: ./broker -b %s)",
                             options->topic, mr_bus_name(at->bus));
            return MR_EXIT_NO_BROKER;
        }
        if (error == -EACCES) {
            mr_program_no_topic(at->bus, options->topic);
            mr_program_error("the broker creates no topics by itself (./broker create %s)", options->topic);
            return MR_EXIT_NO_TOPIC;
        }
        if (error == 0)
            mr_program_notice("created topic %s", options->topic);
        if (error && error != -EEXIST) { /* another producer was first: as good */
            if (error != -EINTR)
                mr_program_create_fail(error, at->bus, options->topic);
            return mr_program_exit_for(error);
        }
        error = mr_topic_open(at->bus, options->topic, &at->topic);
    }
    if (!error)
        return 0;
    mr_program_topic_fail(error, at->bus, options->topic);
    return mr_program_exit_for(error);
}

int attach_open(struct attachment *at, const struct options *options)
{
    struct mr_settings settings;
    int status;

    *at = (struct attachment){0};
    status = mr_program_connect(options->bus, "producer", options->wait_ns, &at->bus);
    if (status)
        return status;
    if ((status = open_topic(at, options)))
        return status;
    mr_topic_settings(at->topic, &settings);
    if (options->partition >= 0 && (uint32_t)options->partition >= settings.partitions) {
        mr_program_error("%s: no partition %d (it has %u, counted from 0)", options->topic, (int)options->partition,
                         settings.partitions);
        return MR_EXIT_USAGE;
    }
    return 0;
}

void attach_close(struct attachment *at)
{
    mr_topic_close(at->topic);
    mr_disconnect(at->bus);
    *at = (struct attachment){0};
}
