/* fuzz_look.c - an observer attaches to a damaged topic and looks at everything: nothing is read
 * outside the mapping, nothing goes on for ever, and whatever is given out lies where it says. */
#include "image.h"

#include <errno.h>

static struct image bus_image, image;
static struct mr_bus *observer;

static int begin(void)
{
    image_begin(&bus_image, &image);
    MUST(mr_bus_connect(mr_bus_name(image_bus), &(struct mr_connect_options){.flags = MR_OBSERVER},
                        &observer) == 0);
    return 1;
}

static volatile unsigned char sink;

static void read_all(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        sink ^= at[i];
}

static void look_around(struct mr_topic *topic)
{
    struct mr_topic_info info = {0};
    struct mr_partition_info partition = {0};
    struct mr_group_info group = {0};
    struct mr_group_partition_info part = {0};
    struct mr_member_info member = {0};
    struct mr_producer_info producer = {0};
    struct mr_settings settings = {0};
    char columns[64];
    uint32_t flags;
    mr_topic_info(topic, &info);
    mr_topic_settings(topic, &settings);
    MUST(mr_topic_record_max(topic) <= MR_SIZE_MAX && settings.partitions <= MR_PARTITIONS_MAX);
    mr_topic_columns(topic, columns, sizeof columns, &flags);
    for (uint32_t p = 0; mr_partition_info(topic, p, &partition) != -ERANGE; p++)
        MUST(p < MR_PARTITIONS_MAX);
    for (uint32_t g = 0; mr_group_info(topic, g, &group) != -ERANGE; g++)
        for (uint32_t p = 0; mr_group_partition_info(topic, g, p, &part) != -ERANGE; p++)
            MUST(p < MR_PARTITIONS_MAX);
    for (uint32_t i = 0; mr_member_info(topic, i, &member) != -ERANGE; i++)
        MUST(i < MR_MEMBERS);
    for (uint32_t i = 0; mr_producer_info(topic, i, &producer) != -ERANGE; i++)
        MUST(i < MR_PRODUCERS);
}

static void peek(struct mr_topic *topic, enum mr_start start, int64_t arg)
{
    struct mr_consumer_options options = {
        .flags = MR_PEEK | MR_UNTIL_END, .start = start, .start_arg = arg, .window = 7};
    struct mr_consumer *consumer;
    struct mr_record record;
    uint64_t records = 0;
    int got = 0;
    if (mr_consumer_open(topic, &options, &consumer) != 0)
        return;
    while (got >= 0 && mr_consumer_claim(consumer, 0, 0) > 0) {
        while ((got = mr_consumer_next(consumer, &record)) > 0) {
            struct mr_header header;
            size_t at = 0;
            MUST(++records <= MR_PARTITIONS_MAX * topic->ring_bytes / MR_RECORD_OVERHEAD);
            MUST((uint64_t)record.key_len + record.headers_len + record.value_len +
                     MR_RECORD_OVERHEAD <=
                 topic->ring_bytes);
            if (record.key)
                read_all(record.key, record.key_len);
            read_all(record.value, record.value_len);
            while (mr_header_next(record.headers, record.headers_len, &at, &header) > 0)
                read_all(header.value, header.value_len);
        }
        if (got == 0)
            mr_consumer_ack(consumer);
    }
    mr_consumer_lag(consumer);
    mr_consumer_close(consumer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    begun = begun || begin();
    struct fuzz_input in = {data, size};
    struct mr_topic *topic;
    uint64_t arg = fuzz_take(&in, 1);
    image_damage(&image, &in, 1);
    if (mr_topic_open(observer, "t", &topic) == 0) {
        look_around(topic);
        for (int start = MR_START_STORED; start <= MR_START_TIME; start++)
            peek(topic, (enum mr_start)start, (int64_t)arg);
        mr_topic_close(topic);
    }
    image_mend(&image);
    return 0;
}
