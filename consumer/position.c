#include "position.h"
#include "text/timestamp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Digits only, all of text. */
static int parse_number(const char *text, int64_t *out)
{
    char *end;
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return -EINVAL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno)
        return -ERANGE;
    *out = number;
    return 0;
}

static int parse_time(const char *text, int64_t *out)
{
    int64_t ns;
    int error = timestamp_parse_local(text, strlen(text), &ns);
    if (error == 0 && ns < 0)
        error = -ERANGE;
    if (error == 0)
        *out = ns;
    return error;
}

int position_parse(const char *text, struct position *position)
{
    static const struct {
        const char *word;
        enum mr_start start;
    } words[] = {
        {"stored", MR_START_STORED},
        {"beginning", MR_START_BEGINNING},
        {"earliest", MR_START_BEGINNING},
        {"TRIM_HORIZON", MR_START_BEGINNING},
        {"end", MR_START_END},
        {"latest", MR_START_END},
        {"LATEST", MR_START_END},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].word) == 0) {
            *position = (struct position){.start = words[i].start};
            return 0;
        }
    }
    struct position new = {.start = MR_START_OFFSET};
    int error;
    switch (*text) {
    case '@':
        new.start = MR_START_TIME;
        error = parse_time(text + 1, &new.arg);
        break;
    case '-':
        new.start = MR_START_LAST;
        error = parse_number(text + 1, &new.arg);
        break;
    case '+':
        new.skip = 1;
        error = parse_number(text + 1, &new.arg);
        break;
    default:
        error = parse_number(text, &new.arg);
        break;
    }
    if (error == 0)
        *position = new;
    return error;
}
