/* settings.h - a topic's settings as words: of options ("--max-records 5") and of -t
 * NAME,max-records=5,... */
#ifndef BROKER_SETTINGS_H
#define BROKER_SETTINGS_H

#include "serve.h"

/* setting_parse sets what key names: size, max-records, partitions, full, max-record, tries.
 * Returns NULL, or a static text that says what is wrong ("not a size such as 64k or 16M"). */
const char *setting_parse(struct mr_settings *settings, const char *key, const char *value);

/* spec_parse takes NAME[,key=value...] apart; text is cut into pieces, and spec keeps a pointer
 * into it.
 * Returns NULL, or what is wrong, with *where pointing to the piece of text that is. */
const char *spec_parse(struct topic_spec *spec, char *text, const char **where);

#endif
