/* fuzz_member.c - a damaged topic in the hands of those who may write: a producer and a consumer go
 * through all they can do. (Its mutexes are left alone: who overwrites those could as well write
 * into the process.) */
#include "image.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct image bus_image, image;
static struct mr_bus *bus;
static char dead_path[MR_TOPIC_NAME_MAX + 8];

static int begin(void)
{
    image_begin(&bus_image, &image);
    MUST(mr_bus_connect(mr_bus_name(image_bus), NULL, &bus) == 0);
    snprintf(dead_path, sizeof dead_path, "%s.dead", image.path);
    return 1;
}

static volatile unsigned char sink;

/* A record lies in one of the rings, or in a copy that is no longer than one. */
static void read_record(struct mr_topic *topic, const struct mr_record *record)
{
    const unsigned char *value = record->value, *ring = mr_topic_ring(topic, record->partition);
    uint64_t len = (uint64_t)record->key_len + record->headers_len + record->value_len;
    MUST(len + MR_RECORD_OVERHEAD <= topic->ring_bytes);
    if (topic->full != MR_FULL_DROP_OLDEST)
        MUST(value >= ring && value + record->value_len <= ring + 2 * topic->ring_bytes);
    const unsigned char *from = value - len + record->value_len;
    for (uint64_t i = 0; i < len; i++)
        sink ^= from[i];
}

static void consume(struct mr_topic *topic, uint64_t script,
                    const struct mr_consumer_options *options)
{
    struct mr_consumer *consumer;
    struct mr_record record;
    if (mr_consumer_open(topic, options, &consumer) != 0)
        return;
    for (int turn = 0; turn < 12; turn++, script = script >> 2 | script << 62) {
        ssize_t cnt = mr_consumer_claim(consumer, 0, 0);
        int got = 0;
        if (cnt <= 0)
            break;
        for (uint64_t n = 0; (got = mr_consumer_next(consumer, &record)) > 0; n++) {
            MUST(n <= topic->ring_bytes / MR_RECORD_OVERHEAD);
            read_record(topic, &record);
            if ((script & 3) == 2 && n == 1)
                break;
        }
        if (got < 0)
            break;
        int error = (script & 3) == 1   ? mr_consumer_give_back(consumer)
                    : (script & 3) == 2 ? mr_consumer_fail(consumer, "fuzz")
                                        : mr_consumer_ack(consumer);
        if (error < 0)
            break;
    }
    mr_consumer_drained(consumer);
    mr_consumer_lag(consumer);
    mr_consumer_close(consumer);
}

static void produce(struct mr_topic *topic, uint64_t script)
{
    static const char text[900];
    struct mr_producer *producer;
    if (mr_producer_open(topic, NULL, &producer) != 0)
        return;
    for (int turn = 0; turn < 6; turn++, script >>= 8) {
        struct mr_message msgs[8];
        for (size_t i = 0; i < 8; i++)
            msgs[i] =
                (struct mr_message){.value = text, .value_len = (uint32_t)(script & 0xff) * 3};
        ssize_t n = mr_producer_append(producer, msgs, 8, 0);
        MUST(n <= 8);
    }
    mr_producer_close(producer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    begun = begun || begin();
    struct fuzz_input in = {data, size};
    struct mr_topic *topic;
    uint64_t what = fuzz_take(&in, 1), script = fuzz_take(&in, 8);
    struct mr_consumer_options options = {.group = what & 1   ? "default"
                                                   : what & 2 ? "in-order"
                                                              : "another",
                                          .flags = (what & 4 ? MR_PRIVATE : 0) |
                                                   (what & 8 ? MR_UNTIL_END : 0),
                                          .start = (enum mr_start)((what >> 4) % 6),
                                          .start_arg = (int64_t)(script & 0xff),
                                          .window = (uint32_t)(script >> 8 & 0xff)};
    image_damage(&image, &in, 0);
    if (mr_topic_open(bus, "t", &topic) == 0) {
        if (script >> 63)
            produce(topic, script);
        consume(topic, script, &options);
        produce(topic, ~script);
        if (script >> 62 & 1)
            mr_topic_purge(topic);
        mr_topic_set_columns(topic, "a,b", 3, 0);
        mr_topic_reap_dead(topic);
        mr_topic_seal(topic);
        consume(topic, ~script, &options);
        mr_topic_close(topic);
    }
    unlink(dead_path);
    image_mend(&image);
    return 0;
}
