/* resume.c - see resume.h. Before anything is sent, the file is read up to the last row that the
 * topic has: if that row has changed, nothing is sent. */
#include "resume.h"
#include "cli/program.h"
#include "core/log.h"
#include "core/source.h"
#include "core/topic.h"
#include "text/text.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN           1024 /* number of consecutive rows without a key that go to one partition */
#define LOCKS_AT      (UINT64_C(1) << 62) /* bytes: far beyond the end of any segment */
#define LOCK_WAIT_NS  INT64_C(5000000000)
#define LOCK_TELL_NS  INT64_C(500000000)
#define LOCK_RETRY_NS 10000000

/* ---- the source ---- */

static uint64_t hash_text(uint64_t h, const char *text)
{
    return text ? text_hash(h, text, strlen(text) + 1) : text_hash(h, "", 0);
}

/* The file, and every option that changes its rows, their numbers or their partitions. */
static uint64_t source_of(const struct options *o, enum input_format format, uint64_t id)
{
    const int32_t numbers[] = {(int32_t)format, o->no_header, o->sep, o->partition};
    uint64_t h = text_hash(0, numbers, sizeof(numbers));

    h = text_hash(h, o->delimiter.text ? o->delimiter.text : "", o->delimiter.len);
    h = text_hash(h, o->key_sep.text ? o->key_sep.text : "", o->key_sep.len);
    h = hash_text(hash_text(h, o->key_column), o->key);
    return FILE_SOURCE(id, h);
}

/* ---- one process at a time ---- */

/* A lock on a byte of the topic's own file, far beyond its end; each source has its own byte. So
 * it works between all processes that can send the file to this topic, in all namespaces and for
 * files on any file system, needs no write permission for the file, and is released when its
 * process ends in any way. */
static int lock_source(struct resume *resume, struct mr_topic *topic, const char *file)
{
    struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    int64_t start = program_now(), waited;
    int told = 0;

    byte.l_start = (off_t)(LOCKS_AT + resume->source % LOCKS_AT);
    resume->lock = mr_topic_reopen(topic, 1);
    if (resume->lock < 0)
        return resume->lock;
    while (fcntl(resume->lock, F_OFD_SETLK, &byte) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        waited = program_now() - start;
        if (waited >= LOCK_WAIT_NS)
            return -EBUSY;
        if (waited >= LOCK_TELL_NS && !told) {
            program_notice(
                "%s: another producer --resume is sending it to %s; waiting for that to end", file,
                mr_topic_name(topic));
            told = 1;
        }
        if (program_sleep(LOCK_RETRY_NS))
            return -EINTR;
    }
    return 0;
}

/* ---- progress of the topic ---- */

static int find_progress(struct resume *resume, struct mr_topic *topic)
{
    struct mr_settings settings = {0};
    int found;

    mr_topic_settings(topic, &settings);
    resume->partitions = settings.partitions;
    if (!(resume->last = calloc(settings.partitions, sizeof(*resume->last))))
        return -ENOMEM;
    for (uint32_t p = 0; p < settings.partitions; p++) {
        /* mr_producer_progress needs a producer, which a sealed topic does not allow; but a file
         * may have been sent completely before the seal. */
        if ((found = mr_log_progress(topic, p, resume->source, &resume->last[p])) < 0)
            return found;
        if (found && resume->last[p].position > resume->furthest)
            resume->furthest = resume->last[p].position;
    }
    return 0;
}

int resume_find(struct resume *resume, struct mr_topic *topic, const struct options *options,
                const char *file, enum input_format format)
{
    uint64_t id = 0;
    int error = program_file_id(file, &id);

    *resume = (struct resume){.lock = -1, .passed = resume->passed, .file = file};
    if (error) {
        program_error("%s: %s", file, strerror(-error));
        return EXIT_FAILED;
    }
    resume->source = source_of(options, format, id);
    error = lock_source(resume, topic, file);
    if (error == -EBUSY) {
        program_error(
            "%s: another producer --resume is sending it to %s; two would send its rows twice",
            file, options->topic);
        return EXIT_FAILED;
    }
    if (!error)
        error = find_progress(resume, topic);
    if (!error && (error = mr_log_source_room(topic, resume->source)) == -EUSERS)
        return resume_no_room(resume, options->topic);
    if (error && error != -EINTR)
        program_fail(error, "%s: --resume", options->topic);
    return error ? program_exit_for(error) : 0;
}

void resume_end(struct resume *resume)
{
    if (resume->source && resume->lock >= 0)
        close(resume->lock);
    free(resume->last);
    *resume = (struct resume){.lock = -1, .passed = resume->passed};
}

int resume_complete(const struct resume *resume, struct mr_topic *topic)
{
    int error = mr_topic_complete_source(topic, resume->source);

    if (error >= 0)
        return 0;
    if (error != -EINTR)
        program_fail(error, "%s: --resume", mr_topic_name(topic));
    return program_exit_for(error);
}

int resume_no_room(const struct resume *resume, const char *topic)
{
    program_error("%s: %s already remembers 128 other files of --resume, the limit; forget one "
                  "that is finished (broker forget-source %s FILE), then start this again",
                  resume->file, topic, topic);
    return EXIT_FAILED;
}

/* ---- is it the same file ---- */

static int is_as_it_was(const struct resume *resume, uint64_t row, uint64_t check)
{
    for (uint32_t p = 0; p < resume->partitions; p++)
        if (resume->last[p].position == row)
            return resume->last[p].check == check;
    return 1;
}

/* The first row after row that a partition remembers; 0: none. */
static uint64_t next_remembered(const struct resume *resume, uint64_t row)
{
    uint64_t next = 0;

    for (uint32_t p = 0; p < resume->partitions; p++)
        if (resume->last[p].position > row && (!next || resume->last[p].position < next))
            next = resume->last[p].position;
    return next;
}

static int other_file(const char *file, const char *topic, uint64_t row, const char *how)
{
    program_error("%s: not the file whose rows %s has: row %" PRIu64
                  " %s; nothing was sent (if this is another file: broker forget-source %s %s, "
                  "then send it again)",
                  file, topic, row, how, topic, file);
    return EXIT_FAILED;
}

int resume_verify(struct resume *resume, struct input *in, const char *topic, int header)
{
    struct input_row row;
    uint64_t n = 0, next = next_remembered(resume, 0);
    int error;

    while (next) {
        enum input_event event = input_next(in, &row);

        if (event == INPUT_MORE) {
            if ((error = input_fill(in))) {
                if (error != -EINTR)
                    program_error("%s: %s", in->name, strerror(-error));
                return program_exit_for(error);
            }
        } else if (event == INPUT_END) {
            return other_file(in->name, topic, resume->furthest, "is missing");
        } else if (event != INPUT_REST && header) {
            header = 0;
        } else if (event != INPUT_REST && ++n == next) {
            if (event == INPUT_BAD || !is_as_it_was(resume, n, text_hash(0, row.data, row.len)))
                return other_file(in->name, topic, n, "differs");
            next = next_remembered(resume, n);
        }
    }
    return 0;
}

/* ---- rows ---- */

uint32_t resume_place(const struct resume *resume, uint32_t asked, const void *key, size_t key_len)
{
    if (asked != MR_ANY)
        return asked - MR_PARTITION(0);
    if (key)
        return mr_partition_for(key, key_len, resume->partitions);
    return (uint32_t)((resume->row - 1) / RUN % resume->partitions);
}

int resume_has(const struct resume *resume, uint32_t partition)
{
    return resume->row <= resume->last[partition].position;
}

struct mr_progress resume_note(const struct resume *resume, const char *row, size_t len)
{
    return (struct mr_progress){.position = resume->row, .check = text_hash(0, row, len)};
}
