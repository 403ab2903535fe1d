/* check_json_plain.c - check_json once more, as it is where there is no SSE2. */
#undef __SSE2__
// NOLINTNEXTLINE(bugprone-suspicious-include): in place of the library's
#include "../../common/text/json.c"
#include "check_json.c" // NOLINT(bugprone-suspicious-include)
