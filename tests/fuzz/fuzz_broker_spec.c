/* fuzz_broker_spec.c - what the broker's -t takes: NAME[,key=value...]. What is accepted can be
 * made. */
#include "broker/settings.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct topic_spec spec = {0};
    char *text = fuzz_string(&in, SIZE_MAX);
    size_t len = strlen(text);
    const char *where = NULL, *wrong = spec_parse(&spec, text, &where);
    if (wrong) {
        MUST(*wrong && where && where >= text && where <= text + len);
    } else {
        const struct mr_settings *s = &spec.settings;
        MUST(mr_name_check(MR_NAME_TOPIC, spec.name) == NULL);
        MUST(s->size_bytes == 0 || (s->size_bytes >= MR_SIZE_MIN && s->size_bytes <= MR_SIZE_MAX));
        MUST(s->partitions <= MR_PARTITIONS_MAX && s->full <= MR_FULL_FAIL && s->tries <= 1000);
        MUST(s->record_max_bytes == 0 || s->record_max_bytes >= MR_RECORD_OVERHEAD);
    }
    free(text);
    return 0;
}
