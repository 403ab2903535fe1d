/* settings.h - a topic's settings as they lie in a segment and go to the broker: what a program
 * passes may grow (sized.h), this may not. */
#ifndef COMMON_CORE_SETTINGS_H
#define COMMON_CORE_SETTINGS_H

#include "millrace.h"

struct mr_settings_shm { /* struct mr_settings without its size */
    uint64_t size_bytes, records_max, record_max_bytes;
    uint32_t partitions, full, tries, mode;
};

static inline struct mr_settings_shm mr_settings_pack(const struct mr_settings *s)
{
    return (struct mr_settings_shm){.size_bytes = s->size_bytes,
                                    .records_max = s->records_max,
                                    .record_max_bytes = s->record_max_bytes,
                                    .partitions = s->partitions,
                                    .full = s->full,
                                    .tries = s->tries,
                                    .mode = s->mode};
}

static inline struct mr_settings mr_settings_unpack(const struct mr_settings_shm *s)
{
    return (struct mr_settings){.size_bytes = s->size_bytes,
                                .records_max = s->records_max,
                                .record_max_bytes = s->record_max_bytes,
                                .partitions = s->partitions,
                                .full = s->full,
                                .tries = s->tries,
                                .mode = s->mode};
}

#endif
