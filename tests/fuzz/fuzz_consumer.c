/* fuzz_consumer.c - the consumer's words: positions, formats, the command line; and records of any
 * bytes under columns of any bytes. */
#include "consumer/format/format.h"
#include "consumer/options.h"
#include "consumer/position.h"
#include "fuzz.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#define ARGS 24

static void try_position(char *text)
{
    struct position position = {.start = MR_START_STORED, .arg = -1, .skip = 77};
    int error = position_parse(text, &position);
    if (error)
        MUST((error == -EINVAL || error == -ERANGE) && position.arg == -1 && position.skip == 77);
    else
        MUST(position.arg >= 0 && position.start <= MR_START_TIME);
}

/* Lines are arguments. */
static void try_command_line(char *text)
{
    static char name[] = "consumer";
    char *argv[ARGS + 2] = {name};
    struct options options;
    int argc = 1;
    for (char *rest = text; rest && argc <= ARGS;)
        argv[argc++] = strsep(&rest, "\n");
    optind = 0; /* glibc: from the start, whatever the line before was left at */
    (void)getopt(1, argv, "");
    if (options_parse(argc, argv, &options) == 0) {
        MUST(options.take.topic_cnt >= 1);
        options_free(&options);
    }
}

/* The first line is a format, the second a header line, the rest a record: key, headers, value. */
static void try_record(char *text, size_t size, uint64_t how)
{
    static const char *const kinds[] = {NULL, "csv", "json"};
    char wrong[160] = "", *line = strchr(text, '\n');
    struct columns columns = {0};
    struct format format;
    struct js_writer out;
    const char *missing;
    size_t at = line ? (size_t)(line - text) + 1 : size;
    if (line)
        *line = '\0';
    int error = format_init(&format, how & 3 ? kinds[how & 3 ? (how & 3) - 1 : 0] : text, wrong);
    MUST(error == 0 || (error == -EINVAL && *wrong));
    if (error)
        return;
    if (how & 0x80)
        format.kind = FORMAT_ENVELOPE;
    if ((how & 0x200) && format.kind == FORMAT_CSV)
        format.kind = FORMAT_TSV;
    format.strings = how >> 8 & 1;
    char *header = text + at, *end = memchr(header, '\n', size - at);
    size_t header_len = end ? (size_t)(end - header) : size - at;
    if (how & 4)
        MUST(columns_set(&columns, header, header_len, (uint32_t)(how >> 16)) == 0);
    at += header_len + (end != NULL);
    /* the columns themselves, and with other line ends also others */
    if ((how & 0x400) && format.kind != FORMAT_ENVELOPE) {
        char *list = strndup(header, header_len);
        MUST(list);
        error = select_parse(list, &format.select, wrong);
        MUST(error == 0 || (error == -EINVAL && *wrong && format.select.cnt == 0));
        free(list);
    }
    if (format_bind(&format, &columns, &missing) == 0) {
        size_t left = size - at, key_len = (how >> 4 & 7) < left ? (size_t)(how >> 4 & 7) : left;
        size_t headers_len =
            (how >> 32 & 63) < left - key_len ? (size_t)(how >> 32 & 63) : left - key_len;
        char *copy = malloc(left ? left : 1);
        MUST(copy);
        memcpy(copy, text + at, left);
        struct mr_record record = {.key = how & 8 ? copy : NULL,
                                   .key_len = how & 8 ? (uint32_t)key_len : 0,
                                   .headers = copy + key_len,
                                   .headers_len = (uint16_t)headers_len,
                                   .value = copy + key_len + headers_len,
                                   .value_len = (uint32_t)(left - key_len - headers_len),
                                   .flags = (uint16_t)(how >> 40),
                                   .try_number = 1,
                                   .ts_ns = how * 7,
                                   .offset = how};
        js_init(&out, NULL, 0);
        for (int i = 0; i < 2; i++) {
            format_header(&format, &columns, &out);
            format_record(&format, &columns, "orders", &record, how * 11, &out);
        }
        MUST(!out.failed);
        if (format.kind == FORMAT_JSON || format.kind == FORMAT_ENVELOPE)
            MUST(out.len && js_is_utf8(out.text, out.len) && !memchr(out.text, '\0', out.len) &&
                 out.text[out.len - 1] == '\n' && memchr(out.text, '\n', out.len - 1) &&
                 out.text[0] == '{');
        js_free(&out);
        free(copy);
    }
    columns_free(&columns);
    format_free(&format);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint64_t what = fuzz_take(&in, 1), how = what % 3 == 2 ? fuzz_take(&in, 8) : 0;
    size_t len = in.left;
    char *text = fuzz_string(&in, SIZE_MAX);
    switch (what % 3) {
    case 0:
        try_position(text);
        break;
    case 1:
        try_command_line(text);
        break;
    default:
        try_record(text, len, how);
        break;
    }
    free(text);
    return 0;
}
