/* check_consumer_object_plain.c - check_consumer_object once more, as it is where there is no
 * SSE2. */
#undef __SSE2__
// NOLINTNEXTLINE(bugprone-suspicious-include): in place of the consumer's
#include "../../consumer/format/object.c"
#include "check_consumer_object.c" // NOLINT(bugprone-suspicious-include)
