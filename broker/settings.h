/* settings.h - settings of a topic as text: options ("--max-records 5") and -t
 * NAME,max-records=5,... */
#ifndef BROKER_SETTINGS_H
#define BROKER_SETTINGS_H

#include "serve.h"

/* setting_parse sets what key names: size, max-records, partitions, full, max-record, tries.
 * Returns NULL, or a static text that says what is wrong ("not a size from 4k to 1T"). */
const char *setting_parse(struct mr_settings *settings, const char *key, const char *value);

/* spec_parse parses NAME[,key=value...]; it cuts text into pieces, and spec keeps a pointer into
 * it.
 * Returns NULL, or what is wrong, with *where pointing to the wrong piece of text. */
const char *spec_parse(struct topic_spec *spec, char *text, const char **where);

#endif
