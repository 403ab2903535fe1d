/* columns.c - a topic's header line. It lies in the file behind the rings, unmapped, and is read
 * and written with pread and pwrite, so a full /dev/shm is an error here and no signal. */
#include "group_life.h"
#include "segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_FLAGS 0xffffu /* line end and separator */

static uint64_t columns_at(const struct mr_topic *topic)
{
    return topic->total_bytes - MR_COLUMNS_MAX;
}

ssize_t mr_topic_columns(const struct mr_topic *topic, void *line, size_t cap, uint32_t *flags)
{
    uint64_t word = atomic_load_explicit(&topic->shm->columns, memory_order_acquire);
    uint64_t len = word >> 32;
    if (mr_intact(topic) < 0)
        return -EIO;
    if (!(word & 1))
        return -ENODATA;
    if (len > MR_COLUMNS_MAX)
        return -EBADMSG;
    if (flags)
        *flags = (uint32_t)(word >> 1 & COLUMNS_FLAGS);
    if (cap == 0 || len == 0)
        return (ssize_t)len;
    int fd = mr_topic_reopen(topic, 0);
    if (fd < 0)
        return fd;
    size_t want = len < cap ? len : cap;
    ssize_t got = pread(fd, line, want, (off_t)columns_at(topic));
    close(fd);
    return got == (ssize_t)want ? (ssize_t)len : -EBADMSG;
}

static size_t bom(const char *line, size_t len)
{
    return len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* 0 the same columns, -EEXIST others. A byte order mark and the line end say nothing about
 * columns. But with another separator, or if quotes mean something in one only, equal lines have
 * different fields. */
static int compare_columns(const struct mr_topic *topic, const char *line, size_t len,
                           uint32_t flags)
{
    uint32_t there_flags = 0;
    ssize_t there_len = mr_topic_columns(topic, NULL, 0, &there_flags);
    if (there_len < 0)
        return (int)there_len;
    if (!MR_SAME_FIELDS(flags, there_flags))
        return -EEXIST;
    char *there = malloc((size_t)there_len + 1);
    if (!there)
        return -ENOMEM;
    ssize_t got = mr_topic_columns(topic, there, (size_t)there_len, NULL);
    int error = got < 0 ? (int)got : got != there_len ? -EBADMSG : 0;
    if (!error) {
        size_t skip = bom(line, len), skip_there = bom(there, (size_t)there_len);
        if (len - skip != (size_t)there_len - skip_there ||
            memcmp(line + skip, there + skip_there, len - skip) != 0)
            error = -EEXIST;
    }
    free(there);
    return error;
}

int mr_topic_set_columns(struct mr_topic *topic, const void *line, size_t len, uint32_t flags)
{
    int error = mr_topic_check(topic);
    if (error)
        return error;
    if (len > MR_COLUMNS_MAX)
        return -EMSGSIZE;
    if (flags > COLUMNS_FLAGS)
        return -EINVAL;
    error = mr_topic_lock(topic);
    if (error)
        return error;
    if (atomic_load_explicit(&topic->shm->columns, memory_order_relaxed) & 1) {
        error = compare_columns(topic, line, len, flags);
    } else {
        int fd = mr_topic_reopen(topic, 1);
        if (fd < 0) {
            error = fd;
        } else {
            error = mr_segment_write(fd, line, len, columns_at(topic));
            close(fd);
        }
        if (!error) /* release: a process that sees the word finds the bytes */
            atomic_store_explicit(&topic->shm->columns,
                                  (uint64_t)len << 32 | (uint64_t)flags << 1 | 1,
                                  memory_order_release);
    }
    mr_unlock(&topic->shm->lock);
    return error;
}
