/* fuzz_text.c - the words of options: sizes, counts, durations, names, and numbers back into
 * words. */
#include "core/segment.h"
#include "fuzz.h"
#include "millrace.h"
#include "text/text.h"

#include <errno.h>
#include <string.h>

#define MOST ((uint64_t)1 << 62)

static void check_numbers(const char *text)
{
    uint64_t value = 1234567;
    int64_t ns = -7;
    int error = text_size(text, &value);
    MUST(error ? (error == -EINVAL || error == -ERANGE) && value == 1234567 : value <= MOST);
    value = 1234567;
    error = text_count(text, &value);
    MUST(error ? (error == -EINVAL || error == -ERANGE) && value == 1234567 : value <= MOST);
    error = text_duration(text, &ns);
    MUST(error ? (error == -EINVAL || error == -ERANGE) && ns == -7
               : ns >= 0 && (uint64_t)ns <= MOST);
    /* Plain digits mean what they say. */
    size_t digits = strspn(text, "0123456789");
    if (digits && digits < 18 && !text[digits]) {
        MUST(text_size(text, &value) == 0 && value == strtoull(text, NULL, 10));
        MUST(text_count(text, &value) == 0 && value == strtoull(text, NULL, 10));
    }
}

static void check_words(uint64_t number)
{
    char *buf = malloc(32); /* of its own, so that a byte past it is seen */
    MUST(buf);
    MUST(strlen(text_bytes(buf, number)) < 32 && strlen(text_ns(buf, number)) < 32);
    MUST(strlen(text_grouped(buf, number)) < 32 && strlen(text_time(buf, number)) < 32);
    free(buf);
}

/* What is a name makes a file name that stays in its folder and names nothing else. */
static void check_names(const char *text)
{
    char path[MR_PATH_MAX];
    for (enum mr_name_kind kind = MR_NAME_BUS; kind <= MR_NAME_GROUP; kind++) {
        /* a bus: USER/NAME */
        const char *slash = kind == MR_NAME_BUS ? strchr(text, '/') : NULL,
                   *name = slash ? slash + 1 : text;
        if (mr_name_check(kind, text))
            continue;
        MUST(*name && *name != '.' && *name != '-' && !strpbrk(name, "/ \n\t\\*?\x7f"));
        MUST(kind != MR_NAME_BUS || !strchr(name, '.'));
        mr_segment_name(path, (uid_t)-1, kind == MR_NAME_BUS ? name : "b",
                        kind == MR_NAME_BUS ? NULL : name);
        MUST(strlen(path) < MR_PATH_MAX - 1 && strrchr(path, '/') == path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint64_t number = fuzz_take(&in, 8);
    char *text = fuzz_string(&in, SIZE_MAX);
    check_numbers(text);
    check_words(number);
    check_names(text);
    /* Lines are candidates for what was meant by the first one. */
    const char *lines[16];
    size_t n = 0;
    for (char *rest = text; rest && n < 15;)
        lines[n++] = strsep(&rest, "\n");
    lines[n] = NULL;
    const char *near = text_suggest(lines[0], lines + 1);
    size_t i = 1;
    while (near && i < n && lines[i] != near)
        i++;
    MUST(!near || i < n);
    free(text);
    return 0;
}
