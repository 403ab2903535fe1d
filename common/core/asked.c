/* asked.c - see asked.h. */
#include "asked.h"
#include "lifecycle.h"

#include <errno.h>
#include <stdlib.h>

int mr_topic_find(struct mr_bus *bus, uint64_t created_ns, struct mr_topic **out)
{
    char **names;
    ssize_t n = mr_bus_topics(bus, &names);
    if (n < 0)
        return (int)n;
    int found = 0, failed = 0;
    for (ssize_t i = 0; i < n && !found; i++) {
        uint64_t its;
        int error = mr_topic_created(bus, names[i], &its);
        if (error == -ENOENT || error == -EPERM || error == -EBADMSG)
            continue;
        if (!error && its != created_ns)
            continue;
        if (!error && (error = mr_topic_open(bus, names[i], out)) == 0)
            found = 1;
        else if (error != -ENOENT && error != -EIDRM)
            failed = error;
    }
    free(names);
    if (found)
        return 1;
    return failed < 0 ? failed : 0;
}

int mr_asked(struct mr_topic *to, uint32_t slot, uint64_t serial, uint64_t source_ns)
{
    struct mr_topic *source;
    int found = mr_topic_find(to->bus, source_ns, &source);
    if (found != 1)
        return found;
    found = 0;
    for (uint32_t i = 0; i < source->member_cnt && !found; i++) {
        const struct mr_member_shm *member = &source->members[i];
        if (!load(&member->group) ||
            atomic_load_explicit(&member->moving, memory_order_acquire) == MR_NONE)
            continue;
        found = load(&member->moving_topic) == to->shm->created_ns &&
                load(&member->moving_serial) == serial &&
                (load(&member->moving_producer) & UINT32_MAX) == slot;
    }
    int error = mr_intact(source);
    mr_topic_close(source);
    return error ? error : found;
}
