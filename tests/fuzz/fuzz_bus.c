/* fuzz_bus.c - a damaged bus: who connects, looks at all clients and topics, and takes part. */
#include "image.h"

#include <errno.h>

static struct image image, topic_image;

static int begin(void)
{
    image_begin(&image, &topic_image);
    return 1;
}

static void look(uint32_t flags)
{
    struct mr_client_info info = {0};
    struct mr_topic *topic;
    struct mr_bus *bus;
    char **names;
    uint32_t seen = 0;
    if (mr_bus_connect(mr_bus_name(image_bus),
                       &(struct mr_connect_options){.flags = flags, .name = "fuzz"}, &bus) != 0)
        return;
    for (uint32_t i = 0; mr_client_info(bus, i, &info) != -ERANGE; i++)
        MUST(i < MR_CLIENTS_MAX);
    mr_broker_pid(bus);
    mr_bus_wait_change(bus, &seen, 0);
    ssize_t n = mr_bus_topics(bus, &names);
    MUST(n >= 1);
    free(names);
    if (mr_topic_open(bus, "t", &topic) == 0) {
        struct mr_topic_info about = {0};
        mr_topic_info(topic, &about);
        if (!(flags & MR_OBSERVER))
            mr_topic_reap_dead(topic);
        mr_topic_close(topic);
    }
    mr_bus_disconnect(bus);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    begun = begun || begin();
    struct fuzz_input in = {data, size};
    image_damage(&image, &in, 1);
    look(MR_OBSERVER);
    look(0);
    image_mend(&image);
    return 0;
}
