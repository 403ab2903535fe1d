/* option_rules.h - which options exclude each other, and which need another. */
#ifndef PRODUCER_OPTION_RULES_H
#define PRODUCER_OPTION_RULES_H

#include "options.h"

/* option_rules_check refuses options that contradict each other, and completes *options (the
 * columns). Returns as options_parse. */
int option_rules_check(struct options *options, const struct options_seen *seen);

#endif
