/* fuzz_producer.c - the producer's command line, and its reading of any bytes as rows: nothing is
 * lost, nothing is added. */
#include "fuzz.h"
#include "producer/input/input.h"
#include "producer/option_rules.h"
#include "producer/options.h"
#include "producer/send/sender.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGS 24

/* Lines are arguments. Returns 1 if the options may be used. */
static int parse(char *text, char **argv, struct options *options)
{
    static char name[] = "producer";
    int argc = 1;
    argv[0] = name;
    for (char *rest = text; rest && argc <= ARGS;)
        argv[argc++] = strsep(&rest, "\n");
    argv[argc] = NULL;
    struct options_seen seen;
    int done = options_parse(argc, argv, options, &seen);
    if (!done)
        done = option_rules_check(options, &seen);
    MUST(done || options->file_cnt >= 1);
    return done == 0;
}

static void empty(struct sender *sender)
{
    sender->batch_cnt = sender->batch_bytes = 0;
    arena_reset(&sender->arena);
}

static void read_rows(const struct options *options, const uint8_t *data, size_t size, uint64_t how)
{
    static struct sender sender; /* the batch in it is too much for the stack */
    struct input in;
    struct input_row row;
    struct input_how input_how = {.format = options_format(options, "rows.csv"),
                                  .sep = options->sep,
                                  .delimiter = options->delimiter.text,
                                  .delimiter_len = options->delimiter.len,
                                  .record_max = 1 + (how & 0xff)};
    char path[64];
    int fd = memfd_create("rows", 0);
    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(&sender, 0, sizeof sender);
    sender.options = options;
    sender.topic = "orders";
    sender.record_max = input_how.record_max;
    sender.partitions = 3;
    sender.key_column = options->key_column ? 1 + (int32_t)(how >> 8 & 3) : 0;
    MUST(input_open(&in, &input_how, path) == 0);
    sender_format(&sender, &in);
    for (size_t n = 0;; n++) {
        enum input_event event = input_next(&in, &row);
        MUST(n <= 2 * size + 2 && in.bytes <= size);
        if (event == INPUT_MORE) {
            empty(&sender);
            MUST(input_fill(&in) == 0);
        } else if (event == INPUT_END) {
            break;
        } else if (event == INPUT_ROW) {
            MUST(row.len <= size);
            int result = sender_prepare(&sender, &row);
            MUST(result == 0 || result == 1);
            if (sender_full(&sender))
                empty(&sender);
        }
    }
    MUST(in.bytes == size);
    input_close(&in);
    sender_free(&sender);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint64_t how = fuzz_take(&in, 2);
    /* a command line, NUL, the file's bytes */
    const uint8_t *cut = in.left ? memchr(in.at, 0, in.left) : NULL;
    size_t len = cut ? (size_t)(cut - in.at) : in.left;
    char *text = fuzz_string(&in, len), *argv[ARGS + 2];
    struct options options;
    if (in.left) {
        in.at++;
        in.left--;
    }
    if (parse(text, argv, &options) && options.format != INPUT_FILE)
        read_rows(&options, in.at, in.left, how);
    options_free(&options);
    free(text);
    return 0;
}
