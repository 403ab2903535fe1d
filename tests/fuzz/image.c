/* image.c - see image.h.
 *
 * Damage is a series of changes: where (one of the kinds below, so that what matters is hit often),
 * and what (a value, a step, a copy of another word). If the input asks for it, all check words are
 * made right again afterwards, so that wrong lengths are believed. */
#include "image.h"
#include "core/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PARTITIONS 2u
#define STARTS     1024

struct mr_bus *image_bus;
struct mr_topic *image_topic;

/* Attached for good, with something in hand. */
static struct mr_producer *producer;
static struct mr_consumer *worker, *ordered;

static struct {
    uint32_t p;
    uint64_t pos;
} starts[STARTS]; /* of all records that are there */
static size_t start_cnt;

static uint64_t file_at(uint32_t p, uint64_t pos)
{
    return image_topic->control_bytes + p * image_topic->ring_bytes + pos % image_topic->ring_bytes;
}

/* ---- making ---- */

static void append_some(struct mr_producer *from, unsigned n)
{
    static const char text[600] = "1,\"two, and \"\"more\"\"\",3";
    unsigned char headers[64];
    ssize_t headers_len = mr_header_add(headers, 0, sizeof headers, "source", "fuzz", 4);
    MUST(headers_len > 0);
    for (unsigned i = 0; i < n; i++) {
        struct mr_message msg = {
            .value = text, .value_len = i * 37 % 600, .partition = MR_PARTITION(i % PARTITIONS)};
        if (i % 3 == 0) {
            msg.key = "key";
            msg.key_len = i % 4;
        }
        if (i % 5 == 0) {
            msg.headers = headers;
            msg.headers_len = (uint16_t)headers_len;
        }
        mr_producer_append(from, &msg, 1, 0);
    }
}

static struct mr_consumer *join(const char *group, uint32_t flags)
{
    struct mr_consumer *consumer;
    MUST(
        mr_consumer_open(image_topic,
                         &(struct mr_consumer_options){.group = group, .flags = flags, .window = 3},
                         &consumer) == 0);
    return consumer;
}

static void take(struct mr_consumer *consumer, unsigned claims, int ack)
{
    struct mr_record record;
    while (claims-- && mr_consumer_claim(consumer, 0, 0) > 0)
        while (mr_consumer_next(consumer, &record) > 0)
            if (ack)
                MUST(mr_consumer_ack(consumer) == 0);
}

static void fill_topic(void)
{
    struct mr_producer *other;
    struct mr_record record;
    MUST(mr_topic_set_columns(image_topic, "id,name,amount", 14, MR_EOL_CRLF) == 0);
    MUST(mr_producer_open(image_topic, NULL, &producer) == 0 &&
         mr_producer_open(image_topic, NULL, &other) == 0);
    struct mr_consumer *holder = join("default", 0);
    worker = join("default", 0);
    ordered = join("in-order", MR_ORDERED);
    for (unsigned round = 0; round < 12; round++) {
        append_some(producer, 30);
        take(worker, 100, 1);
        take(ordered, 100, 1);
    }
    append_some(other, 25);
    take(holder, 1, 0);
    take(ordered, 2, 1);
    MUST(mr_consumer_claim(worker, 0, 0) > 0 && mr_consumer_next(worker, &record) == 1 &&
         mr_consumer_fail(worker, "no") == 0);
    take(worker, 1, 0);
    mr_consumer_close(holder); /* leaves an orphan */
    mr_producer_close(other);
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        struct mr_tip tip = mr_log_tip(image_topic, p);
        struct mr_record_shm r;
        for (uint64_t pos = atomic_load(&image_topic->logs[p].tail), bytes;
             pos < tip.head && start_cnt < STARTS; pos += bytes) {
            bytes = mr_log_header(image_topic, mr_topic_ring(image_topic, p), pos, tip.head, &r);
            MUST(bytes);
            starts[start_cnt].p = p;
            starts[start_cnt++].pos = pos;
        }
    }
    MUST(start_cnt > 10);
}

static void take_image(struct image *image, const char *topic, size_t len)
{
    char name[MR_PATH_MAX];
    mr_segment_name(name, geteuid(), mr_bus_name(image_bus), topic);
    snprintf(image->path, sizeof image->path, "/dev/shm%.150s", name);
    snprintf(image->spare, sizeof image->spare, "/dev/shm/spare%.150s", name + 1);
    image->fd = open(image->path, O_RDWR | O_CLOEXEC);
    MUST(image->fd >= 0 && link(image->path, image->spare) == 0);
    image->file_bytes = (uint64_t)lseek(image->fd, 0, SEEK_END);
    image->len = len ? len : (size_t)image->file_bytes;
    image->sound = malloc(image->len);
    image->damaged = malloc(image->len);
    MUST(image->sound && image->damaged &&
         pread(image->fd, image->sound, image->len, 0) == (ssize_t)image->len);
}

static const struct image *images[2];

static void remove_all(void)
{
    for (int i = 0; i < 2; i++) {
        unlink(images[i]->path);
        unlink(images[i]->spare);
    }
}

void image_begin(struct image *bus, struct image *topic)
{
    char name[MR_BUS_NAME_MAX + 1];
    struct mr_settings settings = {.size_bytes = PARTITIONS * 8192,
                                   .partitions = PARTITIONS,
                                   .full = MR_FULL_BLOCK,
                                   .tries = 2,
                                   .mode = 0600};
    /* A topic of a wrong size must not fill the machine's memory. */
    struct rlimit limit = {.rlim_cur = 64 << 20, .rlim_max = 64 << 20};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    mr_guard();
    snprintf(name, sizeof name, "test-%d-fuzz", (int)getpid());
    MUST(mr_bus_serve(name, 0600, (gid_t)-1, NULL, &image_bus) == 0);
    MUST(mr_topic_create_segment(image_bus, "t", &settings) == 0 &&
         mr_topic_open(image_bus, "t", &image_topic) == 0);
    fill_topic();
    take_image(bus, NULL, 0);
    take_image(topic, "t", image_topic->total_bytes - MR_COLUMNS_MAX);
    images[0] = bus;
    images[1] = topic;
    atexit(remove_all);
}

/* ---- damaging ---- */

/* The mutex of a lock: a process that may write it owns every process that takes it, which is why
 * only trusted ones may. */
static int in_mutex(uint64_t at)
{
    const struct mr_topic *t = image_topic;
    uint64_t lock = offsetof(struct mr_topic_shm, lock),
             groups = (uint64_t)((unsigned char *)t->groups - t->base),
             logs = (uint64_t)((unsigned char *)t->logs - t->base);
    if (at >= logs && at < logs + t->partition_cnt * sizeof(struct mr_log_shm))
        at = (at - logs) % sizeof(struct mr_log_shm);
    else if (at >= groups && at < groups + t->group_cnt * sizeof(struct mr_group_shm))
        at = (at - groups) % sizeof(struct mr_group_shm);
    else if (at >= lock && at < lock + sizeof(struct mr_lock_shm))
        at -= lock;
    else
        return 0;
    return at < offsetof(struct mr_lock_shm, holder);
}

/* Where a change goes: an 8-byte word of some kind, or any byte. */
static uint64_t place(const struct image *image, uint64_t kind, uint64_t where)
{
    const struct mr_topic *t = image_topic;
    uint64_t from, bytes;
    switch (kind) {
    case 1:
        from = 0;
        bytes = sizeof(struct mr_topic_shm);
        break;
    case 2: /* head, tips, tail, limit, want */
        from = (uint64_t)((unsigned char *)&t->logs[where & 1].head - t->base);
        bytes = sizeof(struct mr_log_shm) - offsetof(struct mr_log_shm, head);
        where >>= 1;
        break;
    case 3:
        from = (uint64_t)((unsigned char *)t->members - t->base);
        bytes = 8 * sizeof(struct mr_member_shm);
        break;
    case 4:
        from = (uint64_t)((unsigned char *)t->groups - t->base);
        bytes = 4 * sizeof(struct mr_group_shm);
        break;
    case 5:
        from = t->parts_off;
        bytes = 4 * PARTITIONS * sizeof(struct mr_group_part_shm);
        break;
    case 6:
        from = t->index_off;
        bytes = (uint64_t)PARTITIONS * t->index_cnt * sizeof(struct mr_index_shm);
        break;
    case 7:
        from = (uint64_t)((unsigned char *)t->producers - t->base);
        bytes = 4 * sizeof(struct mr_producer_shm);
        break;
    case 8: /* a record's header */
        from = file_at(starts[where % start_cnt].p, starts[where % start_cnt].pos);
        bytes = sizeof(struct mr_record_shm);
        where = where / start_cnt;
        break;
    default:
        return where % (image->len - 7);
    }
    return from + where % (bytes / 8) * 8;
}

static int is_topic(const struct image *image)
{
    return image->len == image_topic->total_bytes - MR_COLUMNS_MAX;
}

/* The kind of place that four bits stand for. The header is for those inputs that say so: most
 * changes there end the matter at attach. */
static uint64_t kind_of(const struct image *image, uint64_t bits, uint64_t how)
{
    static const uint8_t kinds[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 2, 2, 3, 5, 8, 8, 8};
    if (!is_topic(image))
        return 0;
    return bits == 1 && !(how & 8) ? 2 : kinds[bits];
}

static void change(struct image *image, struct fuzz_input *in, uint64_t how, int with_locks)
{
    uint64_t what = fuzz_take(in, 1), where = fuzz_take(in, 3), word, other;
    uint64_t at = place(image, kind_of(image, what & 15, how), where);
    memcpy(&word, image->damaged + at, sizeof word);
    switch (what >> 4) {
    case 0:
        word = fuzz_take(in, 8);
        break;
    case 1: /* a step */
        word += (uint64_t)(int16_t)fuzz_take(in, 2);
        break;
    case 2:
        word = MR_NONE;
        break;
    case 3:
        word = 0;
        break;
    case 4: /* half a word: record lengths */
        word = (word & 0xffffffff00000000) | fuzz_take(in, 4);
        break;
    case 5:
        word = (word & 0xffffffff) | fuzz_take(in, 4) << 32;
        break;
    case 6: /* that of another place */
        memcpy(&other,
               image->damaged +
                   place(image, kind_of(image, fuzz_take(in, 1) & 15, how), fuzz_take(in, 2)),
               sizeof other);
        word = other;
        break;
    case 7: /* the same, and a step */
        memcpy(&other,
               image->damaged +
                   place(image, kind_of(image, fuzz_take(in, 1) & 15, how), fuzz_take(in, 2)),
               sizeof other);
        word = other + (uint64_t)(int16_t)fuzz_take(in, 2);
        break;
    case 8: /* some rings further on */
        word += image_topic->ring_bytes * (1 + fuzz_take(in, 1));
        break;
    default:
        word ^= (uint64_t)1 << (what >> 4) * 5 % 64 ^ fuzz_take(in, 1);
        break;
    }
    if (with_locks || !is_topic(image) || !(in_mutex(at) || in_mutex(at + 7)))
        memcpy(image->damaged + at, &word, sizeof word);
}

static void believe(struct image *image)
{
    struct mr_record_shm r;
    for (size_t i = 0; i < start_cnt; i++) {
        unsigned char *at = image->damaged + file_at(starts[i].p, starts[i].pos);
        if (at + sizeof r > image->damaged + image->len)
            continue; /* its header goes round: rare */
        memcpy(&r, at, sizeof r);
        r.check = mr_record_check(starts[i].pos, &r);
        memcpy(at, &r, sizeof r);
    }
}

void image_damage(struct image *image, struct fuzz_input *in, int with_locks)
{
    uint64_t how = fuzz_take(in, 1);
    memcpy(image->damaged, image->sound, image->len);
    while (in->left)
        change(image, in, how, with_locks);
    if (is_topic(image)) {
        struct mr_topic_shm *shm = (struct mr_topic_shm *)(void *)image->damaged;
        if (how & 1)
            believe(image);
        if (how & 2)
            shm->settings.full = MR_FULL_DROP_OLDEST;
        if (how & 4) {
            shm->settings.records_max = PARTITIONS * 20;
            shm->part_records_max = 20;
        }
    }
    MUST(pwrite(image->fd, image->damaged, image->len, 0) == (ssize_t)image->len);
    if ((how & 0xf0) == 0xf0) /* cut short */
        MUST(ftruncate(image->fd, (off_t)(image->file_bytes * (how & 15) / 16)) == 0);
}

void image_mend(struct image *image)
{
    /* the name of a topic that said it was deleted has been taken away */
    if (link(image->spare, image->path) < 0)
        MUST(errno == EEXIST);
    MUST(ftruncate(image->fd, (off_t)image->file_bytes) == 0);
    MUST(pwrite(image->fd, image->sound, image->len, 0) == (ssize_t)image->len);
}
