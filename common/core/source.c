/* source.c - see source.h. */
#include "source.h"

#include <errno.h>

int mr_log_progress(struct mr_topic *topic, uint32_t p, uint64_t id, struct mr_progress *out)
{
    int error = mr_log_lock(topic, p);
    if (error)
        return error;
    const struct mr_source_shm *source = mr_source_find(topic, p, id);
    struct mr_progress progress = {0};
    if (source) {
        progress.position = atomic_load_explicit(&source->position, memory_order_relaxed);
        progress.check = atomic_load_explicit(&source->check, memory_order_relaxed);
    }
    mr_unlock(&topic->logs[p].lock);
    if (mr_intact(topic) < 0)
        return -EIO;
    if (!progress.position)
        return 0;
    *out = progress;
    return 1;
}

int mr_log_source_room(struct mr_topic *topic, uint64_t id)
{
    for (uint32_t p = 0; p < topic->partition_cnt; p++) {
        int error = mr_log_lock(topic, p);
        if (error)
            return error;
        const struct mr_source_shm *source = mr_source_slot(topic, p, id);
        mr_unlock(&topic->logs[p].lock);
        if (!source)
            return mr_topic_error(topic, -EUSERS);
    }
    return mr_intact(topic);
}

/* Tips name the source that they belong to, and the repair after a death tells it what they know. A
 * source that was forgotten and comes again must not be told what it had reached before (I11): they
 * forget it, too. */
static int forget_source(struct mr_topic *topic, uint32_t p, uint64_t id)
{
    struct mr_log_shm *log = &topic->logs[p];
    int error = mr_log_lock(topic, p);
    if (error)
        return error;
    struct mr_source_shm *source = mr_source_find(topic, p, id);
    if (source) {
        struct mr_tx tx = mr_tx_begin(topic, &log->lock);
        mr_tx_set(&tx, &source->id, 0);
        mr_tx_set(&tx, &source->position, 0);
        mr_tx_set(&tx, &source->check, 0);
        for (int i = 0; i < 2; i++)
            if (atomic_load_explicit(&log->tips[i].source, memory_order_relaxed) == id)
                mr_tx_set(&tx, &log->tips[i].source, 0);
        mr_tx_commit(&tx);
    }
    mr_unlock(&log->lock);
    return source ? 1 : 0;
}

int mr_topic_forget_source(struct mr_topic *topic, uint64_t id)
{
    int error = mr_topic_check(topic), found = 0;
    if (!id)
        return -EINVAL;
    for (uint32_t p = 0; p < topic->partition_cnt && !error; p++) {
        int got = forget_source(topic, p, id);
        error = got < 0 ? got : 0;
        found |= got > 0;
    }
    if (!error)
        error = mr_intact(topic);
    return error ? error : found ? 0 : -ENOENT;
}

ssize_t mr_topic_sources_known(struct mr_topic *topic, uint32_t p, uint64_t *ids, size_t cap)
{
    int error = mr_topic_check(topic);
    if (error)
        return error;
    if (p >= topic->partition_cnt)
        return -ERANGE;
    if ((error = mr_log_lock(topic, p)))
        return error;
    const struct mr_source_shm *source = mr_topic_sources(topic, p);
    size_t cnt = 0;
    for (uint32_t i = 0; i < MR_SOURCES; i++) {
        uint64_t id = atomic_load_explicit(&source[i].id, memory_order_relaxed);
        if (id && cnt++ < cap)
            ids[cnt - 1] = id;
    }
    mr_unlock(&topic->logs[p].lock);
    error = mr_intact(topic);
    return error ? error : (ssize_t)cnt;
}
