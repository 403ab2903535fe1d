/* fuzz_timestamp.c - any bytes as a time: read or refused, the same every time, and never read
 * beyond. */
#include "fuzz.h"
#include "text/timestamp.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1), blank[128] = "  ";
    int64_t ns = 17, again = 17;
    MUST(text);
    if (size)
        memcpy(text, data, size);
    int error = timestamp_parse(text, size, &ns);
    MUST(error == 0 || ((error == -EINVAL || error == -ERANGE) && ns == 17));
    if (size < 100) {
        memcpy(blank + 2, text, size);
        blank[size + 2] = ' ';
        MUST(timestamp_parse(blank, size + 3, &again) == error && again == ns);
    }
    int zoned, local = timestamp_read(text, size, &again, &zoned);
    MUST(local == error);
    again = 17;
    /* It may not exist, or be too far away, there alone. */
    local = timestamp_parse_local(text, size, &again);
    MUST((local == -EINVAL || local == -ERANGE || (local == 0 && error == 0)) &&
         (local == 0 || again == 17));
    MUST(error || !zoned || (local == 0 && again == ns));
    free(text);
    return 0;
}
