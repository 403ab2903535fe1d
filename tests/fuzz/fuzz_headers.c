/* fuzz_headers.c - the headers of a record: any bytes, and what mr_header_add has built. */
#include "fuzz.h"
#include "millrace.h"

#include <errno.h>
#include <string.h>

static size_t walk(const unsigned char *headers, size_t len)
{
    struct mr_header header;
    size_t at = 0, n = 0, before = 0;
    int got;
    while ((got = mr_header_next(headers, len, &at, &header)) > 0) {
        const unsigned char *start = (const unsigned char *)header.name, *bytes = header.value;
        MUST(at > before && at <= len && header.name_len >= 1 && header.name_len <= 255);
        MUST(start >= headers && bytes == start + header.name_len && header.value_len <= len &&
             bytes + header.value_len <= headers + len);
        before = at;
        n++;
    }
    MUST(got == 0 || got == -EBADMSG);
    MUST(got || at == len);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    unsigned char *exact = malloc(size ? size : 1);
    MUST(exact);
    memcpy(exact, data, size);
    walk(exact, size);
    free(exact);

    /* The same bytes as instructions: name length, value length, room. */
    size_t cap = (size_t)fuzz_take(&in, 2), used = 0, added = 0;
    unsigned char *built = malloc(cap ? cap : 1);
    MUST(built);
    while (in.left) {
        char name[300];
        size_t name_len = (size_t)fuzz_take(&in, 1) + (size_t)(fuzz_take(&in, 1) & 1),
               value_len = (size_t)fuzz_take(&in, 1);
        memset(name, 'n', name_len);
        name[name_len] = '\0';
        if (value_len > in.left)
            value_len = in.left;
        ssize_t now = mr_header_add(built, used, cap, name, in.at, value_len);
        MUST(now > 0 ? (size_t)now == used + 5 + name_len + value_len && (size_t)now <= cap
                     : now == -ENOSPC || now == -EINVAL);
        in.at += value_len;
        in.left -= value_len;
        if (now < 0)
            continue;
        used = (size_t)now;
        added++;
    }
    MUST(walk(built, used) == added);
    free(built);
    return 0;
}
