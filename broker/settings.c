/* settings.c - see settings.h. */
#include "settings.h"
#include "text/text.h"

#include <string.h>

const char *setting_parse(struct mr_settings *settings, const char *key, const char *value)
{
    uint64_t n;
    if (strcmp(key, "size") == 0) {
        if (text_size(value, &n) < 0 || n < MR_SIZE_MIN || n > MR_SIZE_MAX)
            return "not a size from 4k to 1T";
        settings->size_bytes = n;
    } else if (strcmp(key, "max-record") == 0) {
        if (text_size(value, &n) < 0 || n < MR_RECORD_OVERHEAD || n > MR_SIZE_MAX)
            return "not a size from 32 to 1T";
        settings->record_max_bytes = n;
    } else if (strcmp(key, "max-records") == 0) {
        if (text_count(value, &n) < 0 || n == 0)
            return "not a count from 1";
        if (n < settings->partitions)
            return "fewer than there are partitions: each needs room for one record";
        settings->records_max = n;
    } else if (strcmp(key, "partitions") == 0) {
        if (text_count(value, &n) < 0 || n == 0 || n > MR_PARTITIONS_MAX)
            return "not a count from 1 to 256";
        if (settings->records_max && settings->records_max < n)
            return "more than max-records: each partition needs room for one record";
        settings->partitions = (uint32_t)n;
    } else if (strcmp(key, "tries") == 0) {
        if (text_count(value, &n) < 0 || n == 0 || n > 1000)
            return "not a count from 1 to 1000";
        settings->tries = (uint32_t)n;
    } else if (strcmp(key, "full") == 0) {
        if (strcmp(value, "block") == 0)
            settings->full = MR_FULL_BLOCK;
        else if (strcmp(value, "drop-oldest") == 0)
            settings->full = MR_FULL_DROP_OLDEST;
        else if (strcmp(value, "fail") == 0)
            settings->full = MR_FULL_FAIL;
        else
            return "not one of block, drop-oldest, fail";
    } else {
        return "not one of size, max-records, partitions, full, max-record, tries";
    }
    return NULL;
}

const char *spec_parse(struct topic_spec *spec, char *text, const char **where)
{
    char *rest = text;
    spec->name = strsep(&rest, ",");
    *where = spec->name;
    const char *wrong = mr_name_check(MR_NAME_TOPIC, spec->name);
    while (!wrong && rest) {
        char *value = strsep(&rest, ",");
        *where = value;
        const char *key = strsep(&value, "=");
        wrong = value ? setting_parse(&spec->settings, key, value) : "not of the form key=value";
        if (wrong && value)
            value[-1] = '='; /* whole again, for the message */
    }
    return wrong;
}
